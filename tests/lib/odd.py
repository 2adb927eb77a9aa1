# SPDX-License-Identifier: Apache-2.0
"""What mail servers are tempted to mend: signed so that nothing of it may
change, neither on the way to the judge nor on the way to the mailbox."""
import dkim

from mail import fields, message

# One field; what a filter cannot know without the space behind the colon.
FIELDS = {
    'plain': b'X-Odd: b',
    'no space': b'X-Odd:b',
    'two spaces': b'X-Odd:  b',
    'a tab': b'X-Odd:\tb',
    'a space and a tab': b'X-Odd: \tb',
    'empty': b'X-Odd:',
    'a space only': b'X-Odd: ',
    'a tab only': b'X-Odd:\t',
    'folded with a tab': b'X-Odd: a\r\n\tb',
    'folded with spaces': b'X-Odd: a\r\n    b',
    'folded at once': b'X-Odd:\r\n b',
    'folded behind a space': b'X-Odd: \r\n b',
    'an empty line of blanks': b'X-Odd: a\r\n \r\n b',
    'blanks at the end': b'X-Odd: a \t\r\n\tb  ',
    'odd case': b'x-oDD: a',
    '8-bit': b'X-Odd: \xc3\xa4 \xff\x80\x81\xfe',
    'control octets': b'X-Odd: a\x01\x1b\x7fb',
    'quotes': b'X-Odd: "a\\"b" (c(d)) <e> % %s \\',
    'many lines': b'X-Odd: a' + b'\r\n line of many' * 300,
    'a long line': b'X-Odd: ' + b'x' * 900,
}
WITHOUT_THE_SPACE = {'no space', 'a space and a tab', 'a space only',
                     'folded behind a space'}

BODIES = {
    'plain': b'x\r\n',
    'dots': b'.\r\n..\r\n.x\r\n',
    '8-bit': b'\xff\xfe\x80\xa0\x81\r\n',
    'empty lines': b'x\r\n\r\n\r\n\r\ny\r\n',
    'nothing': b'',
    'From': b'From x y\r\n>From z\r\n',
    'blanks': b'a  \r\n\t\r\n  b\r\n',
    'two pieces': b'q' * 70 + b'\r\n' + (b'w' * 77 + b'\r\n') * 2000,
    'a line over two pieces': (b'e' * 996 + b'\r\n') * 70,
}

# Results that claim to be ours, for the OURS.
FORGED = {
    'blanks before the colon': b'Authentication-Results \t : OURS',
    'a NUL in the value': b'Authentication-Results: OURS\0, x',
    'folded at once': b'Authentication-Results:\r\n OURS',
    'behind what the MTA removes':
        b'Bcc: a@b.example\r\nReturn-Path: <a@b.example>\r\n'
        b'Authentication-Results: other.example; none\r\n'
        b'Content-Length: 1\r\nAuthentication-Results: OURS',
    'behind other traces': b'Received: a\r\nAuthentication-Results: OURS',
    'a bare CR': b'X-A: a\rAuthentication-Results: OURS',
}


def forgeries():
    ours = b'mx1.agency.example; dkim=pass header.d=forged.example'
    for name, octets in FORGED.items():
        yield name, octets.replace(b'OURS', ours) + b'\r\n' + message()


def check_forgeries(arrived):
    """In each there are our results, and they are ours."""
    for octets in arrived:
        found = [value for value in fields(octets, 'Authentication-Results')
                 if value.startswith('mx1.agency.example')]
        assert len(found) == 1 and 'forged' not in found[0], octets


# Forged results between those of others, which stay.
MIXED_RESULTS = (
    'Authentication-Results: mx1.agency.example; dkim=pass\n'
    'Authentication-Results: other.example; dkim=pass header.d=x.example\n'
    'X-MS-Exchange-Organization-AuthAs: Internal\n'
    'Authentication-Results: MX1.agency.example; spf=pass\n'
    'Received: from a.example by b.example; Mon, 04 Jan 2027 10:00:00 +0\n'
    'Authentication-Results: third.example; none\n'
    'authentication-results: mx1.agency.example; dmarc=pass\n')


def check_mixed_results(octets):
    """Ours, which found no signature, then those of others."""
    results = fields(octets, 'Authentication-Results')
    assert len(results) == 3, results
    assert results[0].startswith('mx1.agency.example;')
    assert 'dkim=none' in results[0]
    assert results[1].startswith('other.example;')
    assert results[2] == 'third.example; none'
    assert fields(octets, 'X-MS-Exchange-Organization-AuthAs') == []


def messages(signer):
    """(name, octets), signed with c=simple/simple."""
    for name, field in FIELDS.items():
        base = message(f'odd@{signer.domain}')
        yield name, _sign(signer, field + b'\r\n' + base)
    for name, body in BODIES.items():
        head = message(f'odd@{signer.domain}').split(b'\r\n\r\n', 1)[0]
        yield f'body: {name}', _sign(
            signer, b'X-Odd: 1\r\n' + head + b'\r\n\r\n' + body)


def _sign(signer, octets):
    return dkim.sign(
        octets, signer.selector.encode(), signer.domain.encode(),
        signer.private, canonicalize=(b'simple', b'simple'),
        include_headers=[b'from', b'to', b'subject', b'date', b'message-id',
                         b'x-odd']) + octets


def behind_our_fields(octets):
    """A delivered message as it was before it was judged."""
    start = octets.index(b'\r\nX-Gatehouse-Loop:') + 2
    return octets[octets.index(b'\r\n', start) + 2:]


def check(mail, arrived, signer, mangled=()):
    """Sends all of them; mangled are those of which c=simple must fail."""
    sent = list(messages(signer))
    for name, octets in sent:
        reply = mail(octets)
        assert reply.startswith('250'), (name, reply)
    came = {octets_id(octets): octets for octets in arrived(len(sent))}
    for name, octets in sent:
        got = came[octets_id(octets)]
        assert behind_our_fields(got) == octets, name
        results = got[:got.index(b'X-Gatehouse-Loop:')]
        wanted = b'dkim=fail' if name in mangled else b'dkim=pass'
        assert wanted in results, (name, results)


def octets_id(octets):
    start = octets.index(b'\r\nMessage-ID: ')
    return octets[start:octets.index(b'\r\n', start + 2)]
