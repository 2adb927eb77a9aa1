# SPDX-License-Identifier: Apache-2.0
"""The SMTP that clients speak: extensions, limits, TLS, proxies."""
import re
import socket
import ssl
import struct
import subprocess
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from certificates import Authority
from gatehouse import Gatehouse, is_sanitized, listener
from hop import Hop
from mail import field, message, message_id
from net import Smtp, free_port, stuff
from world import SHOP, STRANGER, ZONE

SENDER, USER = 'news@shop.example', 'user@agency.example'


@pytest.fixture(scope='module')
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp('ca'))


@pytest.fixture(scope='module')
def tls(authority):
    certificate, key = authority.issue('mx1.agency.example')
    return {'certificate': certificate, 'key': key,
            'client_ca': authority.path}


@pytest.fixture(scope='module')
def shared(tmp_path_factory, tls):
    """A gateway with TLS and a Maildir."""
    gate = Gatehouse(
        tmp_path_factory.mktemp('gate'), zone=ZONE,
        listeners=[
            listener(tls=tls, xclient=['127.0.0.1']),
            listener('tls', tls=tls, implicit_tls=True),
            listener('strict', tls=dict(tls, required=True)),
            listener('balanced', proxy_protocol=['127.0.0.1']),
            listener('relay', 'relay', tls=tls)],
        connectors=[{'name': 'Partner', 'tls_names': ['*.cloud.example'],
                     'listeners': ['relay'], 'treat_as': 'internal'}],
        limits={'message_size': '100K', 'recipients': 5,
                'command_length': 600, 'line_length': 2000}).start()
    yield gate
    gate.stop()


@pytest.fixture
def gate(shared):
    for path in (shared.maildir / 'new').glob('*'):
        path.unlink()
    return shared


# Greeting and extensions.

def test_extensions(gate):
    with gate.client() as client:
        assert client.greeting.startswith('220 mx1.agency.example ESMTP')
        words = [line[4:].split(' ')[0]
                 for line in client.extensions.split('\n')]
    for word in ('PIPELINING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'STARTTLS',
                 'ENHANCEDSTATUSCODES', 'CHUNKING', 'DSN', 'PRDR', 'LIMITS'):
        assert word in words, words
    assert 'AUTH' not in words


def test_swaks_delivers(gate):
    done = subprocess.run(
        ['swaks', '--server', f'127.0.0.1:{gate.port}', '--tls',
         '--helo', 'mail.shop.example', '--from', SENDER, '--to', USER,
         '--h-From', SENDER, '--h-Message-Id', '<swaks@shop.example>'],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert '~> DATA' in done.stdout     # inside TLS
    assert len(gate.delivered()) == 1
    assert gate.explain('swaks@shop.example')['client']['tls'] == 'TLSv1.3'


def test_everything_at_once(gate):
    """PIPELINING: replies come in order, and none too many."""
    sent = message()
    with gate.client() as client:
        client.send(b'MAIL FROM:<' + SENDER.encode() + b'>\r\n'
                    b'RCPT TO:<user@agency.example>\r\n'
                    b'RCPT TO:<x@elsewhere.example>\r\n'
                    b'DATA\r\n')
        assert client.reply()[:3] == '250'
        assert client.reply()[:3] == '250'
        assert client.reply()[:9] == '550 5.7.1'
        assert client.reply()[:3] == '354'
        client.send(stuff(sent) + b'NOOP\r\nQUIT\r\n')
        assert client.reply()[:3] == '250'
        assert client.reply()[:3] == '250'
        assert client.reply()[:3] == '221'
        assert client.is_closed()
    arrived, = gate.delivered()
    assert arrived.endswith(sent)


def test_chunks(gate):
    """BDAT: octets as they are, a dot alone is nothing special."""
    sent = message(body='.\nfirst\n.\nlast')
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        for first, last in ((0, 10), (10, 11), (11, len(sent))):
            end = ' LAST' if last == len(sent) else ''
            client.send(f'BDAT {last - first}{end}\r\n'.encode() +
                        sent[first:last])
            assert client.reply()[:3] == '250'
        # An empty last chunk.
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.send(f'BDAT {len(sent)}\r\n'.encode() + sent)
        assert client.reply()[:3] == '250'
        assert client.command('BDAT 0 LAST')[:3] == '250'
        # DATA and BDAT do not mix.
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.send(b'BDAT 1\r\na')
        client.reply()
        assert client.command('DATA')[:3] == '503'
        assert client.command('RSET')[:3] == '250'
        # Octets of a chunk that nobody wants are not commands.
        client.send(b'BDAT 6\r\nQUIT\r\n')
        assert client.reply()[:3] == '503'
        assert client.command('NOOP')[:3] == '250'
    assert [one.endswith(sent) for one in gate.delivered()] == [True, True]


def test_prdr_one_reply_each(gate):
    with gate.client() as client:
        reply = client.mail(SENDER, [USER, 'other@agency.example'],
                            message(), ' PRDR')
        replies = [reply] + [client.reply() for _ in range(3)]
    assert [one[:3] for one in replies] == ['353', '250', '250', '250']


# Limits.

def test_size(gate):
    with gate.client() as client:
        reply = client.command(f'MAIL FROM:<{SENDER}> SIZE=200000')
        assert reply.startswith('552 5.3.4'), reply
        assert 'limits.message_size' in reply
        assert client.mail(SENDER, USER, message(
            body='x' * 70 + '\n' + ('y' * 70 + '\n') * 2000)).startswith(
                '552 5.3.4')
        # The session goes on.
        assert client.mail(SENDER, USER, message())[:3] == '250'
    assert len(gate.delivered()) == 1


REFUSED = {
    'to the final dot': b'DATA\r\n' + b'y\r\n' * 50000 + b'.\r\n',
    'to the end': b'BDAT 150000 LAST\r\n' + b'y\r\n' * 50000,
    'amid chunks': b'BDAT 150000\r\n' + b'y\r\n' * 50000,
    'without an end': b'DATA\r\n' + b'y\r\n' * 100000,
    'too large a chunk': b'BDAT 300000 LAST\r\ny\r\n',
}


@pytest.mark.parametrize('way', REFUSED)
def test_refused_content_is_on_record(gate, way):
    """Wherever it was refused: a line, a trace, a count."""
    counter = 'gatehouse_messages_total{verdict="reject"}'
    before = gate.metrics().get(counter, 0)
    logged = len(gate.log())
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.send(REFUSED[way])
        reply = client.reply()
        if reply[:3] == '354':
            reply = client.reply()
        assert reply.startswith('552 5.3.4'), reply
    line = gate.wait_for_log('smtp.refused', after=logged)
    assert 'code=552' in line and 'limits.message_size' in line, line
    trace = gate.explain(re.search(r' id=(\S+)', line)[1])
    assert trace['verdict'] == 'reject' and trace['policy'] == 'limits', trace
    assert reply.split(' ', 2)[2] in trace['reply'], trace
    gate.metric(counter, before + 1)
    assert gate.log()[logged:].count('smtp.refused') == 1


def test_too_long_lines(gate):
    with gate.client() as client:
        reply = client.command('NOOP ' + 'x' * 3000)
        assert reply.startswith('500 5.5.6'), reply
        assert 'limits.command_length' in reply
        assert client.command('NOOP')[:3] == '250'
        sent = message(body='y' * 2100)
        reply = client.mail(SENDER, USER, sent)
        assert reply.startswith('554 5.6.0'), reply
        assert 'limits.line_length' in reply
        assert client.command('NOOP')[:3] == '250'
    assert gate.delivered() == []


def test_programs_that_fold_nothing(make_gate):
    """Outlook writes long To: and References: in one line; others, bodies."""
    gate = make_gate(zone=ZONE)
    many = ', '.join(f'user{i}@agency.example' for i in range(2000))
    sent = message(to=many, body='x' * 300000)
    assert gate.mail(sent).startswith('250')
    arrived, = gate.delivered()
    assert arrived.endswith(sent)
    reply = gate.mail(message(to=many * 3))
    assert reply.startswith(
        '552 5.3.4 over a limit: a header field of over 102400 octets '
        '(limits.header_field_size)'), reply


def test_too_many_recipients(gate):
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        replies = [client.command(f'RCPT TO:<u{i}@agency.example>')
                   for i in range(7)]
        assert [one[:3] for one in replies] == ['250'] * 5 + ['452'] * 2
        assert '4.5.3' in replies[5] and 'limits.recipients' in replies[5]
        assert client.data(message())[:3] == '250'
    assert len(gate.delivered()) in (1, 5)


def test_huge_header(make_gate):
    gate = make_gate(zone=ZONE, limits={'header_size': '10K'})
    sent = message(fields=''.join(f'X-{i}: {"z" * 90}\n' for i in range(200)))
    reply = gate.mail(sent)
    assert reply.startswith('552 5.3.4'), reply
    assert 'limits.header_size' in reply


def test_too_many_connections_of_a_network(make_gate):
    gate = make_gate(zone=ZONE, limits={'connections_per_network': 3})
    clients = [gate.client() for _ in range(3)]
    fourth = gate.client()
    assert fourth.greeting.startswith('421 4.7.0'), fourth.greeting
    assert 'limits.connections_per_network' in fourth.greeting
    assert fourth.is_closed()
    # Another network, and the same one after somebody left.
    with gate.client(source='127.0.1.1') as other:
        assert other.greeting.startswith('220')
    clients.pop().close()
    deadline = time.monotonic() + 5
    while True:
        again = gate.client()
        if again.greeting.startswith('220') or time.monotonic() > deadline:
            break
        again.close()
        time.sleep(0.05)
    assert again.greeting.startswith('220')
    for client in clients + [again, fourth]:
        client.close()
    assert gate.metrics()['gatehouse_connections_refused_total'
                          '{reason="connections_per_network"}'] >= 1


def test_connection_rate(make_gate):
    gate = make_gate(zone=ZONE, limits={'connection_rate': 4})
    greetings = []
    for _ in range(6):
        with gate.client(helo=None) as client:
            greetings.append(client.greeting[:3])
    assert greetings[:4] == ['220'] * 4
    assert greetings[5] == '421'


def test_refused_behind_a_balancer(make_gate):
    """The client, not the balancer, is what the line names."""
    gate = make_gate(zone=ZONE, limits={'connection_rate': 1}, listeners=[
        listener('balanced', proxy_protocol=['127.0.0.1'])])
    header = f'PROXY TCP4 {SHOP} 127.0.0.1 999 25\r\n'.encode()
    with Smtp(gate.port, proxy=header) as client:
        assert client.greeting.startswith('220')
    with Smtp(gate.port, proxy=header) as client:
        assert client.greeting.startswith('421 4.7.0'), client.greeting
    line = gate.wait_for_log('smtp.connection_refused')
    assert f'client_ip={SHOP} listener=balanced ' \
        'setting=limits.connection_rate' in line, line


def test_bad_commands(make_gate):
    gate = make_gate(zone=ZONE, limits={'bad_commands': 3})
    with gate.client() as client:
        replies = [client.command('GET / HTTP/1.0')[:3] for _ in range(2)]
        assert replies == ['500', '500']
        client.send(b'Host: x\r\n')
        said = client.reply() + client.reply()
        assert '421' in said, said
        assert client.is_closed()


def test_timeouts(make_gate):
    gate = make_gate(zone=ZONE, limits={'command_timeout': '300ms',
                                        'data_timeout': '300ms'})
    with gate.client() as client:
        began = time.monotonic()
        reply = client.reply()
        assert reply.startswith('421 4.4.2'), reply
        assert 'limits.command_timeout' in reply
        assert 0.2 < time.monotonic() - began < 3
        assert client.is_closed()
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.command('DATA')
        client.send(b'Subject: never')
        reply = client.reply()
        assert reply.startswith('421 4.4.2'), reply
        assert 'limits.data_timeout' in reply
    # A command byte by byte does not win time.
    with gate.client() as client:
        began = time.monotonic()
        try:
            for _ in range(30):
                client.send(b'N')
                time.sleep(0.05)
        except OSError:
            pass
        assert client.reply()[:3] in ('421', '')
        assert time.monotonic() - began < 3
    assert gate.delivered() == []


def memory(pid):
    """RSS in bytes."""
    with open(f'/proc/{pid}/statm') as file:
        return int(file.read().split()[1]) * 4096


def test_large_message_needs_little_memory(make_gate, make_hop):
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route,
                     limits={'spool_memory': '1M'})
    gate.mail(message())
    pid = gate.children()['smtp']
    before = memory(pid)
    sent = message(body=('z' * 76 + '\n') * (20 * 1024 * 1024 // 78))
    assert len(sent) > 20 * 1000 * 1000
    peak = before
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.command('DATA')
        octets = stuff(sent)
        for start in range(0, len(octets), 1 << 20):
            client.send(octets[start:start + (1 << 20)])
            peak = max(peak, memory(pid))
        reply = client.reply()
        assert reply[:3] == '250', reply + gate.log()
        peak = max(peak, memory(pid))
    assert hop.messages[1].octets.endswith(sent)
    if is_sanitized():
        return
    # What is mapped from the spool's file counts too: it is not the heap.
    with open(f'/proc/{pid}/status') as file:
        anonymous = int(next(line for line in file if line.startswith(
            'RssAnon')).split()[1]) * 1024
    assert anonymous < 60 * 1024 * 1024, anonymous
    assert peak - before < 40 * 1024 * 1024, (before, peak)


# TLS.

def test_starttls_forgets_what_came_before(gate):
    """Commands sent in the clear behind STARTTLS are not run inside."""
    with gate.client() as client:
        client.send(b'STARTTLS\r\nMAIL FROM:<evil@plain.example>\r\n'
                    b'RCPT TO:<user@agency.example>\r\n')
        assert client.reply()[:3] == '220'
        client.wrap()
        assert client.command('RCPT TO:<user@agency.example>')[:3] == '503'
        client.hello('client.example')
        assert 'STARTTLS' not in client.extensions
        assert client.mail(SENDER, USER, message())[:3] == '250'
    arrived, = gate.delivered()
    assert 'ESMTPS' in field(arrived, 'Received')


def test_implicit_and_required_tls(gate):
    with Smtp(gate.ports['tls'], implicit_tls=True) as client:
        assert client.mail(SENDER, USER, message())[:3] == '250'
    with Smtp(gate.ports['strict']) as client:
        assert client.command(f'MAIL FROM:<{SENDER}>').startswith(
            '530 5.7.0')
        client.starttls()
        assert client.mail(SENDER, USER, message())[:3] == '250'


def test_client_certificate_makes_a_connector(gate, authority,
                                              tmp_path_factory):
    own = authority.issue('mx7.cloud.example')
    other = authority.issue('mx7.elsewhere.example')
    deep = authority.issue('a.b.cloud.example')
    # The common name counts where nothing else says who it is (RFC 6125).
    common = authority.issue('mx8.cloud.example', '')
    person = authority.issue('mx9.cloud.example', 'email:x@cloud.example')
    forged = Authority(tmp_path_factory.mktemp('other')).issue(
        'mx7.cloud.example')
    cases = [(own, '250'), (other, '550'), (deep, '550'), (forged, None),
             (common, '250'), (person, '550'), ((None, None), '550')]
    for (certificate, key), code in cases:
        sent = message('director@agency.example')
        try:
            with Smtp(gate.ports['relay']) as client:
                client.starttls(certificate=certificate, key=key)
                reply = client.mail('director@agency.example', USER, sent)
        except (ssl.SSLError, OSError):
            reply = '550 handshake'
        assert reply.startswith(code or '5'), (certificate, reply)
        if code == '250':
            trace = gate.explain(message_id(sent))
            assert trace['client']['connector'] == 'Partner'


# Proxies.

def test_proxy_protocol(gate):
    """Versions 1 and 2: the client is who the balancer says."""
    version_2 = (b'\r\n\r\n\0\r\nQUIT\n' + b'\x21\x11' +
                 struct.pack('!H', 12) + socket.inet_aton(SHOP) +
                 socket.inet_aton('127.0.0.1') + struct.pack('!HH', 999, 25))
    version_1 = f'PROXY TCP4 {SHOP} 127.0.0.1 999 25\r\n'.encode()
    local = b'\r\n\r\n\0\r\nQUIT\n' + b'\x20\0\0\0'
    for header, ip in ((version_1, SHOP), (version_2, SHOP),
                       (local, '127.0.0.1')):
        sent = message()
        with Smtp(gate.ports['balanced'], proxy=header) as client:
            assert client.mail(SENDER, USER, sent)[:3] == '250'
        assert gate.explain(message_id(sent))['client']['ip'] == ip
    stranger = f'PROXY TCP4 {STRANGER} 127.0.0.1 999 25\r\n'.encode()
    with Smtp(gate.ports['balanced'], proxy=stranger) as client:
        assert client.mail(SENDER, USER, message()).startswith('550 5.7.1')
    # No header, or nonsense: no greeting.
    for octets in (b'EHLO x\r\n', b'PROXY TCP4 x y 1 2\r\n', b'\x16\x03\x01'):
        with Smtp(gate.ports['balanced'], proxy=octets + b'\r\n' * 20,
                  helo=None) as client:
            assert client.greeting == '', client.greeting


def test_proxy_header_from_a_stranger(gate):
    header = f'PROXY TCP4 {SHOP} 127.0.0.1 999 25\r\n'.encode()
    with Smtp(gate.port, proxy=header, helo=None) as client:
        assert client.reply().startswith('550 5.7.1')
        assert client.is_closed()


def test_xclient_only_for_those_that_may(gate):
    with gate.client() as client:
        assert 'XCLIENT' in client.extensions
        answer = client.command(f'XCLIENT ADDR={SHOP} NAME=mail.shop.example '
                                'HELO=mail.shop.example PORT=25')
        assert answer.startswith('220'), answer
        sent = message()
        client.hello('mail.shop.example')
        assert client.mail(SENDER, USER, sent)[:3] == '250'
    told = gate.explain(message_id(sent))['client']
    assert (told['ip'], told['name']) == (SHOP, 'mail.shop.example')
    with gate.client(source='127.0.1.1') as client:
        assert 'XCLIENT' not in client.extensions
        assert client.command(f'XCLIENT ADDR={SHOP}')[:3] == '500'


# Two gateways in a row.

def test_gateway_behind_gateway(make_gate, authority, tls):
    """TLS that must be, and a PROXY header, towards the next hop."""
    behind = make_gate(zone=ZONE, listeners=[
        listener(tls=tls, proxy_protocol=['127.0.0.1'])])
    route = {'domains': ['agency.example'], 'tls': 'must',
             'tls_ca': authority.path, 'proxy_protocol': 2,
             'next_hop': f'smtp:[127.0.0.1]:{behind.port}'}
    front = make_gate(zone=ZONE, routes=[dict(
        route, tls='may')], hostname='mx0.agency.example')
    sent = message()
    assert front.mail(sent, ip=SHOP).startswith('250')
    arrived, = behind.delivered()
    assert arrived.endswith(sent)
    assert behind.explain(message_id(sent))['client']['ip'] == SHOP
    assert behind.explain(message_id(sent))['client']['tls'] == 'TLSv1.3'
    # The certificate does not name 127.0.0.1: "must" does not send.
    front.write(routes=[route])
    front.reload()
    reply = front.mail(message(), ip=SHOP)
    assert reply.startswith('4'), reply
    assert len(behind.delivered()) == 1


# Submission.

class Mailbox:
    """An aiosmtpd next hop with logins."""

    def __init__(self):
        self.taken = []

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((session.auth_data, envelope))
        return '250 2.0.0 kept'


def authenticator(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and \
        (data.login, data.password) == (b'ann', b's3cret')
    return AuthResult(success=good, handled=good,
                      auth_data=data.login if good else None)


@pytest.fixture
def mailbox():
    """A next hop that wants a login, and what it took."""
    mailbox = Mailbox()
    hop = Controller(mailbox, hostname='127.0.0.1', port=free_port(),
                     authenticator=authenticator, auth_required=True,
                     auth_require_tls=False)
    hop.start()
    mailbox.route = {'domains': ['*'],
                     'next_hop': f'smtp:[127.0.0.1]:{hop.port}'}
    yield mailbox
    hop.stop()


def test_submission_asks_the_next_hop(make_gate, tls, mailbox):
    gate = make_gate(zone=ZONE, routes=[mailbox.route], listeners=[
        listener('submission', 'submission', tls=tls)])
    with Smtp(gate.port) as client:
        assert 'AUTH' not in client.extensions
        assert client.command('AUTH PLAIN AGFubgBzM2NyZXQ=')[0] == '5'
        client.starttls()
        assert 'AUTH PLAIN LOGIN' in client.extensions
        assert client.command(f'MAIL FROM:<{USER}>').startswith('530')
        # ann:wrong
        reply = client.command('AUTH PLAIN AGFubgB3cm9uZw==')
        assert reply.startswith('535 5.7.8'), reply
        reply = client.command('AUTH PLAIN AGFubgBzM2NyZXQ=')
        assert reply.startswith('235'), reply
        sent = message(USER, 'x@elsewhere.example')
        assert client.mail(USER, 'x@elsewhere.example',
                           sent).startswith('250 2.0.0 kept')
    (login, envelope), = mailbox.taken
    assert login == b'ann'
    assert envelope.content.endswith(sent)
    trace = gate.explain(message_id(sent))
    assert trace['client']['authenticated_as'] == 'ann'
    assert 's3cret' not in gate.log() and 'AGFubg' not in gate.log()


def test_the_log_says_why_a_login_cannot_be_checked(make_gate, tls, tmp_path):
    with Hop() as hop:
        for next_hop, error in ((hop.route, 'neither PLAIN nor LOGIN'),
                                (f'maildir:{tmp_path}', 'no server')):
            gate = make_gate(
                zone=ZONE, routes=[{'domains': ['*'], 'next_hop': next_hop}],
                listeners=[listener('submission', 'submission', tls=tls)])
            with Smtp(gate.port) as client:
                client.starttls()
                reply = client.command('AUTH PLAIN AGFubgBzM2NyZXQ=')
            assert reply.startswith('454 4.7.0 your login cannot'), reply
            line, = re.findall('smtp.login_deferred.*', gate.log())
            assert error in line


def test_guessing_of_passwords_is_counted_per_network(make_gate, tls, mailbox):
    """A new connection for every few tries does not help."""
    gate = make_gate(zone=ZONE, routes=[mailbox.route], listeners=[
        listener('submission', 'submission', tls=tls, xclient=['127.0.0.1'])],
        limits={'failed_logins': 2})

    def log_in(ip, token):
        with Smtp(gate.port) as client:
            client.starttls()
            assert client.command(f'XCLIENT ADDR={ip}')[:3] == '220'
            client.hello('client.example')
            return client.command('AUTH PLAIN ' + token)

    for ip in ('192.0.2.1', '192.0.2.2'):
        assert log_in(ip, 'AGFubgB3cm9uZw==').startswith('535')
    for token in ('AGFubgB3cm9uZw==', 'AGFubgBzM2NyZXQ='):
        reply = log_in('192.0.2.3', token)
        assert reply.startswith('454 4.7.0 too many failed logins'), reply
        assert 'limits.failed_logins' in reply
    assert log_in('198.51.100.1', 'AGFubgBzM2NyZXQ=').startswith('235')


def test_login_ends_with_xclient(make_gate, tls, mailbox):
    """What a proxy sends for its next client is not sent by the last one."""
    gate = make_gate(zone=ZONE, routes=[mailbox.route], listeners=[
        listener('submission', 'submission', tls=tls, xclient=['127.0.0.1'])])
    with Smtp(gate.port) as client:
        client.starttls()
        assert client.command('AUTH PLAIN AGFubgBzM2NyZXQ=')[:3] == '235'
        assert client.command('XCLIENT LOGIN=bob')[:3] == '220'
        client.hello('client.example')
        reply = client.mail(USER, 'x@elsewhere.example', message(USER))
        assert reply.startswith('451 4.3.5'), reply
        client.command('RSET')
        # Logged in again, it is ann's.
        assert client.command('XCLIENT ADDR=127.0.0.1')[:3] == '220'
        client.hello('client.example')
        assert client.command('AUTH PLAIN AGFubgBzM2NyZXQ=')[:3] == '235'
        assert client.mail(USER, 'x@elsewhere.example',
                           message(USER))[:3] == '250'
    (login, _), = mailbox.taken
    assert login == b'ann'
