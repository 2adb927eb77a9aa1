# SPDX-License-Identifier: Apache-2.0
"""A Sendmail of its own, in a folder of its own.

Debian's package conflicts with Postfix, so it is never installed: its parts
are fetched with apt and unpacked beside the build, once.

    root = unpack(build)                      # Missing: says why not
    mta = Sendmail(root, folder, port, hop_port, milter='inet:8893@127.0.0.1')
    mta.start() ... mta.stop()

Every message that is accepted goes to 127.0.0.1:hop_port.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess

from net import DIES_WITH_US, Smtp, wait_until

PACKAGES = ('sendmail-bin', 'sendmail-cf', 'libnsl2', 'libtirpc3', 'libwrap0',
            'liblockfile1')


class Missing(Exception):
    """It cannot be had here; the text says why."""


def _fetch(folder):
    downloads = folder / 'packages'
    downloads.mkdir(parents=True)
    try:
        done = subprocess.run(['apt-get', 'download', '-q', *PACKAGES],
                              cwd=downloads, capture_output=True, text=True,
                              timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f'apt-get download: {error}') from None
    if done.returncode:
        raise Missing('apt-get download: ' + done.stderr.strip()[-300:])
    for package in downloads.glob('*.deb'):
        subprocess.run(['dpkg-deb', '-x', package, folder], check=True)
    shutil.rmtree(downloads)
    # With the set-group-ID bit the loader would not look for libraries there.
    os.chmod(folder / 'usr/libexec/sendmail/sendmail', 0o755)


def unpack(build):
    """The folder of an unpacked Sendmail below the build's folder."""
    if os.geteuid() != 0:
        raise Missing('only root can run a Sendmail')
    if not shutil.which('m4'):
        raise Missing('no m4')
    if subprocess.run(['unshare', '--uts', '--mount', 'true'],
                      capture_output=True).returncode:
        raise Missing('no mount namespace')
    root = pathlib.Path(build).resolve() / 'peers' / 'sendmail'
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            fresh = root.parent / 'sendmail.new'
            shutil.rmtree(fresh, ignore_errors=True)
            _fetch(fresh)
            fresh.rename(root)
    return root


SENDMAIL_MC = '''divert(-1)
define(`_CF_DIR_', `{root}/usr/share/sendmail/cf/')
include(`{root}/usr/share/sendmail/cf/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.agency.example')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/switch')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confTO_IDENT', `0')dnl
define(`confTO_ICONNECT', `5s')dnl
define(`confMIN_FREE_BLOCKS', `0')dnl
define(`confMAX_MESSAGE_SIZE', `0')dnl
define(`confLOG_LEVEL', `14')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {hop_port}')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`access_db', `hash -o {folder}/none')dnl
RELAY_DOMAIN(`agency.example')dnl
DAEMON_OPTIONS(`Name=MTA, Port={port}, Addr=127.0.0.1')dnl
INPUT_MAIL_FILTER(`gatehouse', `S={milter}, F=T{timeouts}')dnl
{more}
MAILER(`smtp')dnl
'''


ISOLATE = '''
hostname mx.agency.example
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
shift
exec "$@"
'''


class Sendmail:
    def __init__(self, root, folder, port, hop_port, milter,
                 timeouts='C:5s;S:10s;R:20s;E:1m', more='', hosts=''):
        self.root = root
        self.folder = pathlib.Path(folder)
        self.port = port
        self.process = None
        (self.folder / 'queue').mkdir(parents=True)
        os.chmod(self.folder / 'queue', 0o700)
        os.chmod(self.folder, 0o755)
        (self.folder / 'switch').write_text('hosts files\naliases files\n')
        (self.folder / 'nsswitch.conf').write_text('hosts: files\n')
        (self.folder / 'hosts').write_text('127.0.0.1 localhost\n' + hosts)
        self.config = self.folder / 'sendmail.cf'
        self.environment = dict(
            os.environ,
            LD_LIBRARY_PATH=f'{root}/usr/lib/x86_64-linux-gnu:'
                            f'{root}/lib/x86_64-linux-gnu')
        source = SENDMAIL_MC.format(
            root=root, folder=self.folder, port=port, hop_port=hop_port,
            milter=milter, timeouts=', T=' + timeouts if timeouts else '',
            more=more)
        (self.folder / 'sendmail.mc').write_text(source)
        done = subprocess.run(['m4', self.folder / 'sendmail.mc'],
                              capture_output=True, text=True, check=True)
        self.config.write_text(done.stdout)

    def command(self, *args):
        """In namespaces of its own: the machine has another name, and names
        are looked up in our file only."""
        return ['unshare', '--uts', '--mount', 'sh', '-ec', ISOLATE, 'sh',
                str(self.folder), str(self.root / 'usr/libexec/sendmail'
                                      '/sendmail'), f'-C{self.config}', *args]

    def start(self):
        """In the foreground; what it would tell syslog goes to a file."""
        with (self.folder / 'output').open('a') as output:
            self.process = subprocess.Popen(
                DIES_WITH_US + self.command(
                    '-bD', '-X', str(self.folder / 'traffic')),
                env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output)

        def is_up():
            assert self.process.poll() is None, self.output()
            try:
                with Smtp(self.port, helo=None):
                    return True
            except OSError:
                return False
        wait_until(is_up, 20, 'Sendmail')
        return self

    def stop(self):
        """The daemon's own children end with their connections."""
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def output(self):
        path = self.folder / 'output'
        return path.read_text(errors='replace') if path.exists() else ''

    def run(self, *args):
        done = subprocess.run(self.command(*args), capture_output=True,
                              text=True, env=self.environment, timeout=30)
        return done.stdout

    def quarantined(self):
        """What the administrator sees of the quarantine."""
        return self.run('-bp', '-qQ')

    def queued(self):
        """Names of queue files: qf, df, hf (quarantined)..."""
        return sorted(path.name for path in (self.folder / 'queue').iterdir()
                      if path.name[:2] in ('qf', 'df', 'hf', 'Qf'))
