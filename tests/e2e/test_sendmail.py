# SPDX-License-Identifier: Apache-2.0
"""Sendmail asks Gatehouse as its milter, and passes on to a recording hop."""
import os
import pathlib
import shutil
import tempfile

import pytest

import odd
import senders
import sendmail
from certificates import Authority
from dnsserver import DnsServer, Zone
from gatehouse import listener
from mail import field, message, message_id
from net import Smtp, free_port, wait_until
from sendmail import Sendmail
from world import PARTNER, ZONE

BUILD = pathlib.Path(os.environ.get(
    'GATEHOUSE_BINARY', 'build/src/cli/gatehouse')).resolve().parents[2]

# Clients are told apart by the loopback address that they come from:
# 127.0.0.1 may send for shop.example.
STRANGER = '127.0.0.66'
HOSTS = '127.0.0.1 mail.shop.example\n'


class Pair:
    """A Gatehouse, the Sendmail that asks it, and what lies behind."""

    def __init__(self, gate, mta, hop):
        self.gate = gate
        self.mta = mta
        self.hop = hop

    def client(self, ip='127.0.0.1', **more):
        return Smtp(self.mta.port, helo='mail.shop.example', source=ip, **more)

    def mail(self, octets, sender='news@shop.example',
             to='user@agency.example', **more):
        with self.client(**more) as smtp:
            return smtp.mail(sender, to, octets)

    def arrived(self, wanted=1, seconds=10):
        wait_until(lambda: len(self.hop.messages) >= wanted, seconds,
                   f'{wanted} messages, {self.mta.queued()}')
        return [taken.octets for taken in self.hop.messages]


@pytest.fixture
def safe():
    """Sendmail uses no socket and no key below a folder that everybody may
    write to."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='gatehouse-e2e-', dir='/run'))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_pair(folder, safe, make_gate, make_hop):
    try:
        root = sendmail.unpack(BUILD)
    except sendmail.Missing as reason:
        pytest.skip(f'no Sendmail: {reason}')
    made = []

    def make(unix=False, hop=None, timeouts='C:5s;S:10s;R:20s;E:1m', more='',
             **changes):
        if unix:
            listeners = [{'name': 'mta', 'role': 'milter',
                          'address': f'unix:{safe}/socket'}]
        else:
            listeners = [listener('mta', 'milter')]
        gate = make_gate(zone=ZONE, listeners=listeners, routes=[], **changes)
        address = (f'unix:{safe}/socket' if unix else
                   f'inet:{gate.ports["mta"]}@127.0.0.1')
        hop = make_hop(hop)
        mta = Sendmail(root, folder / f'mta{len(made)}', free_port(), hop.port,
                       address, timeouts=timeouts, more=more, hosts=HOSTS)
        made.append(mta.start())
        return Pair(gate, mta, hop)

    yield make
    for mta in made:
        mta.stop()


@pytest.fixture
def pair(make_pair):
    return make_pair()


@pytest.mark.parametrize('unix', [False, True], ids=['tcp', 'unix'])
def test_accepted_with_our_fields(make_pair, unix):
    pair = make_pair(unix=unix)
    sent = PARTNER.sign(message('orders@partner.example'))
    assert pair.mail(sent).startswith('250')
    arrived, = pair.arrived()
    # Ours stand below the Received of Sendmail; the rest is as it was.
    position = arrived.index(b'DKIM-Signature:')
    assert arrived[position:] == sent
    top = arrived[:position].decode()
    assert top.startswith('Received: from mail.shop.example ')
    assert top.index('by mx.agency.example') < \
        top.index('Authentication-Results: mx1.agency.example;')
    results = field(arrived, 'Authentication-Results')
    for word in ('dkim=pass', 'dmarc=pass', 'spf=pass'):
        assert word in results, results
    line = pair.gate.wait_for_log('message.verdict')
    assert 'client=127.0.0.1' in line and 'recipients=1' in line, line
    queue_id = top.split(' with ESMTP id ')[1].split()[0]
    assert f'queue_id={queue_id}' in pair.gate.wait_for_log('message.verdict')


def test_nothing_changes_on_the_way(pair):
    """Octet by octet, to us and to the mailbox."""
    with pair.client() as smtp:
        odd.check(
            lambda octets: smtp.mail(
                'news@shop.example', 'user@agency.example', octets),
            pair.arrived, PARTNER)


def test_rejected_with_our_words(pair):
    sent = message('service@bank.example')
    reply = pair.mail(sent, ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply
    assert 'DMARC policy of bank.example (p=reject)' in reply
    assert pair.gate.explain_reply(reply)['verdict'] == 'reject'
    assert pair.gate.explain(message_id(sent))['policy'] == 'dmarc'


@pytest.mark.parametrize('local', [False, True], ids=['relayed', 'local'])
def test_own_domain_in_disguise(make_pair, local):
    """Whatever Sendmail makes an address of ours, or passes on as one: of a
    domain that it relays for, and of one that it has mailboxes for."""
    pair = make_pair(
        more="LOCAL_DOMAIN(`agency.example')dnl" if local else '')
    replies = senders.check_ours(pair, STRANGER,
                                to='<user@far.agency.example>')
    assert replies['<director@(x)agency.example>'] == \
        ('550 5.1.7' if local else '550 5.7.1')
    assert replies['<director%agency.example>'] == '550 5.1.7'
    with pair.client() as smtp:
        assert senders.mail(smtp, '<news@(x)shop.example>',
                        '<user@far.agency.example>').startswith('250')
    assert 'from=news@shop.example ' in \
        pair.gate.wait_for_log('verdict=accept')


@pytest.fixture
def dns():
    """What answers nothing of broken.example, and is slow in it."""
    zone = Zone()
    zone.add('shop.example', 'TXT', 'v=spf1 ip4:127.0.0.1 -all')
    zone.fail('_dmarc.broken.example', 'TXT')
    zone.time_out('_dmarc.slow.example')
    with DnsServer(zone) as server:
        yield {'zone': '', 'servers': [server.address], 'trust_anchor': ''}


def test_deferred_with_our_words(make_pair, dns):
    pair = make_pair(dns=dns)
    reply = pair.mail(message('a@broken.example'))
    assert reply.startswith('451 4.'), reply
    assert 'broken.example' in reply and '(id ' in reply, reply
    assert pair.gate.explain_reply(reply)['verdict'] == 'defer'


def test_slow_dns(make_pair, dns):
    """Sendmail waits R: for each answer; ours takes longer, and says so."""
    pair = make_pair(dns=dns, timeouts='C:5s;S:10s;R:7s;E:1m',
                     limits={'dns_query_timeout': '10s', 'dns_time': '25s'})
    reply = pair.mail(message('a@slow.example'))
    assert reply.startswith('451 4.') and '(id ' in reply, reply
    assert 'milter.failure' not in pair.gate.log()


def test_forged_results_are_removed(pair):
    assert pair.mail(message(fields=odd.MIXED_RESULTS)).startswith('250')
    arrived, = pair.arrived()
    odd.check_mixed_results(arrived)


def test_forged_results_in_disguise(pair):
    """However Sendmail reads them.  It takes no bare CR."""
    for name, octets in odd.forgeries():
        reply = pair.mail(octets)
        assert reply[:3] == ('421' if 'CR' in name else '250'), (name, reply)
    odd.check_forgeries(pair.arrived(wanted=len(odd.FORGED) - 1))


def test_quarantine_in_our_store(pair):
    sent = message('news@quarantine.example')
    assert pair.mail(sent, ip=STRANGER).startswith('250')
    held, = pair.gate.quarantine()
    assert held['message_id'].strip('<>') == message_id(sent)
    assert pair.mta.queued() == [] and pair.hop.messages == []


def test_quarantine_of_sendmail(make_pair):
    pair = make_pair(milter={'quarantine': 'mta'})
    sent = message('news@quarantine.example')
    assert pair.mail(sent, ip=STRANGER).startswith('250')
    assert pair.gate.quarantine() == []
    text = wait_until(pair.mta.quarantined, 5, 'the quarantine')
    assert 'QUARANTINE: unauthenticated mail from quarantine.example' in text
    assert '<user@agency.example>' in text
    assert pair.gate.explain(message_id(sent))['verdict'] == 'quarantine'
    assert pair.hop.messages == []
    # The administrator lets it go.
    pair.mta.run('-qQ', '-Q')
    pair.mta.run('-qf')
    assert sent.split(b'\r\n\r\n')[1] in pair.arrived()[0]


def test_one_connection_for_all_of_a_session(make_pair):
    """Accepted, refused, reset by the client, greeted again: one milter
    connection, and nothing of one message in the next."""
    pair = make_pair(log={'trace': ['smtp']})
    with pair.client() as smtp:
        for _ in range(3):
            assert smtp.mail('news@shop.example', 'user@agency.example',
                             message()).startswith('250')
            assert smtp.mail('news@shop.example', 'user@agency.example',
                             message('a@bank.example')).startswith('550')
            for rcpt in ([], ['user@agency.example']):
                smtp.command('MAIL FROM:<a@bank.example>')
                for one in rcpt:
                    smtp.command(f'RCPT TO:<{one}>')
                assert smtp.command('RSET').startswith('250')
            smtp.command('MAIL FROM:<news@shop.example>')
            assert smtp.command('RCPT TO:<user@>')[0] == '5'
            smtp.hello('mail.shop.example')
        smtp.command('QUIT')
    assert len(pair.arrived(wanted=3)) == 3
    wait_until(lambda: 'messages=6 ' in pair.gate.log(), 5,
               'one session of six messages')
    assert 'milter.failure' not in pair.gate.log()
    for line in pair.gate.log().split('\n'):
        if 'message.verdict' in line:
            assert 'recipients=1 ' in line, line


def test_refused_recipients(pair):
    """Sendmail's own matter: they are not in what we judge."""
    with pair.client(ip=STRANGER) as smtp:
        smtp.command('MAIL FROM:<news@none.example>')
        assert smtp.command('RCPT TO:<user@far.example>')[0] == '5'
        assert smtp.command('RCPT TO:<user@agency.example>')[0] == '2'
        assert smtp.data(message('news@none.example')).startswith('250')
    pair.arrived()
    assert 'recipients=1 ' in pair.gate.wait_for_log('message.verdict')


def test_client_gone_in_the_middle(pair):
    for text in ('MAIL FROM:<news@shop.example>', 'RCPT TO:<u@agency.example>',
                 'DATA', 'Subject: x\r\n\r\nhalf'):
        smtp = pair.client()
        for one in ('MAIL FROM:<news@shop.example>',
                    'RCPT TO:<u@agency.example>', 'DATA', text):
            smtp.send(one.encode() + b'\r\n')
            if one == text:
                break
            smtp.reply()
        smtp.reset()
    pair.gate.metric('gatehouse_milter_connections', 0, seconds=10)
    assert 'milter.failure' not in pair.gate.log()
    assert pair.mail(message()).startswith('250')
    assert len(pair.arrived()) == 1


def test_away(pair):
    """F=T: mail waits at the sender while there is no Gatehouse, and a
    connection that began before it went fails for a time, too."""
    with pair.client() as smtp:
        assert smtp.mail('news@shop.example', 'user@agency.example',
                         message()).startswith('250')
        pair.gate.stop()
        assert smtp.mail('news@shop.example', 'user@agency.example',
                         message('a@bank.example'))[0] == '4'
    with Smtp(pair.mta.port, helo=None) as smtp:
        assert smtp.greeting[0] == '4' or smtp.mail(
            'news@shop.example', 'user@agency.example', message())[0] == '4'
    pair.gate.start()
    assert pair.mail(message('a@bank.example')).startswith('550')
    assert pair.mail(message()).startswith('250')
    assert len(pair.arrived(wanted=2)) == 2


def test_restart_of_sendmail(pair):
    assert pair.mail(message()).startswith('250')
    pair.mta.stop()
    pair.mta.start()
    assert pair.mail(message()).startswith('250')
    assert len(pair.arrived(wanted=2)) == 2


def test_client_certificate(make_pair, safe):
    """What Sendmail has verified of the client is a connector's to know."""
    authority = Authority(safe / 'ca')
    server = authority.issue('mx.agency.example')
    client = authority.issue('scanner.agency.example')
    for _, key in (server, client):
        os.chmod(key, 0o600)
    pair = make_pair(
        more=f'''define(`confCACERT', `{authority.path}')dnl
define(`confCACERT_PATH', `{authority.folder}')dnl
define(`confSERVER_CERT', `{server[0]}')dnl
define(`confSERVER_KEY', `{server[1]}')dnl
define(`confTLS_SRV_OPTIONS', `')dnl
''',
        connectors=[{'name': 'Scanner', 'treat_as': 'internal',
                     'tls_names': ['scanner.agency.example']}])
    sent = message('scan@agency.example')
    # Without the certificate it is anybody.
    with pair.client(ip=STRANGER) as smtp:
        smtp.starttls('scanner')
        assert smtp.mail('scan@agency.example', 'user@agency.example',
                         sent).startswith('550 5.7.1')
    with pair.client(ip=STRANGER) as smtp:
        smtp.starttls('scanner', *client)
        reply = smtp.mail('scan@agency.example', 'user@agency.example', sent)
        assert reply.startswith('250'), reply
    assert 'connector=Scanner' in pair.gate.wait_for_log('verdict=accept')
