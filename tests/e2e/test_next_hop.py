# SPDX-License-Identifier: Apache-2.0
"""What next hops say and do, and what the client then hears."""
import threading

import pytest

from gatehouse import listener
from hop import USUAL, Act
from mail import message, message_id
from net import free_port, stuff, wait_until
from world import SHOP, ZONE

OWN = '192.0.2.80'  # the connectors' tests make it one of ours


def first_refusal(gate, sent=None, **more):
    return gate.mail(sent or message(), ip=SHOP, **more)


def test_content_is_passed_on_byte_by_byte(make_gate, make_hop):
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message(body='.\n..\n.x\n\n\n  \ttrailing \t\n' + 'x' * 998 +
                   '\n\u00fc\u20ac\n\n\n')
    assert first_refusal(gate, sent).startswith('250 2.0.0 queued as 1')
    taken, = hop.messages
    assert taken.sender == 'news@shop.example'
    assert taken.recipients == ('user@agency.example',)
    assert taken.octets.endswith(b'\r\n' + sent)
    top = taken.octets[:-len(sent)].decode()
    assert [line.split(':')[0] for line in top.split('\r\n')
            if line and not line[0].isspace()] == \
        ['Received', 'Authentication-Results', 'X-Gatehouse-Loop']
    assert gate.explain(message_id(sent), delivery=True)['delivery'] == \
        '250 2.0.0 queued as 1'


def test_next_hop_that_is_down(make_gate):
    gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{free_port()}')
    with gate.client(SHOP) as client:
        assert client.command('MAIL FROM:<news@shop.example>')[:3] == '250'
        reply = client.command('RCPT TO:<user@agency.example>')
        assert reply.startswith('451 4.4.1'), reply


def test_next_hop_that_is_ourselves(make_gate):
    """Each session would begin another one at RCPT, a hundred for a message,
    and the client would hear nothing for minutes."""
    gate = make_gate(zone=ZONE, start=False)
    gate.write(routes=[{'domains': ['agency.example'],
                        'next_hop': f'smtp:[127.0.0.1]:{gate.port}'}])
    gate.start()
    with gate.client(SHOP) as client:
        assert client.command('MAIL FROM:<news@shop.example>')[:3] == '250'
        reply = client.command('RCPT TO:<user@agency.example>')
        assert reply.startswith(
            '451 4.3.5 the route for this domain leads back to this gateway;')
    assert gate.metrics()['gatehouse_connections_accepted_total'] == 1


def test_target_is_named_as_the_route_names_it(make_gate, folder):
    """Of a socket its path, and nothing that only hosts have."""
    port = free_port()
    gate = make_gate(
        zone=ZONE + 'hop.example. A 127.0.0.1\n',
        organization={'accepted_domains': ['agency.example', 'b.example']},
        routes=[{'domains': ['agency.example'],
                 'next_hop': f'lmtp:unix:{folder}/lmtp'},
                {'domains': ['b.example'],
                 'next_hop': f'lmtp:hop.example:{port}',
                 'tls': 'must', 'proxy_protocol': 2,
                 'tls_ca': '/etc/ssl/certs/ca-certificates.crt'}])
    for domain, target in (
            ('agency.example', f'lmtp:unix:{folder}/lmtp'),
            ('b.example', f'lmtp:hop.example[127.0.0.1]:{port},tls=must,'
             'ca=/etc/ssl/certs/ca-certificates.crt,proxy=2')):
        reply = first_refusal(gate, to=f'user@{domain}')
        assert reply.startswith('451 4.4.1'), reply
        line = gate.wait_for_log(f'error="{target}: connect')
        assert 'warning next-hop.away' in line
        assert f'target={target} ' in line.replace('"', '')


STAGES = [
    # stage, what the next hop says, what the client hears, at which command
    ('connect', '554 5.3.2 not today', '4', 'RCPT'),
    ('connect', '', '4', 'RCPT'),
    ('MAIL', '550 5.1.8 bad sender', '550 5.1.8', 'RCPT'),
    ('MAIL', '451 4.7.1 greylisted', '451 4.7.1', 'RCPT'),
    ('RCPT', '550 5.1.1 no such user', '550 5.1.1 no such user', 'RCPT'),
    ('RCPT', '450 4.2.2 full', '450 4.2.2 full', 'RCPT'),
    ('RCPT', '421 4.3.2 closing', '4', 'RCPT'),
    ('RCPT', '', '451 4.4.2', 'RCPT'),
    ('DATA', '554 5.5.0 no', '554 5.5.0', 'end'),
    ('DATA', '', '451 4.4.2', 'end'),
    ('.', '554 5.6.0 not this', '554 5.6.0 not this', 'end'),
    ('.', '452 4.3.1 no room', '452 4.3.1 no room', 'end'),
    ('.', '', '451 4.4.2', 'end'),
]


@pytest.mark.parametrize('stage, says, hears, where', STAGES)
def test_refusals_are_passed_on(make_gate, make_hop, stage, says, hears,
                                where):
    hop = make_hop({stage: says})
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message()
    with gate.client(SHOP) as client:
        assert client.command('MAIL FROM:<news@shop.example>')[:3] == '250'
        reply = client.command('RCPT TO:<user@agency.example>')
        if where == 'end':
            assert reply.startswith('250'), reply
            reply = client.data(sent)
        assert reply.startswith(hears), reply
    assert hop.messages == []
    if where == 'end':
        trace = gate.explain(message_id(sent), delivery=True)
        assert trace['verdict'] == {'4': 'defer', '5': 'reject'}[hears[0]]
        assert trace['delivery'].startswith(hears)


def test_next_hop_without_8bitmime(make_gate, make_hop):
    hop = make_hop(extensions=('PIPELINING',))
    gate = make_gate(zone=ZONE, route=hop.route)
    with gate.client(SHOP) as client:
        reply = client.mail('news@shop.example', 'user@agency.example',
                            message(body='\u00fc'), ' BODY=8BITMIME')
        assert reply.startswith('554 5.6.3'), reply
        # Seven bits pass, however they were declared.
        assert client.mail('news@shop.example', 'user@agency.example',
                           message(), ' BODY=8BITMIME')[:3] == '250'
    mail_lines = [line for line in hop.lines if line.startswith('MAIL')]
    assert not any('BODY' in line or 'SIZE' in line for line in mail_lines)
    assert len(hop.messages) == 1


def test_smtputf8_address(make_gate, make_hop):
    """Passed to a next hop that knows it, refused for one that does not."""
    able = make_hop()
    unable = make_hop(extensions=[w for w in USUAL if w != 'SMTPUTF8'])
    sent = message(to='us\u00e9r@agency.example', subject='Gr\u00fc\u00dfe')
    for hop, code in ((able, '250'), (unable, '550 5.6.7')):
        gate = make_gate(zone=ZONE, route=hop.route)
        with gate.client(SHOP) as client:
            reply = client.mail('news@shop.example',
                                'us\u00e9r@agency.example', sent,
                                ' SMTPUTF8 BODY=8BITMIME')
            assert reply.startswith(code), reply
            # Without the parameter the address is not an address.
            assert client.command('RSET')[:3] == '250'
            client.command('MAIL FROM:<news@shop.example>')
            reply = client.command('RCPT TO:<us\u00e9r@agency.example>')
            assert reply.startswith('553'), reply
    taken, = able.messages
    assert taken.recipients == ('us\u00e9r@agency.example',)
    assert taken.octets.endswith(sent)
    assert 'SMTPUTF8' in next(line for line in able.lines
                              if line.startswith('MAIL'))
    assert unable.messages == []


@pytest.mark.parametrize('given, sent', [
    ('a..b@shop.example', '"a..b"@shop.example'),
    ('.a@shop.example', '".a"@shop.example'),
    ('a.@shop.example', '"a."@shop.example'),
    ('"a..b"@shop.example', '"a..b"@shop.example'),
    ('a.b@shop.example', 'a.b@shop.example'),
    ('', ''),
])
def test_dots_that_have_to_be_quoted(make_gate, make_hop, given, sent):
    """Addresses that some providers give out are none to strict servers."""
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    to = sent.replace('shop', 'agency') or 'user@agency.example'
    assert gate.mail(message('x@plain.example'), given,
                     given.replace('shop', 'agency') or to,
                     ip=SHOP).startswith('250')
    taken, = hop.messages
    assert taken.sender == sent
    assert taken.recipients == (to,)


def test_size_of_the_next_hop_counts(make_gate, make_hop):
    hop = make_hop(extensions=('SIZE 4000', '8BITMIME'))
    gate = make_gate(zone=ZONE, route=hop.route)
    with gate.client(SHOP) as client:
        assert client.command('MAIL FROM:<news@shop.example> SIZE=5000')[
            :3] == '250'
        reply = client.command('RCPT TO:<user@agency.example>')
        assert reply.startswith('552 5.3.4'), reply
        client.command('RSET')
        reply = client.mail('news@shop.example', 'user@agency.example',
                            message(body='x' * 70 + '\n' + 'y' * 5000))
        assert reply[0] == '5', reply
    assert hop.messages == []


def test_reload_ends_what_sessions_do_not_use(make_gate, make_hop):
    """A session that lasts keeps its configuration, and no idle connection."""
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    with gate.client(SHOP) as client:
        def send():
            assert client.mail('news@shop.example', 'user@agency.example',
                               message())[:3] == '250'
        send()
        assert hop.lines.count('QUIT') == 0
        gate.reload()
        wait_until(lambda: hop.lines.count('QUIT') == 1)
        send()
        wait_until(lambda: hop.lines.count('QUIT') == 2)
    # Those of the new one are kept.
    for _ in range(2):
        assert first_refusal(gate)[:3] == '250'
    assert hop.lines.count('QUIT') == 2 and hop.connections == 3


def test_reload_forgets_who_was_away(make_gate, make_hop):
    """Else the alert would last as long as the longest session."""
    gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{free_port()}')
    with gate.client(SHOP) as client:
        def ask():
            client.command('MAIL FROM:<news@shop.example>')
            reply = client.command('RCPT TO:<user@agency.example>')
            assert reply.startswith('451 4.4.1'), reply
            client.command('RSET')
        ask()
        gate.metric('gatehouse_next_hops_away', 1)
        gate.write(routes=[{'domains': ['*'], 'next_hop': make_hop().route}])
        gate.reload()
        gate.metric('gatehouse_next_hops_away', 0)
        ask()
        assert gate.metrics()['gatehouse_next_hops_away'] == 0
    assert first_refusal(gate)[:3] == '250'


@pytest.mark.parametrize('first', ['down', 'refuses'])
def test_second_target_takes_over(make_gate, make_hop, first):
    port = free_port()
    if first == 'refuses':
        port = make_hop({'connect': '421 4.3.2 not now'}).port
    second = make_hop()
    gate = make_gate(
        zone=ZONE, route=f'smtp:[127.0.0.1]:{port}, {second.target}')
    for _ in range(3):
        assert first_refusal(gate).startswith('250')
    assert len(second.messages) == 3


def test_next_hop_that_comes_back(make_gate, make_hop):
    port = free_port()
    gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{port}')
    for _ in range(3):
        assert first_refusal(gate).startswith('451 4.4.1')
    line = gate.wait_for_log('warning next-hop.away')
    assert f'[127.0.0.1]:{port}' in line and 'refused' in line
    gate.metric('gatehouse_next_hops_away', 1)
    hop = make_hop(port=port)
    assert first_refusal(gate).startswith('250')
    assert len(hop.messages) == 1
    assert f':{port}' in gate.wait_for_log('notice next-hop.back')
    gate.metric('gatehouse_next_hops_away', 0)
    # Once, not with each message.
    assert gate.log().count('next-hop.away') == 1


def test_strangers_that_are_away_are_no_warning(make_gate):
    """Mail for others by their MX: nobody here can mend that."""
    gate = make_gate(zone=ZONE + 'away.example. MX 10 mx.away.example.\n'
                     'mx.away.example. A 127.0.0.9\n', route='mx')
    gate.write(organization={'accepted_domains': ['away.example']},
               routes=[{'domains': ['*'], 'next_hop': 'mx'}])
    gate.reload()
    assert first_refusal(gate, to='user@away.example')[:3] == '451'
    gate.wait_for_log('info next-hop.away')
    assert gate.metrics()['gatehouse_next_hops_away'] == 0


def test_client_that_gives_up_sends_again(make_gate, make_hop):
    """So what it did not wait for is not handed on (RFC 5321, 6.1)."""
    def late(handler):
        asked.set()
        gone.wait(10)
        handler.wfile.write(b'354 go\r\n')

    asked, gone = threading.Event(), threading.Event()
    hop = make_hop({'DATA': [Act(late, '354'), '354 go']})
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message()
    client = gate.client(SHOP)
    client.command('MAIL FROM:<news@shop.example>')
    client.command('RCPT TO:<user@agency.example>')
    client.command('DATA')
    client.send(stuff(sent))
    assert asked.wait(10)
    client.close()
    gone.set()
    gate.wait_for_log('smtp.disconnect')
    assert gate.explain(message_id(sent), delivery=True)['delivery'] == \
        '451 4.4.2 it took too long until the next hop would take the message'
    # Again: once.
    assert first_refusal(gate, sent)[:3] == '250'
    assert len(hop.messages) == 1


FAILURES = [
    # what the next hop says, tls, what is counted
    ({}, 'must', 'tls'),
    ({'STARTTLS': '421 4.3.2 bye'}, 'may', 'tls'),
    ({'STARTTLS': Act(lambda it: it.wfile.write(b'220 go\r\n' + b'x' * 99),
                      '220')}, 'must', 'tls'),
    ({'connect': '554 5.3.2 no'}, 'off', 'refused'),
    ({'connect': ''}, 'off', 'closed'),
    ({'connect': 'hello'}, 'off', 'protocol'),
]


@pytest.mark.parametrize('script, tls, reason', FAILURES)
def test_failures_are_counted(make_gate, make_hop, script, tls, reason):
    more = ('STARTTLS',) if 'STARTTLS' in script else ()
    hop = make_hop(script, extensions=USUAL + more)
    gate = make_gate(zone=ZONE, routes=[
        {'domains': ['*'], 'next_hop': hop.route, 'tls': tls}])
    assert first_refusal(gate)[:3] == '451'
    name = 'gatehouse_next_hop_failures_total'
    assert {key: value for key, value in gate.metrics().items()
            if key.startswith(name) and value} == \
        {f'{name}{{reason="{reason}"}}': 1}


def lacks_its_key(handler):
    """OpenSMTPD 6.8 with OpenSSL 3: the alert internal_error."""
    handler.wfile.write(b'220 2.0.0 go\r\n')
    handler.rfile.read1()
    handler.wfile.write(b'\x15\x03\x03\x00\x02\x02\x50')
    handler.rfile.read()


PLAIN = [
    # what it says to STARTTLS, the log, connections for a message
    (Act(lacks_its_key, '220'), 'internal error', 2),
    # Exim that may not read its key.
    ('454 TLS currently unavailable', ': STARTTLS: 454 TLS currently', 1),
]


@pytest.mark.parametrize('says, why, connections', PLAIN)
def test_plain_text_instead_of_tls_is_told(make_gate, make_hop, says, why,
                                           connections):
    script = {'STARTTLS': says}
    hop = make_hop(script, extensions=USUAL + ('STARTTLS',))
    gate = make_gate(zone=ZONE, route=hop.route)
    assert first_refusal(gate)[:3] == '250'
    line = gate.wait_for_log('warning next-hop.plain')
    assert f'target="smtp:127.0.0.1[127.0.0.1]:{hop.port},tls=may" ' in line
    assert why in line
    # Once, not with each connection.
    hop.play(script)
    assert first_refusal(gate)[:3] == '250'
    assert hop.connections == 2 * connections
    assert gate.log().count('next-hop.plain') == 1


def test_name_without_address_is_counted(make_gate):
    gate = make_gate(zone=ZONE, route='smtp:[nowhere.agency.example]:25')
    assert first_refusal(gate).startswith('451 4.4.1')
    gate.metric('gatehouse_next_hop_failures_total{reason="dns"}', 1)


def test_idle_connection_that_the_next_hop_closed(make_gate, make_hop):
    """The connection that is kept may be gone: nobody notices."""
    closing = {'RSET': '', 'NOOP': '', 'MAIL': ['250 ok', '', '250 ok']}
    hop = make_hop(closing)
    gate = make_gate(zone=ZONE, route=hop.route)
    for _ in range(3):
        assert first_refusal(gate).startswith('250')
    assert len(hop.messages) == 3


def test_next_hop_that_tires_of_a_slow_client(make_gate, make_hop):
    """It has no content yet: it is asked again, for everybody."""
    both = ('user@agency.example', 'other@agency.example')
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message()
    with gate.client(SHOP) as client:
        client.command('MAIL FROM:<news@shop.example>')
        for to in both:
            assert client.command(f'RCPT TO:<{to}>')[:3] == '250'
        assert client.command('DATA')[:3] == '354'
        client.send(sent[:20])
        hop.play({})
        client.send(sent[20:] + b'.\r\n')
        assert client.reply().startswith('250 2.0.0')
    taken, = hop.messages
    assert taken.recipients == both
    assert taken.octets.endswith(sent)
    assert hop.connections == 2
    # It takes one of them no more: nobody gets it.
    with gate.client(SHOP) as client:
        client.command('MAIL FROM:<news@shop.example>')
        for to in both:
            assert client.command(f'RCPT TO:<{to}>')[:3] == '250'
        hop.play({'RCPT': ['250 2.1.5 ok', '550 5.1.1 not any more']})
        assert client.data(sent).startswith('451 4.4.2')
    assert len(hop.messages) == 1


def test_lmtp_over_a_unix_socket(make_gate, make_hop, folder):
    """Each recipient has a reply of its own; with PRDR the client too."""
    hop = make_hop({'.': lambda to: '250 2.1.5 ok' if to.startswith('user')
                    else '552 5.2.2 over quota'},
                   path=folder / 'lmtp', lmtp=True)
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message()
    assert first_refusal(gate, sent).startswith('250 2.1.5')
    both = ['user@agency.example', 'other@agency.example']
    with gate.client(SHOP) as client:
        assert 'PRDR' in client.extensions
        replies = [client.mail('news@shop.example', both, sent, ' PRDR'),
                   client.reply(), client.reply(), client.reply()]
    assert replies[0].startswith('353'), replies
    assert replies[1].startswith('250 2.1.5'), replies
    assert replies[2].startswith('552 5.2.2'), replies
    # Of the message as a whole: somebody has it.
    assert replies[3].startswith('250 2.1.5'), replies
    # Without PRDR there is one reply: nobody's copy may get lost.
    again = message()
    assert first_refusal(gate, again, to=both).startswith('552 5.2.2')
    assert gate.explain(message_id(again), delivery=True)['delivery'] == \
        '552 5.2.2 over quota; taken for <user@agency.example>'
    assert any(line.startswith('LHLO') for line in hop.lines)
    assert hop.messages[0].octets.endswith(sent)


def test_lmtp_message_comes_again(make_gate, make_hop, folder):
    """A full mailbox makes the sender repeat for all: who has it is spared."""
    full = {'other@agency.example'}
    hop = make_hop({'.': lambda to: '452 4.2.2 full' if to in full
                    else '250 2.0.0 kept'},
                   path=folder / 'lmtp', lmtp=True)
    gate = make_gate(zone=ZONE, route=hop.route)
    both = ['user@agency.example', 'other@agency.example']
    sent = message()
    for _ in range(3):
        assert first_refusal(gate, sent, to=both).startswith('452 4.2.2')
    gate.reload()
    assert first_refusal(gate, sent, to=both).startswith('452 4.2.2')
    full.clear()
    assert first_refusal(gate, sent, to=both).startswith('250 2.0.0')
    assert [taken.recipients for taken in hop.messages] == [
        tuple(both), ('other@agency.example',)]
    deliveries = wait_until(
        lambda: all(found := sorted(
            trace['delivery']
            for trace in gate.json('explain', message_id(sent)))) and found,
        5, 'what became of each try')
    assert deliveries == [
        '250 2.0.0 kept; taken before for <user@agency.example>',
        *['452 4.2.2 full; taken before for <user@agency.example>'] * 3,
        '452 4.2.2 full; taken for <user@agency.example>']
    gate.metric('gatehouse_recipients_left_out_total', 4)


def test_maildir(make_gate, folder):
    gate = make_gate(zone=ZONE, route='maildir:@/mail/%d/%l')
    for user in ('user', 'other'):
        for name in ('cur', 'new', 'tmp'):
            (gate.folder / 'mail/agency.example' / user / name).mkdir(
                parents=True)
    sent = message()
    reply = gate.mail(sent, to=['user@agency.example',
                                'other@agency.example'], ip=SHOP)
    assert reply.startswith('250'), reply
    for user in ('user', 'other'):
        box = gate.folder / 'mail/agency.example' / user
        arrived, = [path.read_bytes() for path in (box / 'new').iterdir()]
        assert arrived.endswith(sent.replace(b'\r\n', b'\n'))
        assert arrived.startswith(b'Return-Path: <news@shop.example>\n')
        assert list((box / 'tmp').iterdir()) == []
    # Local parts that would lead elsewhere.
    for local in ('../../x', '..', '"a/b"', '"../x"'):
        reply = gate.mail(sent, to=f'{local}@agency.example', ip=SHOP)
        assert reply[0] == '5', (local, reply)
    # A mailbox that is not there.
    reply = gate.mail(sent, to='nobody@agency.example', ip=SHOP)
    assert reply.startswith('550 5.1.1'), reply
    # All of them are away: their disk is not mounted.
    (gate.folder / 'mail/agency.example').rename(gate.folder / 'away')
    reply = gate.mail(sent, to='user@agency.example', ip=SHOP)
    assert reply.startswith('451 4.3.0'), reply
    assert '/mail/agency.example/user' in gate.wait_for_log(
        'warning next-hop.maildir')


def test_two_routes_to_one_next_hop(make_gate, make_hop):
    """What LIMITS does not forbid can be done."""
    hop = make_hop()
    gate = make_gate(
        zone=ZONE,
        organization={'accepted_domains': ['agency.example', 'b.example']},
        routes=[{'domains': ['agency.example'], 'next_hop': hop.route},
                {'domains': ['b.example'], 'next_hop': hop.route}])
    with gate.client(SHOP) as client:
        assert 'RCPTDOMAINMAX' not in client.extensions
        assert client.mail('news@shop.example',
                           ['user@agency.example', 'user@b.example'],
                           message())[:3] == '250'
    taken, = hop.messages
    assert len(taken.recipients) == 2


def test_client_is_named_to_the_next_hop(make_gate, make_hop):
    """XFORWARD, where the route says so and the next hop offers it."""
    hop = make_hop({'XFORWARD': '250 2.0.0 ok'},
                   extensions=USUAL + (
                       'XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT',))
    gate = make_gate(zone=ZONE, routes=[
        {'domains': ['*'], 'next_hop': hop.route, 'xforward': True}])
    assert first_refusal(gate).startswith('250')
    line = ' '.join(one for one in hop.lines if one.startswith('XFORWARD'))
    assert f'ADDR={SHOP}' in line and 'HELO=client.example' in line


def test_recipients_of_two_next_hops(make_gate, make_hop):
    """One transaction goes to one next hop: the second is asked to wait."""
    one, two = make_hop(), make_hop()
    gate = make_gate(
        zone=ZONE,
        organization={'accepted_domains': ['agency.example', 'b.example']},
        routes=[{'domains': ['agency.example'], 'next_hop': one.route},
                {'domains': ['b.example'], 'next_hop': two.route}])
    with gate.client(SHOP) as client:
        client.command('MAIL FROM:<news@shop.example>')
        assert client.command('RCPT TO:<user@agency.example>')[:3] == '250'
        reply = client.command('RCPT TO:<user@b.example>')
        assert reply.startswith('452 4.5.3'), reply
        assert client.data(message()).startswith('250')
    assert len(one.messages) == 1 and two.messages == []
    assert gate.mail(message(), to='user@b.example', ip=SHOP)[:3] == '250'
    assert len(two.messages) == 1


@pytest.mark.parametrize('role, ip, says', [
    ('mx', OWN, '<>'), ('relay', SHOP, '<>'),
    ('relay', OWN, 'boss@agency.example')])
def test_author_that_a_client_names(make_gate, make_hop, role, ip, says):
    """AUTH= of MAIL: a stranger speaks for nobody (RFC 4954, section 5)."""
    hop = make_hop(extensions=USUAL + ('AUTH PLAIN',))
    gate = make_gate(zone=ZONE, route=hop.route,
                     listeners=[listener(role=role, xclient=['127.0.0.1'])],
                     connectors=[{'name': 'Mail system', 'addresses': [OWN],
                                  'treat_as': 'internal'}])
    with gate.client(ip) as client:
        reply = client.mail('news@shop.example', 'user@agency.example',
                            message(), ' AUTH=boss@agency.example')
        assert reply[:3] == '250', reply
    line, = [line for line in hop.lines if line.startswith('MAIL')]
    assert line.endswith(f' AUTH={says}')
