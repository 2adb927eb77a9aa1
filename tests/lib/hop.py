# SPDX-License-Identifier: Apache-2.0
"""A next hop that follows a script, over TCP or a Unix socket.

    with Hop({'RCPT': '550 5.1.1 nobody here'}) as hop:
        route = hop.route        # "smtp:[127.0.0.1]:PORT"
        hop.messages             # what was taken: sender, recipients, octets
        hop.lines                # every command

The script's keys are verbs, 'connect' (the greeting) and '.' (the end of
data).  A value is a reply, a list of replies for one after the other (the
last one stays), or a function of the line.  '' closes the connection; an Act
does something else with it than to say a line.  An Act at 'content' is done
when the first kilobyte of a message is there.
"""
import collections
import contextlib
import os
import socket
import socketserver
import threading

Taken = collections.namedtuple('Taken', 'sender recipients octets')

USUAL = ('PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 0',
         'ENHANCEDSTATUSCODES')

DEFAULTS = {
    'connect': '220 hop.example ESMTP',
    'MAIL': '250 2.1.0 ok',
    'RCPT': '250 2.1.5 ok',
    'DATA': '354 go on',
    '.': '250 2.0.0 queued as 1',
    'RSET': '250 2.0.0 ok',
    'NOOP': '250 2.0.0 ok',
    'QUIT': '221 2.0.0 bye',
}


class Act(str):
    """does(handler) instead of a reply; text is what it counts as."""

    def __new__(cls, does, text=''):
        self = super().__new__(cls, text)
        self.does = does
        return self


def address_of(line):
    return line[line.index('<') + 1:line.index('>')]


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def say(self, text):
        if isinstance(text, Act):
            text.does(self)
            return
        if not text:
            raise ConnectionError
        self.wfile.write(text.encode().replace(b'\n', b'\r\n') + b'\r\n')

    def content(self):
        octets = bytearray()
        act = self.server.hop.script.get('content')
        while (line := self.rfile.readline()) != b'.\r\n':
            if not line:
                raise ConnectionError
            octets += line[1:] if line.startswith(b'.') else line
            if act is not None and len(octets) >= 1024:
                act.does(self)
                act = None
        return bytes(octets)

    def handle(self):
        hop = self.server.hop
        sender, recipients = '', []
        with hop._lock:
            hop.handlers.add(self)
        try:
            hop.note(self, 'connect')
            self.say(hop.answer('connect', ''))
            while raw := self.rfile.readline():
                line = raw.decode('utf-8').rstrip('\r\n')
                verb = line.split(' ')[0].upper()
                hop.note(self, line)
                answer = hop.answer(verb, line)
                if verb == 'MAIL':
                    sender, recipients = address_of(line), []
                elif verb == 'RCPT' and answer[:1] == '2':
                    recipients.append(address_of(line))
                self.say(answer)
                if verb == 'DATA' and answer[:3] == '354':
                    self.finish_data(sender, recipients)
                elif verb == 'QUIT':
                    return
        except (OSError, ValueError):
            pass
        finally:
            with hop._lock:
                hop.handlers.discard(self)

    def finish_data(self, sender, recipients):
        hop = self.server.hop
        taken = Taken(sender, tuple(recipients), self.content())
        for recipient in recipients if hop.lmtp else [None]:
            answer = hop.answer('.', recipient)
            if answer[:1] == '2':
                hop.take(taken)
            self.say(answer)


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Hop:
    def __init__(self, script=None, extensions=USUAL, port=0, path=None,
                 lmtp=False):
        self.script = dict(DEFAULTS, **(script or {}))
        self.script.setdefault(
            'LHLO' if lmtp else 'EHLO',
            '\n'.join(['250-hop.example'] +
                      [f'250-{word}' for word in extensions] + ['250 HELP']))
        self.usual = dict(DEFAULTS)
        for verb in ('EHLO', 'LHLO'):
            if verb in self.script:
                self.usual[verb] = self.script[verb]
        self.lmtp = lmtp
        self.messages = []
        self.lines = []
        self.connections = 0
        self.handlers = set()
        self._lock = threading.Lock()
        if path:
            self.server = UnixServer(str(path), Handler)
            os.chmod(path, 0o777)
            target = f'unix:{path}'
        else:
            self.server = TcpServer(('127.0.0.1', port), Handler)
            self.port = self.server.server_address[1]
            target = f'[127.0.0.1]:{self.port}'
        self.target = target
        self.route = ('lmtp:' if lmtp else 'smtp:') + target
        self.server.hop = self

    def answer(self, verb, line):
        with self._lock:
            answer = self.script.get(verb, '500 5.5.1 what?')
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(line) if callable(answer) else answer

    def note(self, handler, line):
        with self._lock:
            self.connections += line == 'connect'
            self.lines.append(line)

    def take(self, taken):
        with self._lock:
            self.messages.append(taken)

    def play(self, script):
        """Another script, on new connections alone."""
        with self._lock:
            self.script = dict(self.usual, **script)
            for handler in self.handlers:
                with contextlib.suppress(OSError):
                    handler.connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
