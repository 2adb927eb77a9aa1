# SPDX-License-Identifier: Apache-2.0
"""A Postfix of its own, in a folder of its own: as client and as next hop."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time
import unittest

MAIN_CF = '''
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {hostname}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtputf8_enable = yes
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_recipient_restrictions = {restrictions}
smtp_dns_support_level = disabled
smtp_host_lookup = native
disable_dns_lookups = yes
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
{extra}
'''

MASTER_CF = '''
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
local unix - n n - - local
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
'''


class Postfix:
    """start() ... stop(); Postfix runs as its own process tree."""

    def __init__(self, root, port, hostname, restrictions, extra):
        if os.geteuid() != 0:
            raise unittest.SkipTest('only root can start a Postfix')
        self.root = pathlib.Path(root)
        self.port = port
        self.config = self.root / 'etc'
        self.mail = self.root / 'mail'
        owner = pwd.getpwnam('postfix')
        for name in ('etc', 'queue', 'data', 'mail'):
            (self.root / name).mkdir(parents=True)
        os.chmod(self.root, 0o755)
        for parent in self.root.parents:
            if str(parent).startswith('/tmp/'):
                os.chmod(parent, 0o755)
        os.chown(self.root / 'data', owner.pw_uid, owner.pw_gid)
        shutil.chown(self.mail, 'nobody')
        (self.config / 'main.cf').write_text(MAIN_CF.format(
            root=self.root, hostname=hostname, restrictions=restrictions,
            extra=extra))
        (self.config / 'master.cf').write_text(MASTER_CF.format(port=port))
        self.process = None

    @classmethod
    def next_hop(cls, root, port, domain, users):
        """Takes mail for users of domain into one Maildir each."""
        uid = pwd.getpwnam('nobody').pw_uid
        lines = ''.join(f'{user}@{domain} {user}/\n' for user in users)
        root = pathlib.Path(root)
        hop = cls(root, port, f'hop.{domain}',
                  'reject_unlisted_recipient, permit_mynetworks, reject',
                  f'virtual_mailbox_domains = {domain}\n'
                  f'virtual_mailbox_base = {root}/mail\n'
                  f'virtual_mailbox_maps = texthash:{root}/etc/users\n'
                  f'virtual_uid_maps = static:{uid}\n'
                  f'virtual_gid_maps = static:{uid}\n'
                  'smtpd_reject_unlisted_recipient = yes\n'
                  'message_size_limit = 0\nvirtual_mailbox_limit = 0\n')
        (hop.config / 'users').write_text(lines)
        return hop

    @classmethod
    def client(cls, root, port, hostname, relay_port):
        """Sends everything to 127.0.0.1:relay_port."""
        return cls(root, port, hostname, 'permit_mynetworks, reject',
                   f'relayhost = [127.0.0.1]:{relay_port}\n'
                   f'smtp_helo_name = {hostname}\n'
                   'default_transport = smtp\nmessage_size_limit = 0\n')

    def start(self):
        subprocess.run(['postfix', '-c', self.config, 'set-permissions'],
                       capture_output=True, check=False)
        subprocess.run(['postfix', '-c', self.config, 'check'], check=False,
                       capture_output=True)
        environment = dict(os.environ, MAIL_CONFIG=str(self.config))
        self.process = subprocess.Popen(
            ['/usr/lib/postfix/sbin/master', '-c', self.config, '-d', '-s'],
            env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                with socket.create_connection(('127.0.0.1', self.port), 1):
                    return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError('Postfix does not start:\n' + self.log())

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log(self):
        path = self.root / 'maillog'
        return path.read_text() if path.exists() else '(no log)'

    def messages(self, user, wanted=1, seconds=15):
        """What arrived for a user, oldest first; waits for so many."""
        folder = self.mail / user / 'new'
        until = time.monotonic() + seconds
        while True:
            files = sorted(folder.glob('*')) if folder.is_dir() else []
            if len(files) >= wanted or time.monotonic() > until:
                return [path.read_bytes() for path in files]
            time.sleep(0.05)

    def queue(self):
        done = subprocess.run(['postqueue', '-c', self.config, '-j'],
                              capture_output=True, text=True)
        return done.stdout
