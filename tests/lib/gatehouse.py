# SPDX-License-Identifier: Apache-2.0
"""The gateway in a folder of its own: configuration, life, commands.

    gate = Gatehouse(folder, route=hop.route, zone='...')
    gate.start()
    gate.port, gate.ports['mx'], gate.log(), gate.explain(message_id)
    gate.stop()

Everything is set for tests: free ports, no limit that a loopback client would
run into.  changes are merged into the configuration; lists replace.
"""
import copy
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import yaml

import logline
from net import DIES_WITH_US, Smtp, free_port, wait_until


def binary():
    path = os.environ.get('GATEHOUSE_BINARY', 'build/src/cli/gatehouse')
    assert os.access(path, os.X_OK), f'GATEHOUSE_BINARY: {path}'
    return str(pathlib.Path(path).resolve())


def is_sanitized():
    """Built with a sanitizer, which keeps memory of its own and what was
    freed."""
    octets = pathlib.Path(binary()).read_bytes()
    return b'__asan_init' in octets or b'__tsan_init' in octets


class Plain(yaml.SafeDumper):
    """Writes what is there twice out twice: no anchors."""

    def ignore_aliases(self, data):
        return True


def merge(base, changes):
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = copy.deepcopy(value)
    return base


def listener(name='mx', role='mx', **more):
    """Its port is chosen here: it stands in gate.ports."""
    return dict({'name': name, 'role': role,
                 'address': f'127.0.0.1:{free_port()}'}, **more)


class Gatehouse:
    def __init__(self, folder, route='maildir:@/Maildir', zone='',
                 environment=None, **changes):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.admin_port = free_port()
        self.environment = dict(os.environ, **(environment or {}))
        self.environment.pop('NOTIFY_SOCKET', None)
        self.environment.update(environment or {})
        (self.folder / 'zone').write_text('$TTL 300\n' + zone)
        self.maildir = self.folder / 'Maildir'
        self.maildir.mkdir(exist_ok=True)
        self.config = merge({
            'hostname': 'mx1.agency.example',
            'user': '',
            'state_directory': str(self.folder / 'state'),
            'organization': {'accepted_domains': ['agency.example']},
            'listeners': [listener(xclient=['127.0.0.1'])],
            'routes': [{'domains': ['agency.example'],
                        'next_hop': route.replace('@', str(self.folder))}],
            'dns': {'zone': str(self.folder / 'zone'), 'trust_anchor': ''},
            'admin': {'address': f'127.0.0.1:{self.admin_port}'},
            'limits': {'connection_rate': 100000, 'message_rate': 100000,
                       'connections_per_network': 1000, 'tarpit_delay': 0,
                       'drain_timeout': '5s', 'dns_query_timeout': '2s',
                       'dns_time': '5s'},
        }, changes)
        (self.folder / 'state').mkdir(exist_ok=True)
        self.path = self.folder / 'gatehouse.yaml'
        self.write()
        self.process = None
        self.may_crash = False

    # Configuration.

    def write(self, **changes):
        merge(self.config, changes)
        self.path.write_text(yaml.dump(self.config, Dumper=Plain,
                                       sort_keys=False))
        self.ports = {
            one['name']: int(one['address'].rsplit(':', 1)[1])
            for one in self.config['listeners']
            if not one['address'].startswith('unix:')}
        self.port = next(iter(self.ports.values()), None)

    def own_by(self, user):
        for path in (self.folder / 'state', self.maildir):
            shutil.chown(path, user)

    # Life.

    def log(self):
        path = self.folder / 'log'
        return path.read_text(errors='replace') if path.exists() else ''

    def wait_for_log(self, text, seconds=10, after=0):
        """The line with it, behind so many characters."""
        def find():
            return next((line for line in self.log()[after:].split('\n')
                         if text in line), None)
        try:
            return wait_until(find, seconds, text)
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.log()}') from None

    def _is_up(self):
        assert self.process.poll() is None, self.log()
        return 'supervisor.ready' in self.log()[self._seen:]

    def launch(self, command=(), **more):
        self._seen = len(self.log())
        with (self.folder / 'log').open('a') as log:
            self.process = subprocess.Popen(
                DIES_WITH_US + list(command) +
                [binary(), 'serve', '-c', str(self.path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, **more)

    def start(self):
        self.launch()
        try:
            wait_until(self._is_up, 20, 'Gatehouse')
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.log()}') from None
        return self

    def reload(self):
        """SIGHUP; what was logged until its result was there."""
        seen = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: 'supervisor.reload result=' in self.log()[seen:],
                   10, 'the reload')
        return self.log()[seen:]

    def stop(self):
        """SIGTERM; it must end well, within the time to drain."""
        if not self.process:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError('it does not end:\n' + self.log()) from None
        assert code == 0, f'exit {code}:\n{self.log()}'
        self.check_log()

    def check_log(self):
        """No child ended on its own, and no sanitizer found anything."""
        log = self.log()
        signs = ['Sanitizer', 'runtime error:']
        if not self.may_crash:
            signs.append(' error supervisor.ended')
        for sign in signs:
            assert sign not in log, f'{sign} in the log:\n{log}'
        self._check_lines(log)

    def _check_lines(self, log):
        """As gatehouse-log(5) says; the last may have been cut by a kill."""
        if self.config.get('log', {}).get('format') == 'json':
            return
        known = logline.events()
        for line in log.split('\n')[:-1]:
            if line.startswith(('gatehouse: ', '==', 'Try: ')):
                continue
            wrong = logline.problem(line, known)
            assert not wrong, f'{wrong}: {line}'

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def children(self):
        """name -> pid of the children that run."""
        found = {}
        for path in pathlib.Path('/proc').glob('[0-9]*'):
            try:
                status = (path / 'stat').read_text().rsplit(')', 1)[1]
                words = (path / 'cmdline').read_bytes().split(b'\0')
            except OSError:
                continue
            if int(status.split()[1]) == self.process.pid and \
                    b'--child' in words:
                name = words[words.index(b'--child') + 1].decode()
                found[name] = int(path.name)
        return found

    # Talking to it.

    def client(self, ip=None, name='mx', **more):
        """A connection; ip is what XCLIENT pretends."""
        if ip:
            more['xclient'] = f'ADDR={ip} NAME=[UNAVAILABLE]'
        return Smtp(self.ports[name], **more)

    def mail(self, message, sender='news@shop.example',
             to='user@agency.example', ip=None, **more):
        """One message in a session of its own: the reply that counts."""
        with self.client(ip, **more) as client:
            return client.mail(sender, to, message)

    def delivered(self):
        """What is in the Maildir, with the line ends of the wire."""
        return [path.read_bytes().replace(b'\n', b'\r\n')
                for path in sorted((self.maildir / 'new').glob('*'))]

    def command(self, *args, octets=b''):
        return subprocess.run([binary(), *args], input=octets, timeout=60,
                              capture_output=True, env=self.environment)

    def run(self, *args, code=0, octets=b''):
        done = self.command(*args, octets=octets)
        assert done.returncode == code, (args, done)
        return done.stdout.decode()

    def run_measured(self, *args):
        """What it prints, and the most memory that it took.

        A process begins with the most of the one that started it: that has to
        be a small one.
        """
        small = ('import resource, subprocess, sys\n'
                 'code = subprocess.call(sys.argv[1:])\n'
                 'used = resource.getrusage(resource.RUSAGE_CHILDREN)\n'
                 'print(used.ru_maxrss, file=sys.stderr)\n'
                 'sys.exit(code)\n')
        done = subprocess.run(
            [sys.executable, '-ISc', small, binary(), *args, '-c',
             str(self.path)],
            timeout=60, capture_output=True, env=self.environment)
        assert done.returncode == 0, (args, done)
        return done.stdout.decode(), int(done.stderr.split()[-1]) << 10

    def json(self, *args):
        return json.loads(self.run(*args, '--json', '-c', str(self.path)))

    def explain(self, identity, delivery=False):
        """The trace; delivery waits until the next hop's is noted.

        One of a refusal at RCPT is there when the transaction has ended.
        """
        def find():
            done = self.command('explain', identity, '--json', '-c',
                                str(self.path))
            assert done.returncode in (0, 1), done
            trace = json.loads(done.stdout or b'null')
            return trace if trace and (not delivery or trace['delivery']) \
                else None
        return wait_until(find, 5, f'the trace of {identity}')

    def explain_reply(self, reply):
        """The trace of the transaction that a refusal names."""
        return self.explain(re.search(r'\(id ([\w-]+)\)', reply)[1])

    def quarantine(self):
        return self.json('quarantine', 'list')

    def http(self, path, seconds=10):
        """Status and text of the admin server, whose probe takes 5 seconds
        where the store is locked."""
        url = f'http://127.0.0.1:{self.admin_port}{path}'
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """name or name{label="value"} -> number."""
        status, text = self.http('/metrics')
        assert status == 200, text
        rows = [line.rsplit(' ', 1) for line in text.split('\n')
                if line and not line.startswith('#')]
        return {name: float(number) for name, number in rows}

    def metric(self, name, value, seconds=5):
        wait_until(lambda: self.metrics().get(name) == value, seconds,
                   f'{name} {value}, it is {self.metrics().get(name)}')
