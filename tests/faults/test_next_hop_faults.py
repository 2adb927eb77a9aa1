# SPDX-License-Identifier: Apache-2.0
"""A next hop that misbehaves at every step of a delivery.

Whatever it does: the client hears a 4xx in time, is never told 250 for what
was not taken, and the next message is delivered.
"""
import datetime
import socket
import ssl
import struct
import threading
import time

import pytest

from certificates import Authority
from gatehouse import Gatehouse
from hop import USUAL, Act, Hop
from mail import message
from world import SHOP, ZONE

LIMITS = {'next_hop_timeout': '600ms', 'next_hop_data_timeout': '600ms',
          'tls_timeout': '600ms', 'connection_rate': 100000}
# More than the sockets between both hold.
LARGE = ('x' * 76 + '\n') * 200000


def hang(handler):
    """Neither reads nor writes until the other side has closed."""
    with Hang(handler.connection) as ended:
        ended.wait(20)


class Hang:
    """Waits for the end of a connection without reading from it."""

    def __init__(self, connection):
        self.connection = connection
        self.ended = threading.Event()

    def __enter__(self):
        import select
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP | select.POLLHUP)
        threading.Thread(target=lambda: (poll.poll(20000), self.ended.set()),
                         daemon=True).start()
        return self.ended

    def __exit__(self, *_):
        raise ConnectionError


def reset(handler):
    handler.connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    # The streams hold the descriptor too.
    handler.rfile.close()
    handler.connection.close()
    raise ConnectionError


def close(handler):
    raise ConnectionError


def half_close(handler):
    """Says nothing more and reads on."""
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_WR)
    while handler.connection.recv(65536):
        pass
    raise ConnectionError


def say(octets, then=None):
    def does(handler):
        handler.wfile.write(octets)
        if then:
            then(handler)
    return does


def endless(handler):
    while True:
        handler.wfile.write(b'250-and so on\r\n' * 1000)


def drip(handler):
    """A byte now and then must not keep a deadline away."""
    while True:
        handler.wfile.write(b'2')
        time.sleep(0.2)


def read_slowly(handler):
    """Slow, but it moves: borne."""
    for _ in range(20):
        time.sleep(0.02)
        handler.rfile.readline()


GARBAGE = say(b'\x16\x03\x01\0\xff\0\x80 no reply at all\r\n', hang)
LONG_LINE = say(b'250 ' + b'x' * 100000 + b'\r\n', hang)
NO_CODE = say(b'all is well\r\n', hang)
TWO_CODES = say(b'250-yes\r\n550 no\r\n', hang)
UNFINISHED = say(b'250-yes\r\n', close)
TWICE = say(b'250 2.1.5 ok\r\n250 2.0.0 taken\r\n')
EARLY = say(b'250 2.0.0 taken\r\n')

RUDE = {'hangs': hang, 'closes': close, 'resets': reset,
        'half-closes': half_close, 'garbage': GARBAGE,
        'long line': LONG_LINE, 'endless': endless, 'drips': drip,
        'no code': NO_CODE, 'two codes': TWO_CODES, 'unfinished': UNFINISHED}
REFUSALS = {'4xx': ('450 4.2.1 later', '450 4.2.1 later'),
            '5xx': ('550 5.7.1 no', '550 5.7.1 no'),
            '421': ('421 4.3.2 closing', '451 4.')}
STEPS = {'connect': 'RCPT', 'EHLO': 'RCPT', 'MAIL': 'RCPT', 'RCPT': 'RCPT',
         'DATA': 'end', 'content': 'end', '.': 'end'}


@pytest.fixture(scope='module')
def hop():
    with Hop() as one:
        yield one


@pytest.fixture(scope='module')
def gate(tmp_path_factory, hop):
    folder = tmp_path_factory.mktemp('hop')
    one = Gatehouse(folder / 'gate', zone=ZONE, route=hop.route,
                    limits=LIMITS)
    one.start()
    yield one
    one.stop()


def deliver(gate, octets):
    """(reply, the step that it answers, seconds)"""
    begin = time.monotonic()
    with gate.client(SHOP, seconds=30) as client:
        assert client.command('MAIL FROM:<news@shop.example>')[:3] == '250'
        reply, step = client.command('RCPT TO:<user@agency.example>'), 'RCPT'
        if reply[:3] == '250':
            reply, step = client.data(octets), 'end'
    return reply, step, time.monotonic() - begin


def is_well_again(gate, hop):
    hop.play({})
    before = len(hop.messages)
    reply, _, took = deliver(gate, message())
    assert reply[:3] == '250' and took < 2, (reply, took)
    assert len(hop.messages) == before + 1


@pytest.mark.parametrize('step', STEPS)
@pytest.mark.parametrize('how', RUDE)
def test_rude(gate, hop, step, how):
    # It counts as a yes, so that the next step is reached.
    text = {'DATA': '354', 'RCPT': '250'}.get(step, '')
    hop.play({step: Act(RUDE[how], text)})
    before = len(hop.messages)
    large = step == 'content' and how == 'hangs'
    reply, at, took = deliver(gate, message(body=LARGE if large else
                                            ('y' * 70 + '\n') * 2000))
    assert reply.startswith(('451 4.4.1', '451 4.4.2')), reply
    assert at == STEPS[step]
    assert took < 5, took
    assert len(hop.messages) == before
    is_well_again(gate, hop)


@pytest.mark.parametrize('step', [one for one in STEPS if one != 'content'])
@pytest.mark.parametrize('how', REFUSALS)
def test_refusals(gate, hop, step, how):
    says, hears = REFUSALS[how]
    if step in ('connect', 'EHLO'):
        hears = '451 4.4.1'   # no answer about this message
    hop.play({step: says, 'HELO': says})
    before = len(hop.messages)
    reply, at, _ = deliver(gate, message())
    assert reply.startswith(hears), reply
    assert at == STEPS[step]
    assert len(hop.messages) == before
    is_well_again(gate, hop)


@pytest.mark.parametrize('step, does, text', [
    # What was said unasked is not the answer to the message.
    ('RCPT', TWICE, '250'), ('content', EARLY, ''),
    # A yes where 354 belongs.
    ('DATA', say(b'250 2.0.0 taken\r\n'), ''),
])
def test_a_yes_at_the_wrong_time(gate, hop, step, does, text):
    hop.play({step: Act(does, text), '.': Act(hang)})
    reply, _, took = deliver(gate, message(body=LARGE))
    assert reply.startswith('451 4.4.2'), reply
    assert took < 5
    is_well_again(gate, hop)


def test_slow_reader_is_borne(gate, hop):
    hop.play({'content': Act(read_slowly)})
    reply, _, _ = deliver(gate, message(body=LARGE[:200000]))
    assert reply[:3] == '250', reply


def test_reply_lost_after_the_dot(gate, hop):
    """It took the message, and its 250 did not come: the client tries again
    and there are two.  Nothing else is allowed to SMTP."""
    hop.play({})
    taken = len(hop.messages)
    hop.play({'.': Act(close, '250')})
    assert deliver(gate, message())[0].startswith('451 4.4.2')
    assert len(hop.messages) == taken + 1


# TLS.

class TlsHop(Hop):
    """A hop that does something of its own behind 220 to STARTTLS."""

    def __init__(self, does):
        super().__init__({'STARTTLS': Act(self.begin)},
                         extensions=USUAL + ('STARTTLS',))
        self.does = does
        self.plain = 0

    def begin(self, handler):
        handler.wfile.write(b'220 2.0.0 go on\r\n')
        self.does(handler)


def expired(authority, name):
    """A certificate of yesterday's, as paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    certificate, key = authority.issue(name)
    issuer = x509.load_pem_x509_certificate(
        (authority.folder / 'ca.pem').read_bytes())
    signer = serialization.load_pem_private_key(
        (authority.folder / 'ca.key').read_bytes(), None)
    old = x509.load_pem_x509_certificate(open(certificate, 'rb').read())
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder(
        issuer.subject, old.subject, old.public_key(), old.serial_number + 1,
        now - datetime.timedelta(days=3), now - datetime.timedelta(days=1))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    path = authority.folder / 'expired.pem'
    path.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM))
    return str(path), key


def with_certificate(paths):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*paths)

    def does(handler):
        handler.connection = context.wrap_socket(
            handler.connection, server_side=True)
        handler.rfile = handler.connection.makefile('rb')
        handler.wfile = handler.connection.makefile('wb', 0)
    return does


@pytest.fixture(scope='module')
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp('certificates')
    ours, others = Authority(folder / 'ours'), Authority(folder / 'others')
    return ours, {
        'good': with_certificate(ours.issue('localhost')),
        'expired': with_certificate(expired(ours, 'localhost')),
        'wrong name': with_certificate(ours.issue('other.example')),
        'unknown authority': with_certificate(others.issue('localhost')),
        'garbage': say(b'no handshake at all\r\n' * 10, hang),
        'closes': close, 'resets': reset, 'hangs': hang,
        'closes amid it': lambda handler: (handler.connection.recv(50),
                                           close(handler)),
        'alert': say(b'\x15\x03\x03\0\x02\x02\x28', close),
    }


@pytest.mark.parametrize('tls', ['must', 'may'])
@pytest.mark.parametrize('how', [
    'good', 'expired', 'wrong name', 'unknown authority', 'garbage', 'closes',
    'resets', 'hangs', 'closes amid it', 'alert'])
def test_bad_tls(make_gate, certificates, tls, how):
    """must: nothing goes out but over TLS with the right certificate;
    may: a handshake that fails is as good as none."""
    authority, ways = certificates
    hop = TlsHop(ways[how])
    with hop:
        gate = make_gate(zone=ZONE, limits=LIMITS, routes=[
            {'domains': ['agency.example'], 'tls': tls,
             'tls_ca': authority.path,
             'next_hop': f'smtp:localhost:{hop.port}'}])
        reply, at, took = deliver(gate, message())
        assert took < 5, took
        if tls == 'may' or how == 'good':
            assert reply[:3] == '250', reply
            assert len(hop.messages) == 1
        else:
            assert reply.startswith('451 4.4.1') and at == 'RCPT', reply
            assert not [line for line in hop.lines if line[:4] == 'MAIL']


@pytest.mark.parametrize('script', [{}, {'STARTTLS': '454 4.7.0 not now'},
                                    {'STARTTLS': '501 5.5.4 no'}])
def test_tls_that_is_not_to_be_had(make_gate, script):
    words = USUAL + (('STARTTLS',) if script else ())
    with Hop(script, extensions=words) as hop:
        gate = make_gate(zone=ZONE, limits=LIMITS, routes=[
            {'domains': ['agency.example'], 'tls': 'must',
             'next_hop': hop.route}])
        reply, at, _ = deliver(gate, message())
        assert reply.startswith('451 4.4.1') and at == 'RCPT', reply
        assert not [line for line in hop.lines if line[:4] == 'MAIL']
