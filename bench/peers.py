# SPDX-License-Identifier: Apache-2.0
"""Other programs that do the same work, to compare with.

OpenDKIM, OpenDMARC and rspamd are fetched from Debian and unpacked aside, never
installed; they run as nobody on loopback, with a configuration made for the
benchmark that leaves everything else out.  Postfix is the installed one.
"""
import os
import pathlib
import pwd
import shutil
import subprocess

from subject import (DIES_WITH_US, ROOT, STANDARD_ADDRESS, Failure, Server,
                     Subject, free_port, listens, wait_until)

from postfix import Postfix

PACKAGES = ROOT / 'bench/packages-peers.txt'
HOSTNAME = 'mx1.agency.example'
DOMAIN = 'agency.example'

OPENDKIM = '''
Mode v
Socket inet:{port}@127.0.0.1
AuthservID {hostname}
AlwaysAddARHeader yes
Nameservers {dns}
Syslog no
'''

OPENDMARC = '''
Socket inet:{port}@127.0.0.1
AuthservID {hostname}
TrustedAuthservIDs {hostname}
RejectFailures true
SPFIgnoreResults true
SPFSelfValidate true
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
Syslog false
'''

RSPAMD = '''
options {{
  filters = "dkim";
  dns {{ nameserver = ["{dns_address}:{dns_port}"]; }}
  url_tld = "{share}/effective_tld_names.dat";
  local_addrs = [];
  pidfile = "{folder}/pid";
  control_socket = "{folder}/control mode=0600";
  hs_cache_dir = "{cache}/";
  cache_file = "{folder}/symbols.cache";
  tempdir = "{folder}";
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}
actions {{ reject = 15; add_header = 6; }}
modules {{ path = "{share}/plugins/"; }}
spf {{ spf_cache_size = 2k; spf_cache_expire = 1d; }}
dkim {{ dkim_cache_size = 2k; dkim_cache_expire = 1d; }}
arc {{ sign_inbound = false; }}
dmarc {{ actions {{ reject = "reject"; quarantine = "add_header"; }} }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}";
  milter = yes;
  count = 2;
  timeout = 120s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
'''

POSTFIX = '''
relay_domains = agency.example
relay_transport = smtp:[127.0.0.1]:{sink}
message_size_limit = 0
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
{more}
'''


def fetch(folder):
    """Unpacks the packages, once; returns where."""
    root = folder / 'root'
    wanted = PACKAGES.read_text()
    made = folder / 'made'
    if made.exists() and made.read_text() == wanted:
        return root
    shutil.rmtree(folder, ignore_errors=True)
    root.mkdir(parents=True)
    names = [line for line in wanted.split('\n')
             if line and not line.startswith('#')]
    try:
        subprocess.run(['apt-get', 'download', '-qq', *names], cwd=folder,
                       check=True, capture_output=True, text=True)
        for package in sorted(folder.glob('*.deb')):
            subprocess.run(['dpkg', '-x', package, root], check=True)
            package.unlink()
    except FileNotFoundError as error:
        raise Failure(f'the peers are Debian packages: {error}') from None
    except subprocess.CalledProcessError as error:
        raise Failure(f'{" ".join(map(str, error.cmd))}:\n'
                      f'{error.stderr}') from None
    made.write_text(wanted)
    return root


def environment(root):
    libraries = [root / 'usr/lib/x86_64-linux-gnu', root / 'usr/lib',
                 root / 'usr/lib/rspamd']
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(map(str, libraries)))


class Unpacked(Subject):
    """Programs from the packages, each a filter with a port."""

    def __init__(self, folder, root, nsd):
        self.folder, self.root, self.nsd = folder, root, nsd
        self.folder.mkdir(parents=True)
        self.processes = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, 'nobody')
        try:
            self.begin()
            self.measure(type(self).__name__.lower(), *self.processes)
        except BaseException:
            self.end()
            raise

    def begin(self):
        raise NotImplementedError

    def write(self, name, text, **more):
        address, port = self.nsd.address.split('@')
        path = self.folder / name
        path.write_text(text.format(
            folder=self.folder, hostname=HOSTNAME, dns=self.nsd.address,
            dns_address=address, dns_port=port,
            share=self.root / 'usr/share/rspamd', **more))
        return path

    def launch(self, program, *arguments, resolver=None):
        """As nobody; resolver: what it finds as /etc/resolv.conf."""
        command = [*DIES_WITH_US]
        if os.geteuid() == 0:
            nobody = pwd.getpwnam('nobody')
            command += [f'--reuid={nobody.pw_uid}', f'--regid={nobody.pw_gid}',
                        '--clear-groups']
        command += [str(self.root / program), *map(str, arguments)]
        if resolver:
            command = ['unshare', '--mount', 'sh', '-c',
                       f'mount --bind {resolver} /etc/resolv.conf && '
                       'exec "$@"', 'sh', *command]
        log = (self.folder / 'output').open('a')
        self.processes.append(subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.folder, env=environment(self.root)))

    def wait_for(self, port):
        def ready():
            if self.processes[-1].poll() is not None:
                raise Failure(f'{self.processes[-1].args}: '
                              + (self.folder / 'output').read_text())
            return listens(port)
        wait_until(ready, 60, type(self).__name__)
        self.ports = (*self.ports, port)

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class OpenDkim(Unpacked):
    """DKIM alone: notes the result, refuses nothing."""

    def begin(self):
        port = free_port()
        self.launch('usr/sbin/opendkim', '-f', '-x',
                    self.write('opendkim.conf', OPENDKIM, port=port))
        self.wait_for(port)


class OpenDkimAndDmarc(OpenDkim):
    """And OpenDMARC behind it, which does SPF itself."""

    def begin(self):
        if os.geteuid() != 0:
            raise Failure('OpenDMARC asks the name servers of '
                          '/etc/resolv.conf: it needs root to have others')
        super().begin()
        port = free_port()
        resolver = self.write('resolv.conf',
                              f'nameserver {STANDARD_ADDRESS}\n')
        self.launch('usr/sbin/opendmarc', '-f', '-c',
                    self.write('opendmarc.conf', OPENDMARC, port=port),
                    resolver=resolver)
        self.wait_for(port)


class Rspamd(Unpacked):
    """Two workers that scan by themselves; SPF, DKIM, ARC and DMARC only."""

    def begin(self):
        port = free_port()
        share = self.root / 'usr/share/rspamd'
        cache = self.root.parent / 'rspamd-cache'   # 20 s to make it
        cache.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(cache, 'nobody')
        variables = {'SHAREDIR': share, 'LUALIBDIR': share / 'lualib',
                     'PLUGINSDIR': share / 'plugins',
                     'RULESDIR': share / 'rules', 'DBDIR': self.folder,
                     'RUNDIR': self.folder, 'LOGDIR': self.folder,
                     'CONFDIR': self.root / 'etc/rspamd',
                     'LOCAL_CONFDIR': self.folder}
        self.launch('usr/bin/rspamd', '-f', '-c',
                    self.write('rspamd.conf', RSPAMD, port=port, cache=cache),
                    *(f'--var={name}={value}'
                      for name, value in variables.items()))
        self.wait_for(port)


class PostfixRelay(Subject):
    """Takes a message into its queue, then sends it to the sink."""

    def __init__(self, folder, build, milters=(), proxy=False):
        if os.geteuid() != 0:
            raise Failure('only root can start a Postfix')
        self.milters = milters
        self.sink = Server(build, 'sink')
        more = 'smtpd_upstream_proxy_protocol = haproxy\n'
        self.client = 'proxy'
        if proxy:
            more += f'smtpd_proxy_filter = 127.0.0.1:{self.sink.port}\n'
        ports = [port for milter in milters for port in milter.ports]
        if ports:
            more += 'smtpd_milters = ' + ', '.join(
                f'inet:127.0.0.1:{port}' for port in ports) + '\n'
        port = free_port()
        self.postfix = Postfix(folder, port, HOSTNAME, 'permit', POSTFIX.format(
            sink=self.sink.port, more=more))
        try:
            self.postfix.start()
        except RuntimeError as error:
            raise Failure(str(error)) from None
        self.ports = (port,)
        self.measure('postfix', self.postfix.process,
                     *(process for milter in milters
                       for process in milter.processes))

    def end(self):
        self.postfix.stop()
        for milter in self.milters:
            milter.stop()
