# SPDX-License-Identifier: Apache-2.0
"""Messages, and who signs and seals them."""
import base64
import itertools

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SIGNED = [b'from', b'to', b'subject', b'date', b'message-id']
_numbers = itertools.count(1)


def message(sender='news@shop.example', to='user@agency.example',
            subject='This week', body='Hello.', fields='', message_id=None):
    """Bytes with CR LF; fields are lines that go on top; sender may be
    several lines of From, or None."""
    message_id = message_id or f'm{next(_numbers)}@test.example'
    text = fields
    if sender is not None:
        text += f'From: {sender}\n'
    text += (f'To: {to}\nSubject: {subject}\n'
             'Date: Mon, 04 Jan 2027 10:00:00 +0000\n'
             f'Message-ID: <{message_id}>\n'
             'MIME-Version: 1.0\n'
             'Content-Type: text/plain; charset=utf-8\n'
             f'\n{body}\n')
    return text.replace('\n', '\r\n').encode(errors='surrogateescape')


def field(octets, name):
    """The value of a field, unfolded; None without it."""
    values = fields(octets, name)
    return values[0] if values else None


def fields(octets, name):
    head = octets.split(b'\r\n\r\n', 1)[0].decode('utf-8', 'replace')
    unfolded = head.replace('\r\n\t', ' ').replace('\r\n ', ' ')
    return [line.split(':', 1)[1].strip() for line in unfolded.split('\r\n')
            if line.lower().startswith(name.lower() + ':')]


def message_id(octets):
    return field(octets, 'Message-ID').strip('<>')


class Signer:
    """A domain with a DKIM key; zone_line is for its zone."""

    def __init__(self, domain, selector='s1'):
        self.domain = domain
        self.selector = selector
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption())
        self.record = 'v=DKIM1; k=rsa; p=' + base64.b64encode(
            key.public_key().public_bytes(
                serialization.Encoding.DER,
                serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
        self.name = f'{selector}._domainkey.{domain}'
        strings = [self.record[i:i + 200]
                   for i in range(0, len(self.record), 200)]
        self.zone_line = f'{self.name}. TXT ' + ' '.join(
            f'"{text}"' for text in strings) + '\n'

    def sign(self, octets):
        return dkim.sign(
            octets, self.selector.encode(), self.domain.encode(),
            self.private, canonicalize=(b'relaxed', b'relaxed'),
            include_headers=SIGNED) + octets

    def seal(self, octets, results, signed=SIGNED):
        """An ARC set over a message whose results this domain notes."""
        noted = (f'Authentication-Results: {self.domain}; {results}\r\n'
                 .encode() + octets)
        return b''.join(dkim.arc_sign(
            noted, self.selector.encode(), self.domain.encode(),
            self.private, self.domain.encode(),
            include_headers=signed)) + noted

    def _find_key(self, name, timeout=5):
        return self.record.encode()

    def verifies(self, octets):
        """Whether this domain's signature still holds."""
        return dkim.verify(octets, dnsfunc=self._find_key)

    def seal_verifies(self, octets):
        """Whether this domain's ARC set still holds."""
        return dkim.arc_verify(octets, dnsfunc=self._find_key)[0] == b'pass'
