# SPDX-License-Identifier: Apache-2.0
"""What is measured: a server with its ports, its CPU time and its memory."""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'lib'))

from net import DIES_WITH_US, free_port, wait_until  # noqa: E402
from nsd import Nsd  # noqa: E402

from meter import Meter  # noqa: E402


class Failure(Exception):
    """A verdict was wrong, or a server does not run: no figures."""


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(('127.0.0.1', port)) == 0


class Server:
    """A program of bench/ that is told its port and counts messages."""

    def __init__(self, build, name):
        self.port = free_port()
        self.process = subprocess.Popen(
            DIES_WITH_US + [str(build / 'bench' / name), str(self.port)],
            stdout=subprocess.PIPE, text=True)
        wait_until(lambda: listens(self.port), what=name)

    @property
    def route(self):
        return f'smtp:[127.0.0.1]:{self.port}'

    def count(self):
        """How many messages it took until now."""
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())['messages']

    def stop(self):
        """How many messages and octets it took."""
        self.process.terminate()
        return json.loads(self.process.communicate(timeout=10)[0])


class Subject:
    """Started by its constructor, which sets the following."""

    ports = ()          # of the filters that see a message, or one of SMTP
    meter = None
    sink = None         # who takes what it passes on, and may say how many
    client = 'none'     # how it is told the client's address
    taken = 0           # what must have arrived at the sink

    def measure(self, name, *processes):
        self.meter = Meter(name, *(process.pid for process in processes))

    def passed_on(self, messages):
        """So many were accepted, and are waited for at the sink."""
        if not self.sink:
            return
        self.taken += messages
        wait_until(lambda: self.sink.count() >= self.taken, 60,
                   f'{self.taken} messages at the sink, which has '
                   f'{self.sink.count()}')

    def settle(self):
        """Until what comes after the last reply is done."""
        before = self.meter.cpu_seconds()
        for _ in range(20):
            time.sleep(0.2)
            now = self.meter.cpu_seconds()
            if now - before < 0.01:
                return
            before = now

    def stop(self):
        """Ends everything; Failure: the sink has not what it must have."""
        self.end()
        self.meter.close()
        if self.sink:
            has = self.sink.stop()['messages']
            if has != self.taken:
                raise Failure(f'{self.taken} messages were accepted, the '
                              f'next hop has {has}')

    def end(self):
        raise NotImplementedError


class Alone(Subject):
    """A server of bench/ by itself: what reading the messages costs."""

    def __init__(self, build, name):
        self.server = Server(build, name)
        self.ports = (self.server.port,)
        self.measure(name, self.server.process)

    def end(self):
        self.server.stop()


# For programs that can only ask the port 53 of a server in resolv.conf.
STANDARD_ADDRESS = '127.53.53.53'


def start_nsd(folder, zone, standard=False):
    """Our zone on a name server: forward names and reverse ones.

    standard: also at STANDARD_ADDRESS, which only root can do.
    """
    lines = [line for line in zone.split('\n') if not line.startswith('$')]
    reverse = [line for line in lines if '.in-addr.arpa.' in line]
    forward = [line for line in lines if line and line not in reverse]
    server = Nsd(folder, {'example': '\n'.join(forward) + '\n',
                          'in-addr.arpa': '\n'.join(reverse) + '\n'},
                 sign=False)
    if standard:
        config = server.folder / 'nsd.conf'
        config.write_text(config.read_text().replace(
            'server:', f'server:\n  ip-address: {STANDARD_ADDRESS}@53', 1))
    return server.start()
