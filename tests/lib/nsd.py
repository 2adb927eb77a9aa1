# SPDX-License-Identifier: Apache-2.0
"""A real name server with signed zones, in a folder of its own.

    with Nsd(folder, {'example': 'shop TXT "v=spf1 -all"\\n'}) as server:
        server.address          # "127.0.0.1@PORT"
        server.trust_anchor     # file for dns.trust_anchor
        server.change('example', 'p=reject', 'p=nonee')   # breaks a signature
        server.stop()
"""
import os
import pathlib
import signal
import socket
import subprocess

from net import DIES_WITH_US, free_port, wait_until

PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

CONFIG = '''
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  zonesdir: "{folder}"
  username: ""
  chroot: ""
  database: ""
  pidfile: ""
  xfrdfile: ""
  zonelistfile: "zone.list"
  logfile: "log"
  xfrdir: "{folder}"
  cookie-secret-file: ""
remote-control:
  control-enable: no
'''

ZONE = '''$ORIGIN {name}.
$TTL 300
@ SOA ns.{name}. hostmaster.{name}. 1 3600 600 86400 120
@ NS ns.{name}.
ns A 127.0.0.1
{text}'''


class Nsd:
    def __init__(self, folder, zones, sign=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.address = f'127.0.0.1@{self.port}'
        self.trust_anchor = self.folder / 'anchors'
        self.trust_anchor.write_text('')
        self.files = {}
        self.process = None
        config = CONFIG.format(port=self.port, folder=self.folder)
        for name, text in zones.items():
            (self.folder / name).write_text(ZONE.format(name=name, text=text))
            self.files[name] = self._sign(name) if sign else name
            config += (f'zone:\n  name: "{name}"\n'
                       f'  zonefile: "{self.files[name]}"\n')
        (self.folder / 'nsd.conf').write_text(config)

    def _run(self, *args):
        return subprocess.run(args, cwd=self.folder, check=True, text=True,
                              env={'PATH': PATH}, capture_output=True).stdout

    def _sign(self, name):
        key = self._run('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k',
                        name).strip()
        self._run('ldns-signzone', name, key)
        with self.trust_anchor.open('a') as anchors:
            anchors.write((self.folder / f'{key}.ds').read_text())
        return f'{name}.signed'

    def change(self, name, old, new):
        """Changes the signed file: before start()."""
        path = self.folder / self.files[name]
        text = path.read_text()
        assert old in text, (old, text)
        path.write_text(text.replace(old, new))

    def _listens(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 1):
                return True
        except OSError:
            assert self.process.poll() is None, self.log()
            return False

    def log(self):
        path = self.folder / 'log'
        return path.read_text() if path.exists() else '(nsd wrote no log)'

    def start(self):
        self.process = subprocess.Popen(
            DIES_WITH_US + ['nsd', '-d', '-c', 'nsd.conf'], cwd=self.folder,
            env={'PATH': PATH}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_until(self._listens, what='nsd')
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()
