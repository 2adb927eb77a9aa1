# SPDX-License-Identifier: Apache-2.0
"""What published policy and our own domains lead to."""
import datetime
import itertools

import pytest

from gatehouse import Gatehouse, listener
from mail import field, fields, message, message_id
from world import LIST, LISTS, PARTNER, SHOP, SOFT, STRANGER, ZONE

LIST_TRUST = {'trusted_intermediaries': [
    {'arc_sealer': 'lists.example', 'reason': 'our list'}]}


def step(trace, policy):
    return next(one for one in trace['steps'] if one['policy'] == policy)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """A gateway with a Maildir, for the tests that do not change it."""
    gate = Gatehouse(tmp_path_factory.mktemp('gate'), zone=ZONE).start()
    yield gate
    gate.stop()


@pytest.fixture
def gate(shared):
    """The same; delivered() begins empty."""
    for path in (shared.maildir / 'new').glob('*'):
        path.unlink()
    return shared


def test_good_mail_passes(gate):
    sent = message()
    reply = gate.mail(sent, ip=SHOP)
    assert reply.startswith('250'), reply
    arrived, = gate.delivered()
    assert arrived.endswith(sent)
    trace = gate.explain(message_id(sent), delivery=True)
    assert trace['verdict'] == 'accept'
    assert trace['dmarc']['result'] == 'pass'
    assert trace['client']['ip'] == SHOP


# DMARC.

def test_reject_policy_refuses_a_stranger(gate):
    sent = message('service@bank.example')
    reply = gate.mail(sent, 'bounce@plain.example', ip=STRANGER)
    assert reply.startswith('550 5.7.1 '), reply
    assert 'DMARC policy of bank.example' in reply
    assert gate.delivered() == []
    trace = gate.explain_reply(reply)
    assert trace['verdict'] == 'reject'
    assert trace['policy'] == 'dmarc'
    assert trace['reply'] == reply
    assert trace['dmarc']['record'] == 'v=DMARC1; p=reject'
    assert trace['message_id'].strip('<>') == message_id(sent)
    assert trace['mail_from'] == 'bounce@plain.example'


def test_quarantine_policy_holds_and_release_delivers(gate):
    sent = message('service@quarantine.example')
    reply = gate.mail(sent, 'bounce@plain.example', ip=STRANGER)
    assert reply.startswith('250 2.6.0 '), reply
    assert gate.delivered() == []
    identity = message_id(sent)
    held = next(row for row in gate.quarantine()
                if row['message_id'].strip('<>') == identity)
    assert held['sender'] == 'bounce@plain.example'
    assert held['recipients'] == ['user@agency.example']
    assert 'quarantine.example' in held['reason']
    assert gate.explain(identity)['verdict'] == 'quarantine'
    raw = gate.run('quarantine', 'show', '--raw', held['id'], '-c',
                   str(gate.path))
    assert raw.encode().endswith(sent)
    out = gate.run('quarantine', 'release', held['id'], '-c', str(gate.path))
    assert '250' in out
    arrived, = gate.delivered()
    assert arrived.endswith(sent)
    assert 'dmarc=fail' in field(arrived, 'Authentication-Results')
    # Its way is recorded as that of any other message.
    received, = fields(arrived, 'Received')
    assert STRANGER in received and 'by mx1.agency.example' in received
    assert held['id'] not in [row['id'] for row in gate.quarantine()]


def test_release_to_one_and_then_to_the_others(gate):
    """Each recipient gets it once; the list shows who waits."""
    sent = message('service@quarantine.example')
    both = ['user@agency.example', 'other@agency.example']
    assert gate.mail(sent, 'bounce@plain.example', both,
                     ip=STRANGER).startswith('250 2.6.0 ')
    held = gate.quarantine()[0]
    assert held['recipients'] == held['held_for'] == both
    out = gate.run('quarantine', 'release', '--to', both[1], held['id'], '-c',
                   str(gate.path))
    assert both[0] not in out and f'<{both[1]}> 250' in out
    assert len(gate.delivered()) == 1
    assert gate.quarantine()[0]['held_for'] == both[:1]
    out = gate.run('quarantine', 'release', held['id'], '-c', str(gate.path))
    assert f'<{both[0]}> 250' in out
    assert f'<{both[1]}> has it already, since 20' in out
    assert len(gate.delivered()) == 2
    assert held['id'] not in [row['id'] for row in gate.quarantine()]


def test_testing_policy_is_one_step_milder(gate):
    """p=reject; t=y: RFC 9989 asks for the next lower policy."""
    sent = message('service@testing.example')
    reply = gate.mail(sent, 'bounce@plain.example', ip=STRANGER)
    trace = gate.explain(message_id(sent))
    assert trace['dmarc']['policy'] == 'reject'
    assert trace['dmarc']['applied_policy'] == 'quarantine'
    assert trace['verdict'] == 'quarantine', reply


def test_policy_none_passes(gate):
    sent = message('service@none.example')
    assert gate.mail(sent, 'bounce@plain.example',
                     ip=STRANGER).startswith('250')
    arrived, = gate.delivered()
    assert 'dmarc=fail' in field(arrived, 'Authentication-Results')
    assert gate.explain(message_id(sent))['verdict'] == 'accept'


def test_enforce_false_passes_and_is_recorded(make_gate):
    gate = make_gate(zone=ZONE, authentication={'dmarc': {'enforce': False}})
    sent = message('service@bank.example')
    assert gate.mail(sent, 'bounce@plain.example',
                     ip=STRANGER).startswith('250')
    assert len(gate.delivered()) == 1
    trace = gate.explain(message_id(sent))
    assert trace['verdict'] == 'accept'
    dmarc = step(trace, 'dmarc')
    assert dmarc['matched'] and not dmarc['enforced']
    gate.metric('gatehouse_policy_reports_total{policy="dmarc"}', 1)


def test_junk_header_instead_of_quarantine(make_gate):
    gate = make_gate(zone=ZONE, authentication={
        'dmarc': {'quarantine_action': 'junk_header'}})
    sent = message('service@quarantine.example')
    assert gate.mail(sent, 'bounce@plain.example',
                     ip=STRANGER).startswith('250')
    arrived, = gate.delivered()
    assert field(arrived, 'X-Spam-Flag') == 'YES'


def test_softfail_with_an_aligned_signature_passes(gate):
    sent = SOFT.sign(message('news@soft.example'))
    assert gate.mail(sent, 'news@soft.example', ip=STRANGER)[:3] == '250'
    trace = gate.explain(message_id(sent))
    assert trace['spf']['result'] == 'softfail'
    assert trace['dmarc']['result'] == 'pass'
    assert trace['dmarc']['dkim_aligned'] is True


def test_broken_signature_fails(gate):
    sent = PARTNER.sign(message('orders@partner.example')).replace(
        b'Hello.', b'Hallo.')
    reply = gate.mail(sent, 'orders@partner.example', ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply
    assert gate.explain_reply(reply)['dkim'][0]['result'] == 'fail'


# Mailing lists.

def through_the_list():
    """A signed message that the list changed and sealed."""
    original = PARTNER.sign(message('orders@partner.example',
                                    subject='Your order'))
    changed = original.replace(b'Subject: ', b'Subject: [list] ')
    return LISTS.seal(changed, 'dkim=pass header.d=partner.example;'
                      ' dmarc=pass header.from=partner.example')


def test_list_without_trust_is_refused(gate):
    reply = gate.mail(through_the_list(), 'bounce@lists.example', ip=LIST)
    assert reply.startswith('550 5.7.1'), reply
    trace = gate.explain_reply(reply)
    assert trace['arc']['result'] == 'pass'
    assert trace['arc']['sealer'] == 'lists.example'


def test_trusted_sealer_explains_the_failure(make_gate):
    gate = make_gate(zone=ZONE, authentication=LIST_TRUST)
    sent = through_the_list()
    assert gate.mail(sent, 'bounce@lists.example', ip=LIST)[:3] == '250'
    trace = gate.explain(message_id(sent))
    assert 'lists.example' in trace['dmarc']['override']
    arrived, = gate.delivered()
    assert arrived.endswith(sent)
    # The seal covers the content: another message under it is refused.
    forged = sent.replace(b'Hello.', b'Hallo.')
    assert gate.mail(forged, 'bounce@lists.example',
                     ip=LIST).startswith('550 5.7.1')


# Our own domain.

def test_own_domain_spoof_is_refused(gate):
    for sender in ('bounce@plain.example', 'director@agency.example', ''):
        sent = message('director@agency.example')
        reply = gate.mail(sent, sender, ip=STRANGER)
        assert reply.startswith('550 5.7.1'), reply
        trace = gate.explain_reply(reply)
        assert trace['policy'] == 'own-domain', trace['policy']
        assert trace['own_domain']['result'] == 'fail'
    assert gate.delivered() == []


def test_own_subdomain_spoof_is_refused(gate):
    reply = gate.mail(message('it@hr.agency.example'), 'x@plain.example',
                      ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply


def test_spoof_does_not_tell_which_mailboxes_exist(make_gate, make_hop):
    """The same answer for a mailbox that is there and one that is not."""
    hop = make_hop({'RCPT': lambda line: '250 2.1.5 ok' if '<user@' in line
                    else '550 5.1.1 no such user'})
    gate = make_gate(zone=ZONE, route=hop.route)
    replies = []
    for to in ('user@agency.example', 'nobody@agency.example'):
        sent = message('director@agency.example', to)
        reply = gate.mail(sent, 'director@agency.example', to, ip=STRANGER)
        assert reply.startswith('550 5.7.1'), reply
        assert gate.explain_reply(reply)['own_domain']['result'] == 'fail'
        replies.append(reply.split(' (id')[0])
    assert replies[0] == replies[1]
    # Without the forgery the next hop's own answer is told.
    assert gate.mail(message(), to='nobody@agency.example',
                     ip=SHOP).startswith('550 5.1.1')
    assert hop.messages == []


def test_own_domains_report_accepts_and_tells(make_gate):
    gate = make_gate(zone=ZONE, authentication={'own_domains': 'report'})
    sent = message('director@agency.example')
    assert gate.mail(sent, 'director@agency.example',
                     ip=STRANGER).startswith('250')
    own = step(gate.explain(message_id(sent)), 'own-domain')
    assert own['matched'] and not own['enforced']
    report = gate.json('report', 'own-domain')
    assert STRANGER in str(report)
    assert len(gate.delivered()) == 1


# Header firewall.

def test_forged_trust_headers_are_removed(gate):
    ours = ('Authentication-Results: mx1.agency.example; dmarc=pass\n'
            'authentication-results: MX1.AGENCY.EXAMPLE 1; spf=pass\n'
            'X-MS-Exchange-Organization-AuthAs: Internal\n'
            'X-MS-Exchange-Organization-SCL: -1\n'
            'X-Forefront-Antispam-Report: SFV:SKI\n')
    others = ('Authentication-Results: relay.shop.example; spf=pass\n'
              'X-Mailer: test\n')
    sent = message(fields=ours + others)
    assert gate.mail(sent, ip=SHOP).startswith('250')
    arrived, = gate.delivered()
    results = fields(arrived, 'Authentication-Results')
    assert len(results) == 2, results
    assert results[0].startswith('mx1.agency.example; ')
    assert 'spf=pass' in results[0]
    assert results[1] == 'relay.shop.example; spf=pass'
    assert b'X-MS-Exchange' not in arrived
    assert b'X-Forefront' not in arrived
    assert b'X-Mailer: test\r\n' in arrived
    trace = gate.explain(message_id(sent))
    assert len(trace['headers']['removed']) == 5


def test_what_microsoft_seals_is_left(gate):
    """Exchange Online's ARC seals cover fields of its own."""
    fields = [b'X-MS-Exchange-AntiSpam-MessageData-ChunkCount',
              b'X-MS-Exchange-AntiSpam-MessageData-0']
    sent = LISTS.seal(
        message(fields=''.join(f'{name.decode()}: 1\n' for name in fields)),
        'spf=pass smtp.mailfrom=shop.example', [b'from', *fields])
    assert gate.mail(sent, ip=SHOP).startswith('250')
    arrived, = gate.delivered()
    assert LISTS.seal_verifies(arrived)
    assert gate.explain(message_id(sent))['headers']['removed'] == []


# Connectors and relaying.

SCANNER = {'name': 'Scanner floor 3', 'addresses': ['192.0.2.77'],
           'may_send_as': ['agency.example'], 'owner': 'facilities',
           'reason': 'multi-function device'}


@pytest.mark.parametrize('days, passes', [(1, True), (-1, False)])
def test_connector_exception_ends_on_its_date(make_gate, days, passes):
    date = datetime.datetime.now(datetime.timezone.utc).date() + \
        datetime.timedelta(days=days)
    gate = make_gate(zone=ZONE, connectors=[dict(SCANNER, expires=date)])
    sent = message('scanner@agency.example')
    reply = gate.mail(sent, 'scanner@agency.example', ip='192.0.2.77')
    if passes:
        assert reply.startswith('250'), reply
        trace = gate.explain(message_id(sent))
        assert trace['client']['connector'] == SCANNER['name']
        assert trace['own_domain']['result'] == 'exempt'
    else:
        assert reply.startswith('550 5.7.1'), reply
        client = gate.explain_reply(reply)['client']
        assert client['connector'] == ''
        assert client['expired_connector'] == SCANNER['name']
    # Another address is never the scanner.
    assert gate.mail(message('scanner@agency.example'),
                     'scanner@agency.example',
                     ip='192.0.2.78').startswith('550 5.7.1')


def test_strangers_may_not_relay_but_our_systems_may(make_gate, make_hop):
    inside, outside = make_hop(), make_hop()
    gate = make_gate(
        zone=ZONE,
        connectors=[{'name': 'Mail system', 'addresses': ['192.0.2.80'],
                     'treat_as': 'internal'}],
        routes=[{'domains': ['agency.example'], 'next_hop': inside.route},
                {'domains': ['*'], 'next_hop': outside.route}])
    reply = gate.mail(message(), to='x@elsewhere.example', ip=SHOP)
    assert reply.startswith('550 5.7.1'), reply
    assert 'relay' in reply
    assert inside.lines == outside.lines == []
    sent = message('user@agency.example', 'x@elsewhere.example',
                   fields='X-MS-Exchange-Organization-SCL: -1\n')
    assert gate.mail(sent, 'user@agency.example', 'x@elsewhere.example',
                     ip='192.0.2.80').startswith('250')
    taken, = outside.messages
    assert taken.sender == 'user@agency.example'
    # Our own mail is not judged, and its headers are left alone.
    assert taken.octets.endswith(sent)
    assert field(taken.octets, 'Authentication-Results') is None
    assert gate.explain(message_id(sent))['client']['in_organization'] is True


# Several authors.

AUTHORS = {
    'two fields': 'a@shop.example\nFrom: b@bank.example',
    'two domains, one with a policy': 'a@none.example, b@bank.example',
    'no address': 'Undisclosed:;',
    'no field': None,
    'empty': '',
    'no domain': 'director',
    'quoted local part': '"director@agency.example"@plain.example',
    'encoded': '=?utf-8?q?director=40agency.example?=',
    'source route': '<@agency.example:x@plain.example>',
    'control octet': 'director@agency.example\v<x@plain.example>',
    'full-width dot': 'x@plain.example, director@agency\uff0eexample',
    'zero-width space': 'director@agency.example\u200b',
    'comment inside': 'director@agency.example(.plain.example)',
}


@pytest.mark.parametrize('name', AUTHORS)
def test_unclear_authors_are_refused(gate, name):
    reply = gate.mail(message(AUTHORS[name]), 'x@plain.example', ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply
    trace = gate.explain_reply(reply)
    assert trace['policy'] in ('malformed', 'several-authors', 'dmarc',
                               'own-domain')
    assert gate.delivered() == []


# What senders write without the quotes that it needs.
CLEAR = {
    'address as a name': 'info@plain.example <info@plain.example>',
    'brackets': 'Alerts [floor 3] <info@plain.example>',
    'encoded comma': '=?iso-8859-1?Q?M=FCller,_J?= <info@plain.example>',
    'encoded address':
        '=?utf-8?q?info@plain.example?= <info@plain.example>',
    'dots': 'first..last.@plain.example',
}


@pytest.mark.parametrize('name', CLEAR)
def test_careless_but_clear_authors_pass(gate, name):
    sent = message(CLEAR[name])
    sender = 'first..last.@plain.example'
    assert gate.mail(sent, sender, ip=STRANGER).startswith('250')
    assert gate.explain(message_id(sent))['dmarc']['from_domain'] == \
        'plain.example'


@pytest.mark.parametrize('author, why', [
    ('Plain, Inc. <info@plain.example>', 'From: an address has no domain'),
    ('MAILER-DAEMON', 'From: an address has no domain'),
    ('Caf\udce9 <>', 'From: an address is empty'),
    ('director@agency.example <x@plain.example>',
     'From: addresses are not separated'),
    ('=?utf-8?q?director@agency.example?= <x@plain.example>',
     'From: a name without quotes holds another address'),
])
def test_refused_authors_are_told_why(gate, author, why):
    reply = gate.mail(message(author), '', ip=STRANGER)
    assert reply.startswith(f'550 5.7.1 {why} (id '), reply


@pytest.mark.parametrize('sender', ['x@open.agency.example', ''])
def test_a_record_that_lets_everybody_pass_is_not_us(gate, sender):
    reply = gate.mail(message('director@agency.example'), sender, ip=STRANGER,
                      helo='open.agency.example')
    assert reply.startswith('550 5.7.1'), reply
    assert gate.explain_reply(reply)['policy'] == 'own-domain'
    assert gate.delivered() == []


def test_a_look_alike_is_another_domain(gate):
    """Accepted for what it is, and named so that one sees it."""
    sent = message('director@\u0430gency.example')
    assert gate.mail(sent, 'x@plain.example', ip=STRANGER).startswith('250')
    trace = gate.explain(message_id(sent))
    assert trace['own_domain']['result'] == 'none'
    assert 'xn--' in str(trace['dmarc'])


def test_two_authors_of_a_domain_pass(gate):
    sent = message('Ann <a@shop.example>, "B. <x@bank.example>" '
                   '<b@shop.example>')
    reply = gate.mail(sent, ip=SHOP)
    assert reply.startswith('250'), reply


# Loops.

def test_loop_is_ended(gate):
    hops = ''.join(f'Received: from a by b{number}.example; '
                   'Mon, 04 Jan 2027 10:00:00 +0000\n'
                   for number in range(60))
    reply = gate.mail(message(fields=hops), ip=SHOP)
    assert reply.startswith('554 5.4.6'), reply


def test_listener_decides_what_a_connector_counts_for(make_gate):
    """An internal connector of the relay listener is a stranger at mx."""
    gate = make_gate(
        zone=ZONE,
        listeners=[listener('mx', xclient=['127.0.0.1']),
                   listener('relay', 'relay', xclient=['127.0.0.1'])],
        connectors=[{'name': 'Mail system', 'addresses': ['192.0.2.80'],
                     'listeners': ['relay'], 'treat_as': 'internal'}])
    for name, code in (('mx', '550'), ('relay', '250')):
        reply = gate.mail(message('user@agency.example'),
                          'user@agency.example', ip='192.0.2.80', name=name)
        assert reply.startswith(code), (name, reply)


def test_every_reply_names_a_trace(gate):
    """A refusal's id leads to its story, in words as well."""
    for domain, number in itertools.product(
            ('bank.example', 'agency.example'), range(2)):
        reply = gate.mail(message(f'x{number}@{domain}'), 'x@plain.example',
                          ip=STRANGER)
        identity = gate.explain_reply(reply)['id']
        story = gate.run('explain', identity, '-c', str(gate.path))
        assert domain in story and STRANGER in story
