# SPDX-License-Identifier: Apache-2.0
"""Messages for --growth: the same one with more and more of something.

A folder for each point, in the form that make-corpus writes; the domains of all
of them are in one zone.  Nothing is made twice.
"""
import base64
import hashlib
import pathlib
import random

import corpus

DOMAINS_MAX = 1500
SIZE = 4 << 10
FIELDS = 20             # of a message in which nothing else is asked for
NAMES = ('From', 'To', 'Subject', 'Date', 'Message-ID', 'MIME-Version',
         'Content-Type')


class Twin(corpus.Domain):
    """Another name, with records of its own, for a key that is there."""

    def __init__(self, original, number):
        self.__dict__.update(original.__dict__)
        self.name = f'twin{number}.example'
        self.helo = f'mail.{self.name}'
        self.ip = f'192.1.{number // 250}.{number % 250 + 1}'
        self.mx_ip = f'192.2.{number // 250}.{number % 250 + 1}'


def make_domains():
    originals, _ = corpus.messages(1, 1)
    return [Twin(originals[number % len(originals)], number)
            for number in range(DOMAINS_MAX)]


def make_body(rng, size):
    """An attachment's worth of base64 after a few lines."""
    octets = base64.encodebytes(rng.randbytes(max(30, size * 3 // 4)))
    octets = octets.replace(b'\n', b'\r\n')[:max(64, size - 30)]
    return (b'An attachment follows.\r\n\r\n'
            + octets.rstrip(b'\r\n') + b'\r\n')


class Message:
    """Signed by the first signers; what is not given is as in any mail."""

    def __init__(self, rng, number, domains, size=SIZE, recipients=1,
                 signatures=1, fields=FIELDS, person=''):
        domain = domains[0]
        self.domain = domain
        self.sender = f'sender{person}@{domain.name}'
        self.recipients = [f'user{n}@{corpus.RECIPIENT_DOMAIN}'
                           for n in range(recipients)]
        if person:
            self.recipients = [f'user{person}@{corpus.RECIPIENT_DOMAIN}']
        values = {
            'From': f'<{self.sender}>',
            'To': f'<{self.recipients[0]}>',
            'Subject': corpus.sentence(rng).strip(),
            'Date': corpus.DATE.format(number // 60 % 60, number % 60),
            'Message-ID': f'<{number}.{rng.getrandbits(64):x}@{domain.name}>',
            'MIME-Version': '1.0',
            'Content-Type': 'text/plain; charset=utf-8',
        }
        lines = [f'{name}: {values[name]}\r\n' for name in NAMES]
        lines += [f'X-Filler-{n}: {corpus.sentence(rng).strip()[:60]}\r\n'
                  for n in range(fields - len(lines) - signatures)]
        header = len(''.join(lines)) + 600 * signatures
        body = make_body(rng, size - header)
        sealed = [corpus.signature(signer, False, values, body)
                  for signer in domains[:signatures]]
        self.octets = ''.join(sealed + lines).encode() + b'\r\n' + body


def write(folder, messages):
    """Like make-corpus, without what every message has in common."""
    folder.mkdir(parents=True)
    offset = 0
    with (folder / 'messages').open('wb') as octets, \
            (folder / 'index').open('w') as index:
        for one in messages:
            octets.write(one.octets)
            print(offset, len(one.octets), 'any', 'accept', 'rsa',
                  one.domain.ip, one.domain.helo,
                  one.sender, ','.join(one.recipients),
                  sep='\t', file=index)
            offset += len(one.octets)


def point(domains, dimension, x):
    """The messages of one point."""
    rng = random.Random(f'{dimension} {x}')
    if dimension == 'domains':
        return [Message(rng, number, [domain])
                for number, domain in enumerate(domains[:x])]
    if dimension == 'traces':   # nothing of them is in the store already
        return [Message(rng, number, [domains[number % len(domains)]],
                        person=rng.randrange(1, 5000))
                for number in range(3000)]
    more = {} if dimension == 'connections' else {dimension: x}
    return [Message(rng, number, domains[number:] + domains[:number], **more)
            for number in range(1 if x > 4 << 20 else 10)]


def make(folder, points):
    """points: (dimension, x).  Returns the zone of all their domains."""
    sources = b''.join(pathlib.Path(module.__file__).read_bytes()
                       for module in (corpus,)) \
        + pathlib.Path(__file__).read_bytes()
    wanted = hashlib.sha256(sources).hexdigest() + '\n'
    zone = folder / 'zone'
    folder.mkdir(parents=True, exist_ok=True)
    domains = None
    for dimension, x in points:
        made = folder / f'{dimension}-{x}' / 'made'
        if made.exists() and made.read_text() == wanted:
            continue
        domains = domains or make_domains()
        remove(made.parent)
        write(made.parent, point(domains, dimension, x))
        made.write_text(wanted)
    if domains:
        zone.write_text('$TTL 3600\n' + ''.join(
            domain.zone() for domain in domains))
    return zone.read_text()


def remove(folder):
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
