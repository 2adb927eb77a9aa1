# SPDX-License-Identifier: Apache-2.0
"""An MTA's side of the milter protocol, as plain as it gets.

    with Milter(port, ip='192.0.2.10') as mta:
        answer = mta.mail(octets, 'news@shop.example', 'user@agency.example')
        answer.word      # 'accept', 'reject', 'tempfail', 'discard', 'hold'
        answer.text      # the reply's text; '' without one
        answer.edits     # how many header changes were asked for

Every command waits for its answer: no step is left out.  An answer that ends
the message early is its answer.  OSError: the connection has ended.
"""
import collections
import socket
import struct

Answer = collections.namedtuple('Answer', 'word text edits')
FINAL = {'c': 'accept', 'a': 'accept', 'r': 'reject', 't': 'tempfail',
         'd': 'discard'}


class Milter:
    def __init__(self, port, ip='192.0.2.10', helo='mail.shop.example',
                 family='4', seconds=15):
        """family 'L' has a path, 'U' nothing in the place of the address."""
        self.socket = socket.create_connection(('127.0.0.1', port), seconds)
        self.file = self.socket.makefile('rb')
        self.send('O', struct.pack('!III', 6, 0x1ff, 0))
        letter, _ = self.receive()
        assert letter == 'O', letter
        address = struct.pack('!H', 25) + ip.encode() + b'\0'
        self.ask('C', helo.encode() + b'\0' + family.encode() +
                 (address if family != 'U' else b''))
        self.ask('H', helo.encode() + b'\0')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, letter, octets=b''):
        self.socket.sendall(struct.pack('!I', len(octets) + 1) +
                            letter.encode() + octets)

    def receive(self):
        head = self.file.read(5)
        if len(head) < 5:
            raise ConnectionError('the milter has closed the connection')
        length, letter = struct.unpack('!Ic', head)
        octets = self.file.read(length - 1)
        if len(octets) < length - 1:
            raise ConnectionError('a packet is cut short')
        return letter.decode(), octets

    def ask(self, letter, octets=b''):
        """None: go on; else the answer that ends the message."""
        self.send(letter, octets)
        edits, holds = 0, False
        while True:
            letter, octets = self.receive()
            if letter == 'p':
                continue
            if letter in 'himb+-e':
                edits += 1
            elif letter == 'q':
                holds = True
            elif letter == 'y':
                text = octets.rstrip(b'\0').decode()
                return Answer('tempfail' if text[0] == '4' else 'reject',
                              text, edits)
            else:
                word = 'hold' if holds else FINAL[letter]
                return None if letter == 'c' and not (edits or holds) else \
                    Answer(word, '', edits)

    def mail(self, octets, sender, *recipients):
        head, body = octets.split(b'\r\n\r\n', 1)
        steps = [('M', f'<{sender}>\0'.encode())]
        steps += [('R', f'<{to}>\0'.encode()) for to in recipients]
        for line in head.replace(b'\r\n ', b'\n ').replace(
                b'\r\n\t', b'\n\t').split(b'\r\n'):
            name, value = line.split(b':', 1)
            steps.append(('L', name + b'\0' + value.removeprefix(b' ') +
                          b'\0'))
        steps.append(('N', b''))
        steps += [('B', body[i:i + 65535])
                  for i in range(0, len(body), 65535)]
        for letter, octets in steps:
            answer = self.ask(letter, octets)
            if answer:
                return answer
        return self.ask('E') or Answer('accept', '', 0)
