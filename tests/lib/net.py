# SPDX-License-Identifier: Apache-2.0
"""Ports, processes, and an SMTP client that sends exactly what it is told."""
import fcntl
import pathlib
import random
import socket
import ssl
import struct
import tempfile
import time

# In front of a command: the process does not outlive the tests.
DIES_WITH_US = ['setpriv', '--pdeathsig', 'TERM']


# Below the ports that the kernel gives to clients (ip_local_port_range): one of
# those may be taken between now and its use by any connection.
PORTS = range(11000, 32000)
_claims = []  # open and locked as long as this process lives


def _claim(port):
    """False: another process of the tests, or we, have it."""
    folder = pathlib.Path(tempfile.gettempdir()) / 'gatehouse-ports'
    folder.mkdir(exist_ok=True)
    claim = open(folder / str(port), 'w')
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _is_free(port):
    with socket.socket() as tcp, \
            socket.socket(type=socket.SOCK_DGRAM) as udp:
        # Connections of its last user that linger do not count.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(('127.0.0.1', port))
            udp.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def free_port():
    """A port that is free now, for TCP and UDP, and given to nobody else."""
    for port in random.sample(PORTS, len(PORTS)):
        if _claim(port) and _is_free(port):
            return port
    raise AssertionError('no port is free')


def wait_until(condition, seconds=10, what='it'):
    """The first true value of condition()."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f'waited {seconds} s for {what}')
        time.sleep(0.02)


def stuff(message):
    """As DATA sends it: dots doubled, the final dot behind."""
    if not message.endswith(b'\r\n'):
        message += b'\r\n'
    if message.startswith(b'.'):
        message = b'.' + message
    return message.replace(b'\r\n.', b'\r\n..') + b'.\r\n'


class Smtp:
    """A client: command() and reply() give a reply's whole text.

    xclient='ADDR=192.0.2.1' pretends another client; proxy is sent before
    anything else.
    """

    def __init__(self, port, helo='client.example', xclient=None, proxy=b'',
                 source='127.0.0.1', implicit_tls=False, seconds=15):
        self.socket = socket.create_connection(
            ('127.0.0.1', port), seconds, (source, 0))
        self.buffer = b''
        self.extensions = ''
        self.send(proxy)
        if implicit_tls:
            self.wrap()
        self.greeting = self.reply()
        if not self.greeting.startswith('220'):
            return
        if xclient:
            self.hello(helo)
            answer = self.command('XCLIENT ' + xclient)
            assert answer.startswith('220'), answer
        if helo:
            self.hello(helo)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def hello(self, helo):
        self.extensions = self.command('EHLO ' + helo)

    def send(self, octets):
        if octets:
            self.socket.sendall(octets)

    def line(self):
        """One line, without its end; '' when the connection has ended."""
        while b'\n' not in self.buffer:
            try:
                octets = self.socket.recv(65536)
            except ConnectionResetError:
                octets = b''
            if not octets:
                return ''
            self.buffer += octets
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line.decode('utf-8', 'replace').rstrip('\r')

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == '-':
            lines.append(self.line())
        return '\n'.join(lines)

    def command(self, text):
        self.send(text.encode() + b'\r\n')
        return self.reply()

    def data(self, message):
        answer = self.command('DATA')
        if not answer.startswith('354'):
            return answer
        self.send(stuff(message))
        return self.reply()

    def mail(self, sender, recipients, message, parameters=''):
        """The first refusal, or the reply to the message."""
        if isinstance(recipients, str):
            recipients = [recipients]
        commands = [f'MAIL FROM:<{sender}>{parameters}']
        commands += [f'RCPT TO:<{recipient}>' for recipient in recipients]
        for text in commands:
            answer = self.command(text)
            if not answer.startswith('2'):
                return answer
        return self.data(message)

    def wrap(self, certificate=None, key=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket)

    def starttls(self, helo='client.example', certificate=None, key=None):
        answer = self.command('STARTTLS')
        assert answer.startswith('220'), answer
        self.wrap(certificate, key)
        self.hello(helo)

    def is_closed(self):
        """Whether nothing more comes: waits for the end."""
        return self.buffer == b'' and self.line() == ''

    def reset(self):
        """Ends as a crashed client does: RST, no QUIT."""
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()
