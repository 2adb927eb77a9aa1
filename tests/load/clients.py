# SPDX-License-Identifier: Apache-2.0
"""Hostile and honest clients, in processes of their own.

Loopback has 127.0.0.0/8, so a botnet is many networks of it: network 10 is
127.10.0.0/24, 11 is 127.10.1.0/24 and so on, 100 addresses of each.
"""
import collections
import contextlib
import multiprocessing
import select
import signal
import socket
import ssl
import time
import traceback

from mail import message
from net import stuff

PER_NETWORK = 100
processes = multiprocessing.get_context('fork')


def address(number, first=10):
    """Of the client with this number; first: of its networks."""
    network = number // PER_NETWORK
    return (f'127.{first + network // 250}.{network % 250}.'
            f'{1 + number % PER_NETWORK}')


class Line:
    """A connection that sends what it is told, and reads replies."""

    def __init__(self, port, source, seconds=60, small=False):
        """small: of what it does not read, the kernels keep little."""
        self.socket = socket.socket()
        self.socket.settimeout(seconds)
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self.socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.bind((source, 0))
        self.socket.connect(('127.0.0.1', port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b''

    def send(self, octets):
        self.socket.sendall(octets)

    def reply(self):
        """Its last line; '' at the end."""
        while True:
            line, found, rest = self.buffer.partition(b'\n')
            if found:
                self.buffer = rest
                if line[3:4] != b'-':
                    return line.decode('utf-8', 'replace').rstrip('\r')
                continue
            try:
                octets = self.socket.recv(65536)
            except ConnectionError:
                octets = b''
            if not octets:
                return ''
            self.buffer += octets

    def ask(self, text):
        self.send(text.encode() + b'\r\n')
        return self.reply()

    def wrap(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def close(self):
        self.socket.close()


def in_process(pipe, function, args):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        function(pipe, *args)
    except EOFError:
        pass
    except Exception:
        pipe.send(RuntimeError(traceback.format_exc()))


class Helper:
    """A process that runs function(pipe, *args)."""

    def __init__(self, function, *args):
        self.pipe, theirs = processes.Pipe()
        self.process = processes.Process(
            target=in_process, args=(theirs, function, args), daemon=True)
        self.process.start()
        theirs.close()

    def tell(self, *words):
        self.pipe.send(words)

    def hear(self):
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def all_of(function, arguments):
    """function(*args) for each args, each in a process; their results."""
    def run(pipe, *args):
        pipe.send(function(*args))

    helpers = [Helper(run, *args) for args in arguments]
    try:
        return [helper.hear() for helper in helpers]
    finally:
        for helper in helpers:
            helper.end()


# Where in a session a client stops or slows down: what it says until then,
# the octets that it goes on with if it drips, and those that it begins with if
# it stops.
Phase = collections.namedtuple('Phase', 'steps drip listener half',
                               defaults=('mx', b''))
ENVELOPE = ['EHLO c.example', 'MAIL FROM:<news@shop.example>',
            'RCPT TO:<user@agency.example>']
HELLO = b'\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03' + b'x' * 200
PHASES = {
    'idle': Phase(['EHLO c.example'], b''),
    'idle, TLS': Phase(['EHLO c.example', 'STARTTLS', 'tls',
                        'EHLO c.example'], b''),
    'greeting': Phase([], b''),
    'EHLO': Phase([], b'EHLO ' + b'c' * 300),
    'MAIL': Phase(ENVELOPE[:1], b'MAIL FROM:<' + b'c' * 300),
    'RCPT': Phase(ENVELOPE[:2], b'RCPT TO:<' + b'c' * 300),
    'DATA': Phase(ENVELOPE, b'DATA' + b' ' * 300),
    'content': Phase(ENVELOPE + ['DATA'], b'x' * 300),
    'chunk': Phase(ENVELOPE + ['BDAT 1000000 LAST?'], b'x' * 300),
    'STARTTLS': Phase(['EHLO c.example', 'STARTTLS'], HELLO),
    'AUTH': Phase(['EHLO c.example', 'STARTTLS', 'tls', 'EHLO c.example',
                   'AUTH LOGIN'], b'QUJD' * 80, 'submission'),
    'implicit TLS': Phase(['no greeting'], HELLO, 'smtps'),
    'half a message': Phase(ENVELOPE + ['DATA'], b'',
                            half=b'Subject: x\r\n\r\nhalf a'),
    'half a chunk': Phase(ENVELOPE + ['BDAT 1000000 LAST?'], b'',
                          half=b'Subject: x\r\n\r\nhalf a'),
    'half a ClientHello': Phase(['EHLO c.example', 'STARTTLS'], b'',
                                half=HELLO[:100]),
    'replies not read': Phase(ENVELOPE, b'', half=b'BDAT 1\r\nx' * 3000),
}


def enter(line, phase):
    """Brings a connection there; the refusal, if it does not get there."""
    if phase.steps[:1] == ['no greeting']:
        return ''
    reply = line.reply()
    if reply[:3] != '220':
        return reply or 'closed'
    for step in phase.steps:
        if step == 'tls':
            line.wrap()
            continue
        if step.endswith('?'):
            line.send(step[:-1].encode() + b'\r\n')
            continue
        reply = line.ask(step)
        if reply[:1] not in '23':
            return reply or 'closed'
    line.send(phase.half)
    return ''


def hold(lines, drip, seconds, pause):
    """One octet of drip each pause, until all are closed or time is up:
    [(second when it ended, what it said last)]."""
    poll = select.poll()
    by_fd = {line.socket.fileno(): line for line in lines}
    for fd, line in by_fd.items():
        line.socket.setblocking(False)
        poll.register(fd, select.POLLIN)
    started = next_drip = time.monotonic()
    position, ended, said = 0, [], {}
    while by_fd and time.monotonic() < started + seconds:
        now = time.monotonic()
        if drip and now >= next_drip:
            octet = drip[position % len(drip):][:1]
            position += 1
            next_drip += pause
            for line in by_fd.values():
                with contextlib.suppress(OSError):
                    line.socket.send(octet)
        wait = max(0.01, min(next_drip - now if drip else 1, 1))
        for fd, _ in poll.poll(wait * 1000):
            try:
                octets = by_fd[fd].socket.recv(4096)
            except ssl.SSLWantReadError:
                continue
            except OSError:
                octets = b''
            if octets:
                said[fd] = octets.decode('latin-1')
                continue
            poll.unregister(fd)
            by_fd.pop(fd).close()
            ended.append((time.monotonic() - started, said.get(fd, '')))
    return ended


def crowd_member(pipe, port, numbers, phase, first):
    lines, refusals = [], collections.Counter()
    for number in numbers:
        line = Line(port, address(number, first), small=bool(phase.half))
        refusal = enter(line, phase)
        if refusal:
            refusals[refusal] += 1
            line.close()
        else:
            lines.append(line)
    pipe.send((len(lines), refusals))
    while True:
        word, *args = pipe.recv()
        if word == 'hold':
            pipe.send(hold(lines, phase.drip, *args))
        elif word == 'alive':
            for line in lines:
                line.socket.setblocking(True)
            pipe.send(sum(line.ask('NOOP')[:3] == '250' for line in lines))
        elif word == 'close':
            for line in lines:
                line.close()
            pipe.send(None)


class Crowd:
    """count connections, all in one phase; end() closes them."""

    def __init__(self, ports, count, phase, helpers=4, first=10):
        phase = PHASES[phase]
        helpers = min(helpers, count)
        parts = [range(count * i // helpers, count * (i + 1) // helpers)
                 for i in range(helpers)]
        started = time.monotonic()
        self.helpers = [Helper(crowd_member, ports[phase.listener], part,
                               phase, first) for part in parts]
        self.refusals = collections.Counter()
        self.count = 0
        for helper in self.helpers:
            count, refusals = helper.hear()
            self.count += count
            self.refusals += refusals
        self.seconds = time.monotonic() - started

    def _ask(self, *words):
        for helper in self.helpers:
            helper.tell(*words)
        return [helper.hear() for helper in self.helpers]

    def alive(self):
        return sum(self._ask('alive'))

    def start_hold(self, seconds, pause=1):
        for helper in self.helpers:
            helper.tell('hold', seconds, pause)

    def held(self):
        """Of all that ended: (second, last words)."""
        return sum((helper.hear() for helper in self.helpers), [])

    def end(self):
        for helper in self.helpers:
            helper.end()


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)] \
        if values else 0


# Of an honest client: how long its messages took, and the other replies.
Traffic = collections.namedtuple('Traffic', 'p50_ms p99_ms sent failed')


def send_honestly(pipe, port, pause):
    octets = stuff(message(body=('0123456789' * 7 + '\n') * 55))
    taken, failed, number = [], [], 0
    while not pipe.poll():
        # Of ten networks in turn: below the rate that one of them may have.
        source, number = f'127.2.{number % 10}.1', number + 1
        started = time.monotonic()
        try:
            line = Line(port, source, 30)
            reply = line.reply()
            for step in ENVELOPE + ['DATA']:
                if reply[:1] == '2':
                    reply = line.ask(step)
            if reply[:3] == '354':
                line.send(octets)
                reply = line.reply()
            line.close()
        except OSError as error:
            reply = str(error)
        taken.append((time.monotonic() - started) * 1000)
        if reply[:3] != '250':
            failed.append(reply)
        time.sleep(max(0, pause - (time.monotonic() - started)))
    pipe.send(Traffic(percentile(taken, 50), percentile(taken, 99),
                      len(taken), failed))


class Honest:
    """Mail of honest senders meanwhile: 4 KB each, connection by connection."""

    def __init__(self, port, pause=0.02):
        self.helper = Helper(send_honestly, port, pause)

    def end(self):
        self.helper.tell('end')
        traffic = self.helper.hear()
        self.helper.end()
        return traffic
