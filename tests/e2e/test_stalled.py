# SPDX-License-Identifier: Apache-2.0
"""Clients that stop, or drip, in the middle: they have a connection, and no
thread; with a few threads for all, others are served as before."""
import contextlib
import operator
import socket
import threading
import time

import pytest

from certificates import Authority
from dnsserver import DnsServer, Zone
from gatehouse import Gatehouse, listener
from mail import message
from net import Smtp

THREADS, CLIENTS = 8, 50
name_of = operator.attrgetter('__name__')
SENDER, USER = 'news@shop.example', 'user@agency.example'
ZONE = '''
shop.example.         TXT "v=spf1 ip4:127.0.0.0/8 -all"
_dmarc.shop.example.  TXT "v=DMARC1; p=reject"
'''
HEADER = b'From: news@shop.example\r\nSubject: slow\r\n\r\n'
# The beginning of a ClientHello: a record of 512 octets, cut short.
HELLO = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'x' * 100


def listeners(tls):
    return [listener(tls=tls), listener('relay', 'relay', tls=tls),
            listener('smtps', tls=tls, implicit_tls=True),
            listener('balanced', proxy_protocol=['127.0.0.0/8'])]


@pytest.fixture(scope='module')
def tls(tmp_path_factory):
    certificate, key = Authority(tmp_path_factory.mktemp('ca')).issue(
        'mx1.agency.example')
    return {'certificate': certificate, 'key': key}


@pytest.fixture(scope='module')
def gate(tmp_path_factory, tls):
    """A gateway with few threads."""
    gate = Gatehouse(tmp_path_factory.mktemp('gate'), zone=ZONE,
                     limits={'threads': THREADS}, listeners=listeners(tls))
    yield gate.start()
    gate.stop()


def source(number):
    """An address in a network of its own."""
    return f'127.9.{number}.1'


def envelope(gate, number, name='mx', sender=SENDER):
    client = Smtp(gate.ports[name], source=source(number))
    for text in (f'MAIL FROM:<{sender}>', f'RCPT TO:<{USER}>'):
        assert client.command(text)[:3] == '250'
    return client


# Where a client stops.

def in_content(gate, number):
    client = envelope(gate, number)
    assert client.command('DATA')[:3] == '354'
    client.send(HEADER + b'half a li')
    return client


def in_content_with_tls(gate, number):
    client = Smtp(gate.ports['mx'], source=source(number))
    client.starttls()
    for text in (f'MAIL FROM:<{SENDER}>', f'RCPT TO:<{USER}>', 'DATA'):
        client.command(text)
    client.send(HEADER + b'half a li')
    return client


def in_chunk(gate, number):
    client = envelope(gate, number)
    client.send(b'BDAT 1000 LAST\r\n' + HEADER)
    return client


def in_refused_chunk(gate, number):
    client = Smtp(gate.ports['mx'], source=source(number))
    client.send(b'BDAT 1000 LAST\r\n' + HEADER)
    return client


def in_starttls(gate, number):
    client = Smtp(gate.ports['mx'], source=source(number))
    assert client.command('STARTTLS')[:3] == '220'
    client.send(HELLO)
    return client


def silent_after_starttls(gate, number):
    client = Smtp(gate.ports['mx'], source=source(number))
    assert client.command('STARTTLS')[:3] == '220'
    return client


class Raw:
    """A connection that has heard nothing yet.  small: of what it does not
    read, the kernels keep little."""

    def __init__(self, port, number, small=False):
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self.socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.bind((source(number), 0))
        self.socket.settimeout(15)
        self.socket.connect(('127.0.0.1', port))

    def send(self, octets):
        self.socket.sendall(octets)

    def close(self):
        self.socket.close()


def in_implicit_tls(gate, number):
    client = Raw(gate.ports['smtps'], number)
    client.send(HELLO)
    return client


def in_proxy_header(gate, number):
    client = Raw(gate.ports['balanced'], number)
    client.send(b'PROXY TCP4 192.0.2.')
    return client


RCPT_COUNT = 9000


def reading_nothing(gate, number):
    """Replies to some thousand recipients are on their way."""
    client = Raw(gate.ports['relay'], number, small=True)
    commands = [b'EHLO client.example', b'MAIL FROM:<news@shop.example>'] + \
        [b'RCPT TO:<user%d@agency.example>' % n for n in range(RCPT_COUNT)]
    client.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.send(b'\r\n'.join(commands) + b'\r\n')
    return client


STALLS = [in_content, in_content_with_tls, in_chunk, in_refused_chunk,
          in_starttls, silent_after_starttls, in_implicit_tls,
          in_proxy_header, reading_nothing]


def stall(gate, where):
    """CLIENTS of them; they get there side by side."""
    clients = [None] * CLIENTS

    def enter(first):
        for number in range(first, CLIENTS, 10):
            clients[number] = where(gate, number)

    threads = [threading.Thread(target=enter, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in clients
    return clients


def close_all(gate, clients):
    for client in clients:
        client.close()
    gate.metric('gatehouse_connections', 0)


def assert_served(gate):
    """A client that behaves is served at once."""
    started = time.monotonic()
    reply = gate.mail(message(subject='meanwhile'))
    assert reply[:3] == '250', reply
    assert time.monotonic() - started < 2


@pytest.mark.parametrize('where', STALLS, ids=name_of)
def test_stalled(gate, where):
    clients = stall(gate, where)
    assert_served(gate)
    gate.metric('gatehouse_connections_parked', CLIENTS)
    gate.metric('gatehouse_connections', CLIENTS)
    close_all(gate, clients)


@pytest.mark.parametrize('pause', [0.003, 0.03])
@pytest.mark.parametrize(
    'where', [in_content, in_chunk, in_starttls, in_implicit_tls],
    ids=name_of)
def test_dripping(gate, where, pause):
    """An octet now and then does not hold a thread either, however often."""
    clients = stall(gate, where)
    over = threading.Event()

    def drip():
        while not over.is_set():
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b'x')
            time.sleep(pause)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert_served(gate)
    finally:
        over.set()
        thread.join()
    close_all(gate, clients)


@pytest.mark.parametrize(
    'where,rest', [(in_content, b'ne\r\n.\r\n'),
                   (in_content_with_tls, b'ne\r\n.\r\n'),
                   (in_chunk, b'x' * (1000 - len(HEADER)))],
    ids=['content', 'content with TLS', 'chunk'])
def test_goes_on(gate, where, rest):
    """What was begun comes to its end, in bits."""
    before = len(gate.delivered())
    clients = [where(gate, number) for number in range(5)]
    gate.metric('gatehouse_connections_parked', 5)
    for octets in (rest[:3], rest[3:]):
        for client in clients:
            client.send(octets)
        time.sleep(0.1)
    for client in clients:
        assert client.reply()[:9] == '250 2.0.0'
    assert len(gate.delivered()) == before + 5
    close_all(gate, clients)


HOP_TAKES, HOP_WAITS, SILENT = 8, 4, 16


@pytest.mark.parametrize(
    'where,rest', [(envelope, b'BDAT %d LAST\r\n%b' % (len(HEADER), HEADER)),
                   (in_content, b'ne\r\n.\r\n'),
                   (in_chunk, b'x' * (1000 - len(HEADER)))],
    ids=['RCPT', 'content', 'chunk'])
def test_next_hop_is_not_used_up(make_gate, make_hop, where, rest):
    """Silent strangers leave connections for others, and come to their end."""
    hop = make_hop()
    hop.play({'connect': lambda _: '220 hop.example'
              if len(hop.handlers) <= HOP_TAKES else '421 4.3.2 too many'})
    gate = make_gate(zone=ZONE, route=hop.route,
                     limits={'next_hop_waiting': HOP_WAITS})
    silent = []
    for number in range(SILENT):
        silent.append(where(gate, number))
        gate.metric('gatehouse_connections_parked', number + 1)
    gate.metric('gatehouse_next_hops_waiting', HOP_WAITS)
    gate.metric('gatehouse_next_hops_given_back_total', SILENT - HOP_WAITS)
    for _ in range(5):
        assert_served(gate)
    for client in silent:
        client.send(rest)
        reply = client.reply()
        assert reply[:3] == '250', reply
    gate.metric('gatehouse_next_hops_waiting', 0)
    assert len(hop.messages) == 5 + SILENT
    close_all(gate, silent)


WAIT_FOR_DNS, DNS_WAITS = 5, 2


def dns_at_verdict(gate, number):
    sender = f'news@m{number}.slow.example'
    client = envelope(gate, number, sender=sender)
    assert client.command('DATA')[:3] == '354'
    client.send(message(sender) + b'.\r\n')
    return client, client.reply


def dns_at_recipient(gate, number):
    """One that the next hop refuses; the sender claims to be one of us."""
    sender = 'ceo@slow.agency.example'
    client = envelope(gate, number, sender=sender)
    client.send(b'RCPT TO:<nobody@agency.example>\r\n')

    def rest():
        assert client.reply()[:9] == '550 5.1.1'
        return client.data(message(sender))
    return client, rest


@pytest.fixture
def late_dns():
    """A name server; what it knows of slow domains it says when it is told."""
    answers = threading.Event()

    def hold(query, octets, transport):
        if b'\4slow' in octets:
            answers.wait(20)
        return [octets]

    zone = Zone()
    for name in ('shop.example', 'slow.agency.example', *(
            f'm{number}.slow.example' for number in range(WAIT_FOR_DNS))):
        zone.add(name, 'TXT', 'v=spf1 ip4:127.0.0.0/8 -all')
    with DnsServer(zone) as server:
        server.distort, server.answers = hold, answers
        yield server
        answers.set()


@pytest.mark.parametrize('where', [dns_at_verdict, dns_at_recipient],
                         ids=name_of)
def test_dns_is_waited_for_without_the_next_hop(
        make_gate, make_hop, late_dns, where):
    """A stranger's DNS has its time, but few of the next hop's connections."""
    hop = make_hop()
    hop.play({'connect': lambda _: '421 4.3.2 too many'
              if len(hop.handlers) > DNS_WAITS + 1
              and not late_dns.answers.is_set() else '220 hop.example',
              'RCPT': lambda line: '550 5.1.1 unknown' if 'nobody' in line
              else '250 2.1.5 ok'})
    gate = make_gate(
        route=hop.route, dns={'zone': '', 'servers': [late_dns.address]},
        limits={'next_hop_waiting': DNS_WAITS, 'dns_query_timeout': '20s',
                'dns_time': '20s'})
    waiting = []
    for number in range(WAIT_FOR_DNS):
        waiting.append(where(gate, number))
        gate.metric('gatehouse_connections_parked', 0)
        gate.metric('gatehouse_next_hops_waiting', min(number + 1, DNS_WAITS))
    gate.metric('gatehouse_next_hops_given_back_total',
                WAIT_FOR_DNS - DNS_WAITS)
    assert_served(gate)
    assert len(hop.messages) == 1
    late_dns.answers.set()
    for _, rest in waiting:
        assert rest()[:3] == '250'
    gate.metric('gatehouse_next_hops_waiting', 0)
    assert len(hop.messages) == 1 + WAIT_FOR_DNS
    close_all(gate, [client for client, _ in waiting])


def test_deadlines(make_gate, tls):
    """Who is parked has the time that he had, and no more."""
    gate = make_gate(zone=ZONE, listeners=listeners(tls), limits={
        'threads': THREADS, 'command_timeout': '2s', 'data_timeout': '2s',
        'tls_timeout': '2s'})
    started = time.monotonic()
    clients = {name_of(where): [where(gate, number) for number in range(5)]
               for where in STALLS if where != in_proxy_header}
    assert gate.metrics()['gatehouse_connections'] == 5 * len(clients)
    gate.metric('gatehouse_connections', 0, 6)
    assert time.monotonic() - started > 2
    for client in sum((clients[name] for name in clients
                       if 'content' in name or 'chunk' in name), []):
        assert client.reply() == '421 4.4.2 content comes too slowly ' \
            '(limits.data_timeout)'
    log = gate.log()
    for reason, names in (
            ('limits.data_timeout', 4), ('"TLS handshake failed"', 3),
            ('"client does not read"', 1)):
        assert log.count(f'reason={reason}') == 5 * names, log
