# SPDX-License-Identifier: Apache-2.0
"""What the messages of the benchmark are made of, from one seed.

The same seed gives the same octets: domains, keys, texts, signatures.
"""
import base64
import hashlib
import random
import re

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

DOMAINS = 50
RSA_DOMAINS = 35        # of them: 70 %
RECIPIENT_DOMAIN = 'agency.example'
DATE = 'Mon, 06 Jan 2025 09:{:02}:{:02} +0000'
SIGNED_AT = 1736154000

# name, share of the mix in percent
CLASSES = (('4k', 60), ('30k', 25), ('200k', 12), ('2m', 3))
SPOOFED = 20            # percent

WORDS = '''the of and to in is that for it as was with be by on not he his but
at are this have from or had an they which you were all her she there would
their we him been has when who will more no if out so said what up its about
into than them can only other new some could time these two may then do first
any my now such like our over man me even most made after also did many before
must through back years where much your way well down should because each just
those people how too little state good very make world still own see men work
long get here between both life being under never day same another know while
last might us great old year off come since against go came right used take
report meeting invoice agenda minutes project budget contract delivery schedule
attachment signature department regional quarterly estimate approval draft
procurement assessment evaluation correspondence committee secretary'''.split()


# Keys.

SMALL_PRIMES = [n for n in range(3, 2000, 2)
                if all(n % d for d in range(3, int(n ** .5) + 1, 2))]


def is_prime(rng, n):
    if any(n % p == 0 for p in SMALL_PRIMES):
        return False
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(8):
        x = pow(rng.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(rng, bits):
    while True:
        n = rng.getrandbits(bits) | 3 << (bits - 2) | 1
        if (n - 1) % 65537 and is_prime(rng, n):
            return n


def rsa_key(rng, bits=2048):
    p, q = prime(rng, bits // 2), prime(rng, bits // 2)
    e, n = 65537, p * q
    d = pow(e, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(e, n)).private_key()


class Domain:
    """A sender: a key, and SPF in one of four ways."""

    def __init__(self, rng, number):
        self.name = f'sender{number:02}.example'
        self.ip = f'192.0.2.{number + 10}'
        self.mx_ip = f'198.51.100.{number + 10}'
        self.spf = ('ip4', 'include', 'a mx', 'redirect')[number % 4]
        self.selector = f's{number:02}'
        self.is_rsa = number < RSA_DOMAINS
        self.helo = f'mail.{self.name}'
        if self.is_rsa:
            self.key = rsa_key(rng)
            public = self.key.public_key().public_bytes(
                serialization.Encoding.DER,
                serialization.PublicFormat.SubjectPublicKeyInfo)
        else:
            self.key = ed25519.Ed25519PrivateKey.from_private_bytes(
                rng.randbytes(32))
            public = self.key.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = base64.b64encode(public).decode()

    def sign_digest(self, octets):
        if self.is_rsa:
            return self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(hashlib.sha256(octets).digest())

    def zone(self):
        name, key = self.name, self.public
        parts = ' '.join(f'"{part}"' for part in (
            f'v=DKIM1; k={"rsa" if self.is_rsa else "ed25519"}; p={key[:180]}',
            key[180:]) if part)
        spf = {
            'ip4': [(name, f'v=spf1 ip4:{self.ip} -all')],
            'include': [(name, f'v=spf1 include:_spf.{name} -all'),
                        (f'_spf.{name}', f'v=spf1 ip4:{self.ip} ~all')],
            'a mx': [(name, 'v=spf1 a mx -all')],
            'redirect': [(name, f'v=spf1 redirect=_spf.{name}'),
                         (f'_spf.{name}', f'v=spf1 ip4:{self.ip} -all')],
        }[self.spf]
        lines = [f'{owner}. TXT "{text}"' for owner, text in spf]
        reverse = '.'.join(reversed(self.ip.split('.')))
        return '\n'.join(lines + [
            f'_dmarc.{name}. TXT "v=DMARC1; p=reject; '
            f'rua=mailto:dmarc@{name}"',
            f'{self.selector}._domainkey.{name}. TXT {parts}',
            f'{name}. A {self.mx_ip}',
            f'{name}. MX 10 mail.{name}.',
            f'mail.{name}. A {self.ip}',
            f'{reverse}.in-addr.arpa. PTR mail.{name}.']) + '\n'


# Texts.

def sentence(rng):
    words = rng.choices(WORDS, k=rng.randrange(5, 18))
    return words[0].capitalize() + ' ' + ' '.join(words[1:]) + '. '


def text(rng, size):
    """Lines of at most 76, some with what canonicalization changes."""
    words, total = [], 0
    while total < size:
        words.append(sentence(rng))
        total += len(words[-1])
        if rng.random() < 0.02:
            words.append(' ')
    lines, line = [], ''
    for word in ''.join(words).split(' '):
        if len(line) + len(word) >= 76:
            lines.append(line)
            line = ''
        line += word + ' '
    lines.append(line)
    for i, line in enumerate(lines):
        if rng.random() > 0.05:
            lines[i] = line.rstrip()
        if rng.random() < 0.04:
            lines[i] = ''
        elif rng.random() < 0.002:
            lines[i] = '. ' + lines[i]
    return '\r\n'.join(lines)[:size].rstrip('\r\n') + '\r\n'


def html(rng, size):
    paragraphs, total = [], 0
    while total < size:
        one = ('<tr><td class="cell" style="padding:4px;font:12px Arial">'
               + sentence(rng) + '</td>\r\n<td><a href="https://www.example/'
               + f'{rng.getrandbits(64):x}">{rng.choice(WORDS)}</a></td></tr>')
        paragraphs.append(one)
        total += len(one) + 2
    return ('<html><head><title>News</title></head><body><table>\r\n'
            + '\r\n'.join(paragraphs) + '\r\n</table></body></html>\r\n')


def base64_lines(rng, size):
    octets = base64.b64encode(rng.randbytes(size)).decode()
    return '\r\n'.join(octets[i:i + 76]
                       for i in range(0, len(octets), 76)) + '\r\n'


def plain_body(rng, size):
    return 'text/plain; charset=utf-8', text(rng, size - 1200)


def alternative_body(rng, size):
    boundary = f'=_alt_{rng.getrandbits(96):x}'
    return (f'multipart/alternative;\r\n boundary="{boundary}"',
            f'--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
            + text(rng, size // 4)
            + f'--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n'
            '\r\n' + html(rng, size * 3 // 4 - 1800) + f'--{boundary}--\r\n')


def mixed_body(rng, size):
    boundary = f'=_mix_{rng.getrandbits(96):x}'
    return (f'multipart/mixed;\r\n boundary="{boundary}"',
            f'--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
            + text(rng, 3000)
            + f'--{boundary}\r\nContent-Type: application/pdf;\r\n'
            ' name="report.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            'Content-Disposition: attachment; filename="report.pdf"\r\n\r\n'
            + base64_lines(rng, (size - 5000) * 3 * 76 // (4 * 78))
            + f'--{boundary}--\r\n')


BODIES = {'4k': (4 << 10, plain_body), '30k': (30 << 10, alternative_body),
          '200k': (200 << 10, mixed_body), '2m': (2 << 20, mixed_body)}

# Signing: RFC 6376, written down again so that the gateway's own code is not
# what it is measured against.

SIGNED = ('From', 'To', 'Subject', 'Date', 'Message-ID', 'MIME-Version',
          'Content-Type')


def relaxed_body(body):
    body = re.sub(rb'[ \t]+(?=\r\n)', b'', body)
    body = re.sub(rb'[ \t]+', b' ', body)
    return re.sub(rb'(\r\n)*\Z', b'\r\n', body, count=1)


def simple_body(body):
    return re.sub(rb'(\r\n)*\Z', b'\r\n', body, count=1)


def relaxed_field(name, value):
    value = re.sub(r'[ \t]+', ' ', value.replace('\r\n', '')).strip()
    return f'{name.lower()}:{value}'


def signature(domain, simple, fields, body):
    octets = simple_body(body) if simple else relaxed_body(body)
    digest = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    value = (f'v=1; a={"rsa" if domain.is_rsa else "ed25519"}-sha256;'
             f' c=relaxed/{"simple" if simple else "relaxed"};'
             f' d={domain.name};\r\n\ts={domain.selector}; t={SIGNED_AT};'
             f' h={":".join(SIGNED)};\r\n\tbh={digest};\r\n\tb=')
    header = [relaxed_field(name, fields[name]) for name in SIGNED]
    header.append(relaxed_field('DKIM-Signature', value))
    sealed = base64.b64encode(
        domain.sign_digest('\r\n'.join(header).encode())).decode()
    lines = [sealed[i:i + 70] for i in range(0, len(sealed), 70)]
    return f'DKIM-Signature: {value}' + '\r\n\t '.join(lines) + '\r\n'


def received(rng, domain, number):
    return (f'Received: from hop{number}.{domain.name} (hop{number}.'
            f'{domain.name} [10.1.{number}.{rng.randrange(256)}])\r\n'
            f'\tby mail.{domain.name} (Postfix) with ESMTPS id '
            f'{rng.getrandbits(40):010X}\r\n\tfor <user@{RECIPIENT_DOMAIN}>; '
            + DATE.format(rng.randrange(60), rng.randrange(60)) + '\r\n')


class Message:
    """octets, and what must become of them."""

    def __init__(self, rng, number, kind, domain, spoofed):
        size, make = BODIES[kind]
        content_type, body = make(rng, size)
        body = body.encode()
        user = rng.choice(WORDS)
        self.kind, self.domain, self.spoofed = kind, domain, spoofed
        self.sender = f'{user}@{domain.name}'
        self.recipient = f'user{number % 97}@{RECIPIENT_DOMAIN}'
        self.ip = f'203.0.113.{rng.randrange(1, 250)}' if spoofed \
            else domain.ip
        self.verdict = 'reject' if spoofed else 'accept'
        fields = {
            'From': f'{user.capitalize()} <{self.sender}>',
            'To': f'<{self.recipient}>',
            'Subject': sentence(rng).strip(),
            'Date': DATE.format(number // 60 % 60, number % 60),
            'Message-ID': f'<{number}.{rng.getrandbits(64):x}@{domain.name}>',
            'MIME-Version': '1.0',
            'Content-Type': content_type,
        }
        sealed = signature(domain, number % 5 == 0, fields, body)
        extra = {'X-Mailer': 'Example Mailer 4.2', 'X-Priority': '3',
                 'List-Unsubscribe': f'<https://www.{domain.name}/u/{number}>',
                 'Reply-To': f'<{self.sender}>'}
        header = sealed + ''.join(
            received(rng, domain, hop) for hop in range(3))
        for name, value in {**fields, **extra}.items():
            header += f'{name}: {value}\r\n'
        if spoofed:
            body = self._break(body)
        self.octets = header.encode() + b'\r\n' + body

    @staticmethod
    def _break(body):
        """One letter in the middle, which no canonicalization hides."""
        at = next(i for i in range(len(body) // 2, len(body))
                  if body[i:i + 1].isalnum())
        other = b'x' if body[at:at + 1] != b'x' else b'y'
        return body[:at] + other + body[at + 1:]


def exact_shares(count, shares):
    """A list of the names, as many of each as its share says."""
    names = [name for name, share in shares
             for _ in range(count * share // 100)]
    return names + [shares[0][0]] * (count - len(names))


def messages(seed, count):
    """The domains, then a generator of messages."""
    rng = random.Random(seed)
    domains = [Domain(random.Random(f'{seed} domain {number}'), number)
               for number in range(DOMAINS)]
    kinds = exact_shares(count, CLASSES)
    rng.shuffle(kinds)

    def make():
        for number, kind in enumerate(kinds):
            own = random.Random(f'{seed} message {number}')
            yield Message(own, number, kind, own.choice(domains),
                          own.random() * 100 < SPOOFED)
    return domains, make()


def zone(domains):
    return ('$TTL 3600\n' + ''.join(domain.zone() for domain in domains)
            + f'{RECIPIENT_DOMAIN}. TXT "v=spf1 ip4:192.0.2.1 -all"\n')
