# SPDX-License-Identifier: Apache-2.0
"""The gateway that is attacked, with the limits of production, and its next
hop; what they use."""
import contextlib
import pathlib
import re
import resource
import shutil
import socket
import tempfile
import threading

from certificates import Authority
from clients import Helper
from gatehouse import Gatehouse, listener

# As base/limits.c has them, where Gatehouse() is more generous.
PRODUCTION = {'connection_rate': 600, 'message_rate': 1200,
              'connections_per_network': 100, 'tarpit_delay': '1s'}
ZONE = '''
shop.example.         TXT "v=spf1 ip4:127.0.0.0/8 -all"
_dmarc.shop.example.  TXT "v=DMARC1; p=reject"
agency.example.       TXT "v=spf1 -all"
'''
END = b'\r\n.\r\n'


def take_content(connection, rest):
    """Until the final dot; memory is bounded.  Its size."""
    tail, size = b'\r\n' + rest, len(rest)
    while not tail.endswith(END):
        octets = connection.recv(1 << 20)
        if not octets:
            raise ConnectionError
        size += len(octets)
        tail = (tail + octets)[-len(END):]
    return size


def serve_hop(connection, taken):
    buffer = b''
    with connection, contextlib.suppress(OSError):
        connection.sendall(b'220 hop.example\r\n')
        while True:
            while b'\n' not in buffer:
                octets = connection.recv(65536)
                if not octets:
                    return
                buffer += octets
            line, buffer = buffer.split(b'\n', 1)
            verb = line[:4].upper()
            if verb == b'EHLO':
                reply = b'250-hop\r\n250-PIPELINING\r\n250 8BITMIME'
            elif verb == b'RCPT' and b'nobody' in line:
                reply = b'550 5.1.1 nobody here'
            elif verb == b'DATA':
                connection.sendall(b'354 go on\r\n')
                taken.append(take_content(connection, buffer))
                buffer = b''
                reply = b'250 2.0.0 taken'
            else:
                reply = b'221 bye' if verb == b'QUIT' else b'250 ok'
            connection.sendall(reply + b'\r\n')


def run_hop(pipe):
    """A next hop that keeps the sizes; recipients with "nobody" are refused.
    """
    taken = []
    listening = socket.create_server(('127.0.0.1', 0), backlog=1000)
    pipe.send(listening.getsockname()[1])

    def accept():
        while True:
            connection = listening.accept()[0]
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve_hop, daemon=True,
                             args=(connection, taken)).start()

    threading.Thread(target=accept, daemon=True).start()
    while pipe.recv():
        pipe.send(list(taken))


def descriptors():
    """As many as this process and its children may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


class Place:
    """One gateway: with Place(limits={...}) as place: ..."""

    def __init__(self, **changes):
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix='gatehouse-load-', dir='/tmp'))
        self.hop = Helper(run_hop)
        certificate, key = Authority(self.folder / 'ca').issue(
            'mx1.agency.example')
        tls = {'certificate': certificate, 'key': key}
        limits = {**PRODUCTION, **changes.pop('limits', {})}
        self.gate = Gatehouse(
            self.folder / 'gate', zone=ZONE, limits=limits,
            route=f'smtp:[127.0.0.1]:{self.hop.hear()}', listeners=[
                listener(tls=tls),
                listener('smtps', 'mx', tls=tls, implicit_tls=True),
                listener('submission', 'submission', tls=tls)], **changes)

    def __enter__(self):
        descriptors()
        self.gate.start()
        self.ports = self.gate.ports
        self.pid = self.gate.children()['smtp']
        return self

    def __exit__(self, kind, *_):
        try:
            if kind:
                self.gate.kill()
            else:
                self.gate.stop()
        finally:
            self.hop.end()
            shutil.rmtree(self.folder)

    def taken(self):
        """Sizes of the messages that the next hop has."""
        self.hop.tell('taken')
        return self.hop.hear()

    # What the tree uses.

    def _sum(self, file, name):
        total = 0
        for pid in [self.gate.process.pid, *self.gate.children().values()]:
            text = pathlib.Path(f'/proc/{pid}/{file}').read_text()
            total += sum(int(number) for number in re.findall(
                rf'^{name}:\s*(\d+) kB', text, re.M))
        return total

    def private_kib(self):
        return self._sum('smaps_rollup', 'Private_(?:Clean|Dirty)')

    def peak_mib(self):
        """Each process at its largest, shared pages counted in each."""
        return self._sum('status', 'VmHWM') / 1024

    def threads(self):
        text = pathlib.Path(f'/proc/{self.pid}/status').read_text()
        return int(re.search(r'^Threads:\s*(\d+)', text, re.M)[1])

    def cpu_seconds(self):
        words = pathlib.Path(f'/proc/{self.pid}/stat').read_text() \
            .rsplit(')', 1)[1].split()
        return (int(words[11]) + int(words[12])) / 100
