# SPDX-License-Identifier: Apache-2.0
"""Postfix asks Gatehouse as its milter, and delivers itself."""
import grp
import os
import pwd
import shutil
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest

import odd
import senders
from certificates import Authority
from dnsserver import DnsServer, Zone
from mail import field, fields, message, message_id
from milter import Milter
from net import Smtp, wait_until
from pair import Pair, make_postfix, milter_changes
from world import PARTNER, SHOP, STRANGER, ZONE


@pytest.fixture
def make_pair(folder, make_gate):
    made = []

    def make(more='', unix=False, **changes):
        number = len(made)
        address = f'unix:{folder}/milter{number}.sock' if unix else None
        gate = make_gate(zone=ZONE, **milter_changes(address, **changes))
        if unix:
            os.chmod(f'{folder}/milter{number}.sock', 0o666)
        milter = address or f'inet:127.0.0.1:{gate.ports["mta"]}'
        postfix = make_postfix(folder / f'mta{number}', milter, more)
        made.append(postfix.start())
        return Pair(gate, postfix)

    yield make
    for postfix in made:
        postfix.stop()


@pytest.fixture
def pair(make_pair):
    return make_pair()


def test_signed_mail_verifies(pair):
    """The header is rebuilt octet by octet: DKIM passes, and what is
    delivered still verifies."""
    sent = PARTNER.sign(message(
        'orders@partner.example', subject='A folded\n\tsubject  line',
        fields='X-Odd:no space\nX-Two:  two spaces\nX-Tab:\ttab\nX-None:\n',
        body='\n'.join(['A line.', '.', '..', '', 'trailing  ', 'ends'])))
    assert pair.mail(sent).startswith('250')
    arrived, = pair.arrived()
    position = arrived.index(b'DKIM-Signature:')
    assert arrived[position:] == sent
    assert PARTNER.verifies(arrived)
    results = field(arrived, 'Authentication-Results')
    assert results.startswith('mx1.agency.example;')
    for word in ('dkim=pass', 'dmarc=pass', 'spf=pass'):
        assert word in results, results
    # Ours stands below the field of the MTA that asked us.
    top = arrived[:position].decode()
    assert top.index('by mx.agency.example') < \
        top.index('Authentication-Results')
    trace = pair.gate.explain(message_id(sent))
    assert trace['verdict'] == 'accept'
    line = pair.gate.wait_for_log('message.verdict')
    assert 'listener=mta' in line and f'client={SHOP}' in line, line
    assert 'recipients=1' in line, line
    assert 'queue_id=' in pair.gate.wait_for_log('message.verdict')


THIS_HOST = {'connectors': [{'name': 'This host', 'networks': ['127.0.0.1'],
                             'treat_as': 'internal'}]}
DIRECTOR = 'director@agency.example'


@pytest.mark.parametrize('client, word', [
    ({'ip': '127.0.0.1'}, 'accept'),
    ({'family': 'L'}, 'accept'),
    ({'ip': STRANGER}, 'reject'),
    # The MTA does not know: it may be anybody, so it is not this host.
    ({'family': 'U'}, 'reject'),
    ({'ip': 'unknown'}, 'reject'),
], ids=str)
def test_who_is_this_host(make_gate, client, word):
    gate = make_gate(zone=ZONE, **milter_changes(**THIS_HOST))
    sent = message(DIRECTOR)
    with Milter(gate.ports['mta'], **client) as mta:
        answer = mta.mail(sent, DIRECTOR, 'user@agency.example')
    assert answer.word == word, answer
    counts = gate.metrics()
    assert counts['gatehouse_received_bytes_total'] == \
        counts['gatehouse_message_size_bytes_sum'] == len(sent)


def test_postfix_does_not_know_its_client(make_pair):
    """As when a client has reset its connection behind its last command."""
    pair = make_pair(**THIS_HOST)
    with Smtp(pair.postfix.port,
              xclient='ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]') as smtp:
        reply = smtp.mail(DIRECTOR, 'user@agency.example', message(DIRECTOR))
    assert reply[:9] == '550 5.7.1', reply
    assert 'client=unknown' in pair.gate.wait_for_log('message.verdict')


@pytest.mark.parametrize('version', [4, 6])
def test_nothing_changes_on_the_way(make_pair, version):
    """Octet by octet, to us (but for the space that older versions of the
    protocol drop) and to the mailbox."""
    pair = make_pair(f'milter_protocol = {version}\n',
                     authentication={'dmarc': {'enforce': False}})
    with pair.client() as smtp:
        odd.check(
            lambda octets: smtp.mail(
                'news@shop.example', 'user@agency.example', octets),
            lambda wanted: pair.arrived(wanted=wanted, seconds=30), PARTNER,
            mangled=odd.WITHOUT_THE_SPACE if version < 6 else ())


def test_dmarc_reject(pair):
    """Our code and words reach the client."""
    sent = message('service@bank.example')
    reply = pair.mail(sent, ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply
    assert 'DMARC policy of bank.example' in reply
    assert '(id ' in reply
    assert pair.gate.explain_reply(reply)['verdict'] == 'reject'
    assert pair.gate.explain(message_id(sent))['policy'] == 'dmarc'


def test_own_domain(pair):
    reply = pair.mail(message('director@agency.example'), ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply
    assert 'may not use our domain' in reply


@pytest.mark.parametrize('more', [
    '',
    # We ask for our macros, whatever is configured.
    'milter_mail_macros = i\n',
    'milter_mail_macros = i\nmilter_protocol = 2\n',
    # The MTA takes a domain with mailboxes of its own off addresses.
    'virtual_mailbox_domains =\nmydestination = agency.example\n',
], ids=['usual', 'asked', 'version 2', 'mydestination'])
def test_own_domain_in_disguise(make_pair, more):
    """Whatever Postfix makes an address of ours, or delivers as one."""
    pair = make_pair('myorigin = agency.example\n' + more)
    replies = senders.check_ours(pair, STRANGER)
    for sender in ('<director@agency.example>', '<director>',
                   '<director@(x)agency.example>'):
        assert replies[sender] == '550 5.7.1', sender
    assert replies['<director%agency.example>'] == '550 5.1.7'
    # Others' are judged as what they become.
    with pair.client() as smtp:
        assert senders.mail(smtp, '<news@(x)shop.example>').startswith('250')
    assert 'from=news@shop.example ' in \
        pair.gate.wait_for_log('verdict=accept')


@pytest.mark.parametrize('sender', ['director', 'director@(x)agency.example',
                                    'director%agency.example'])
def test_an_mta_that_tells_nothing(make_gate, sender):
    """What is no address to everybody is refused, but to our own systems."""
    gate = make_gate(zone=ZONE, **milter_changes(**THIS_HOST))
    for client, text in (STRANGER, '550 5.1.7'), ('127.0.0.1', ''):
        with Milter(gate.ports['mta'], ip=client) as mta:
            answer = mta.mail(message(), sender, 'user@agency.example')
        assert answer.text[:9] == text, answer
        assert answer.word == ('reject' if text else 'accept'), answer


def test_odd_addresses_within(make_pair):
    """Our own systems may use any; a copy that is kept knows its recipient's
    domain, so it can be released."""
    pair = make_pair('myorigin = agency.example\n', **THIS_HOST)
    with pair.client(ip='127.0.0.1') as smtp:
        assert senders.mail(smtp, '<director>').startswith('250')
    assert 'from=director@agency.example ' in \
        pair.gate.wait_for_log('verdict=accept')
    with pair.client(ip=STRANGER) as smtp:
        reply = senders.mail(smtp, '<news@quarantine.example>',
                         '<user@(x)agency.example>',
                         message('news@quarantine.example'))
    assert reply.startswith('250')
    held, = pair.gate.quarantine()
    assert held['recipients'] == ['user@agency.example']


def test_limit(make_pair):
    """A limit of ours names its setting."""
    pair = make_pair(limits={'header_count': 10})
    assert pair.mail(message()).startswith('250')
    reply = pair.mail(message(fields='X-More: yes\n' * 10))
    assert reply.startswith('552 5.3.4'), reply
    assert 'limits.header_count' in reply


def test_forged_results_are_removed(pair):
    assert pair.mail(message(fields=odd.MIXED_RESULTS)).startswith('250')
    arrived, = pair.arrived()
    odd.check_mixed_results(arrived)


def test_forged_results_in_disguise(pair):
    """However Postfix reads them: no reader finds results of ours that we did
    not write."""
    with pair.client() as smtp:
        for name, octets in odd.forgeries():
            assert smtp.mail('news@shop.example', 'user@agency.example',
                             octets).startswith('250'), name
    odd.check_forgeries(pair.arrived(wanted=len(odd.FORGED)))


def test_quarantine_in_our_store(pair):
    sent = message('news@quarantine.example')
    assert pair.mail(sent, ip=STRANGER).startswith('250')
    held, = pair.gate.quarantine()
    assert held['message_id'].strip('<>') == message_id(sent)
    assert held['recipients'] == ['user@agency.example']
    kept = pair.gate.command('quarantine', 'show', held['id'], '--raw', '-c',
                             str(pair.gate.path)).stdout
    assert kept.endswith(sent)
    assert pair.arrived(wanted=1, seconds=1) == []


@pytest.fixture
def dns():
    """Its records, and how long each answer takes."""
    class Slow:
        seconds = 0
    zone = Zone()
    for name, policy in (('quarantine', 'quarantine'), ('bank', 'reject'),
                         ('monitor', 'none')):
        zone.add(f'_dmarc.{name}.example', 'TXT', f'v=DMARC1; p={policy}')
    with DnsServer(zone) as server:
        def distort(_query, octets, _transport):
            time.sleep(Slow.seconds)
            return [octets]
        server.distort = distort
        Slow.settings = {'zone': '', 'servers': [server.address],
                         'trust_anchor': ''}
        yield Slow


@pytest.mark.parametrize('late', [False, True], ids=['known', 'late'])
def test_large_bodies(make_pair, dns, late):
    """Only what may be quarantined is kept; whether that is so is known when
    the body comes, or only after it."""
    pair = make_pair(dns=dns.settings)
    if not late:
        for name in ('quarantine', 'bank', 'monitor'):
            pair.mail(message(f'a@{name}.example'), ip=STRANGER)
    dns.seconds = 0.3 if late else 0
    body = '\n'.join(f'{number} {"x" * 70}' for number in range(40000))
    for name, reply in (('bank', '550'), ('quarantine', '250'),
                        ('monitor', '250')):
        sent = message(f'a@{name}.example', body=body)
        assert pair.mail(sent, ip=STRANGER).startswith(reply), name
        trace = pair.gate.explain(message_id(sent))
        assert trace['message']['size'] == len(sent), name
        if name == 'quarantine':
            kept = pair.gate.command(
                'quarantine', 'show', trace['id'], '--raw', '-c',
                str(pair.gate.path)).stdout
            assert kept.endswith(sent)
    arrived = pair.arrived(wanted=1 if late else 2)
    assert max(arrived, key=len).endswith(
        body.encode().replace(b'\n', b'\r\n') + b'\r\n')


def test_quarantine_in_the_hold_queue(make_pair):
    pair = make_pair(milter={'quarantine': 'mta'})
    sent = message('news@quarantine.example')
    assert pair.mail(sent, ip=STRANGER).startswith('250')
    assert pair.gate.quarantine() == []
    wait_until(lambda: '"queue_name": "hold"' in pair.postfix.queue(), 10,
               'the hold queue')
    assert pair.gate.explain(message_id(sent))['verdict'] == 'quarantine'
    assert pair.arrived(wanted=1, seconds=0.5) == []


def test_several_messages_in_a_session(pair):
    with pair.client() as smtp:
        for number in range(3):
            assert smtp.mail('news@shop.example', 'user@agency.example',
                             message()).startswith('250')
            # Refused, forgotten, refused by the MTA itself.
            assert smtp.mail('news@shop.example', 'user@agency.example',
                             message('a@bank.example')).startswith('550')
            smtp.command('MAIL FROM:<news@shop.example>')
            smtp.command('RCPT TO:<user@agency.example>')
            assert smtp.command('RSET').startswith('250')
            smtp.command('MAIL FROM:<news@shop.example>')
            answer = smtp.command('RCPT TO:<user@far.example>')
            assert answer[0] in '45', answer
            smtp.command('RSET')
    assert len(pair.arrived(wanted=3)) == 3


def test_a_large_message(pair):
    line = 'x' * 70
    sent = message(body='\n'.join([line] * 150000))
    assert len(sent) > 10_000_000
    assert pair.mail(sent).startswith('250')
    arrived, = pair.arrived()
    assert arrived.endswith(sent[sent.index(b'\r\n\r\n'):])
    line = pair.gate.wait_for_log('message.verdict')
    assert f'size={len(sent)} ' in line, line


def test_over_a_unix_socket(make_pair):
    pair = make_pair(unix=True)
    assert pair.mail(message()).startswith('250')
    arrived, = pair.arrived()
    assert 'spf=pass' in field(arrived, 'Authentication-Results')


def test_the_way_of_a_unix_socket(make_gate, folder):
    """What a former run left behind goes, and nothing else; the socket is for
    the group of the user that we become."""
    path = folder / 'socket'

    def serve(**more):
        return make_gate(start=False, zone=ZONE,
                         **milter_changes(f'unix:{path}', **more))

    def refused(words):
        done = serve().command('serve', '-c', str(gate.path))
        assert done.returncode in (75, 78), done
        assert words in done.stderr.decode() + done.stdout.decode(), done
    path.write_text('precious')
    gate = serve()
    refused('no socket')
    assert path.read_text() == 'precious'
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        refused('another program listens there')
    # Nobody listens any more.
    gate = serve(user='nobody', group='mail')
    gate.own_by('nobody')
    gate.start()
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_uid == pwd.getpwnam('nobody').pw_uid
    assert status.st_gid == grp.getgrnam('mail').gr_gid
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))


@pytest.mark.parametrize('version', ['2', '3', '4'])
def test_older_protocol(make_pair, version):
    pair = make_pair(f'milter_protocol = {version}\n')
    sent = PARTNER.sign(message('orders@partner.example', fields=(
        'Authentication-Results: mx1.agency.example; dkim=pass\n')))
    assert pair.mail(sent).startswith('250')
    arrived, = pair.arrived()
    results = fields(arrived, 'Authentication-Results')
    assert len(results) == 1 and 'dkim=pass' in results[0], results
    assert PARTNER.verifies(arrived)
    assert b'\r\nAuthentication-Results: mx1' in arrived
    assert pair.mail(message('a@bank.example'),
                     ip=STRANGER).startswith('550 5.7.1')


def test_an_ipv6_client(make_pair):
    pair = make_pair('inet_protocols = all\n')
    reply = pair.mail(message('director@agency.example'),
                      ip='IPV6:2001:db8::66', name='[UNAVAILABLE]')
    assert reply.startswith('550 5.7.1'), reply
    line = pair.gate.wait_for_log('message.verdict')
    assert 'client=2001:db8::66' in line, line


def test_connector(make_pair):
    """Known by its address, as over SMTP."""
    pair = make_pair(connectors=[
        {'name': 'Scanner', 'networks': ['198.51.100.7'],
         'treat_as': 'internal'}])
    assert pair.mail(message('scan@agency.example'), ip='198.51.100.7',
                     sender='scan@agency.example').startswith('250')
    arrived, = pair.arrived()
    assert field(arrived, 'Authentication-Results') is None


def test_restart_of_gatehouse(pair):
    """While it is away mail waits at the sender; afterwards it goes on."""
    assert pair.mail(message()).startswith('250')
    pair.gate.stop()
    assert pair.mail(message())[0] == '4'
    pair.gate.start()
    assert pair.mail(message()).startswith('250')
    assert len(pair.arrived(wanted=2)) == 2


def test_killed_child(pair):
    """The supervisor starts it again; nothing passes unseen meanwhile."""
    pair.gate.may_crash = True
    os.kill(pair.gate.children()['milter'], 9)

    def is_back():
        reply = pair.mail(message('a@bank.example'), ip=STRANGER)
        assert reply[0] in '45', reply
        return reply.startswith('550 5.7.1')
    wait_until(is_back, 20, 'the milter')
    assert pair.mail(message()).startswith('250')


def test_restart_of_the_mta(pair):
    assert pair.mail(message()).startswith('250')
    pair.postfix.stop()
    pair.postfix.start()
    assert pair.mail(message()).startswith('250')
    assert len(pair.arrived(wanted=2)) == 2


def test_reload(pair):
    seen = len(pair.gate.log())
    pair.gate.write(authentication={'dmarc': {'enforce': False}})
    with pair.client(ip=STRANGER, name='host.example') as smtp:
        assert smtp.mail('a@host.example', 'user@agency.example',
                         message('a@bank.example')).startswith('550')
        pair.gate.reload()
        pair.gate.wait_for_log('supervisor.reload result=loaded', after=seen)
        # The connection stays; its next message is judged anew.
        assert smtp.mail('a@host.example', 'user@agency.example',
                         message('a@bank.example')).startswith('250')


def test_garbage(pair):
    """Whatever is no milter packet ends that connection alone."""
    port = pair.gate.ports['mta']
    for octets in (b'EHLO x\r\n', b'\0\0\0\0', b'\xff\xff\xff\xff',
                   struct.pack('>I', 5) + b'Zabcd',
                   struct.pack('>I', 6) + b'M<a>\0\0'):
        with socket.create_connection(('127.0.0.1', port), 5) as peer:
            peer.sendall(octets)
            assert peer.recv(100) == b''
    pair.gate.metric('gatehouse_milter_failures_total{reason="protocol"}', 5)
    assert pair.mail(message()).startswith('250')


def test_many_sessions(pair):
    replies = []

    def one():
        for _ in range(5):
            replies.append(pair.mail(message()))
    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 50 and all(r[:3] == '250' for r in replies), replies
    assert len(pair.arrived(wanted=50, seconds=30)) == 50
    pair.gate.metric('gatehouse_milter_connections', 0)


# Whatever its manual says, mt.negotiate() takes steps before actions.
MILTERTEST = r'''
conn = mt.connect("inet:PORT@127.0.0.1")
assert(conn ~= nil, "connect")
assert(mt.negotiate(conn, VERSION, STEPS, ACTIONS) == nil, "negotiate")
assert(mt.test_action(conn, SMFIF_ADDHDRS), "may add")
assert(mt.test_action(conn, SMFIF_CHGHDRS), "may change")
mt.macro(conn, SMFIC_CONNECT, "j", "mx.agency.example")
assert(mt.conninfo(conn, "mail.shop.example", "192.0.2.10") == nil)
assert(mt.helo(conn, "mail.shop.example") == nil)

function message(from)
    mt.macro(conn, SMFIC_MAIL, "i", "Q1")
    assert(mt.mailfrom(conn, "<news@shop.example>", "SIZE=100") == nil)
    assert(mt.rcptto(conn, "<user@agency.example>") == nil)
    assert(mt.header(conn, "From", from) == nil)
    assert(mt.header(conn, "Date", "Mon, 04 Jan 2027 10:00:00 +0000") == nil)
    assert(mt.header(conn, "Subject", "folded\n\tsubject") == nil)
    assert(mt.header(conn, "Authentication-Results",
                     "mx1.agency.example; dkim=pass") == nil)
    assert(mt.eoh(conn) == nil)
    assert(mt.bodystring(conn, "Hello.\r\n") == nil)
    assert(mt.eom(conn) == nil, "end of message")
end

for i = 1, 3 do
    message("news@shop.example")
    assert(mt.getreply(conn) == SMFIR_CONTINUE, "accepted")
    assert(mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results"))
    assert(mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"))
    mt.echo("added " .. mt.getheader(conn, "Authentication-Results", 0))
    message("service@bank.example")
    assert(mt.getreply(conn) == SMFIR_REPLYCODE, "refused")
    assert(mt.mailfrom(conn, "<news@shop.example>") == nil)
    assert(mt.abort(conn) == nil)
end
mt.disconnect(conn)
mt.echo("well")
'''


@pytest.mark.parametrize('version, actions, steps', [
    (2, 0x1f, 0x7f), (2, 0x3f, 0x7f), (3, 0x3f, 0x17f), (4, 0x3f, 0x3ff),
    (6, 0x3f, 0x1fffff), (6, 0x1ff, 0x1fffff), (6, 0x1ff, 0xff)])
def test_libmilters_own_peer(make_gate, folder, version, actions, steps):
    """An MTA's side that is neither ours nor Postfix's: miltertest."""
    assert shutil.which('miltertest'), 'apt-get install miltertest'
    gate = make_gate(zone=ZONE, **milter_changes())
    script = MILTERTEST
    for name, number in (('PORT', gate.ports['mta']), ('VERSION', version),
                         ('ACTIONS', actions), ('STEPS', steps)):
        script = script.replace(name, str(number))
    (folder / 'script').write_text(script)
    done = subprocess.run(['miltertest', '-s', folder / 'script'],
                          capture_output=True, text=True, timeout=60)
    assert 'well' in done.stdout, (done, gate.log())
    assert 'added' in done.stdout and 'spf=pass' in done.stdout, done


def test_client_certificate(make_pair, folder):
    """What Postfix has verified of the client is a connector's to know."""
    authority, other = Authority(folder / 'ca'), Authority(folder / 'other')
    name = 'scanner.agency.example'
    server = authority.issue('mx.agency.example')
    pair = make_pair(
        'smtpd_tls_security_level = may\nsmtpd_tls_ask_ccert = yes\n'
        f'smtpd_tls_CAfile = {authority.path}\n'
        f'smtpd_tls_cert_file = {server[0]}\n'
        f'smtpd_tls_key_file = {server[1]}\n'
        'tls_random_source = dev:/dev/urandom\n',
        connectors=[{'name': 'Scanner', 'treat_as': 'internal',
                     'tls_names': [name]}])
    sent = message('scan@agency.example')

    def reply_to(certificate):
        with pair.client(ip=STRANGER) as smtp:
            smtp.starttls('scanner', *certificate)
            return smtp.mail('scan@agency.example', 'user@agency.example',
                             sent)
    assert reply_to(()).startswith('550 5.7.1')
    assert reply_to(other.issue(name)).startswith('550 5.7.1')
    assert reply_to(authority.issue('x.example')).startswith('550 5.7.1')
    reply = reply_to(authority.issue(name))
    assert reply.startswith('250'), reply
    assert 'connector=Scanner' in pair.gate.wait_for_log('verdict=accept')


def test_login(pair):
    """Who has logged in at Postfix may use our domain."""
    sent = message('director@agency.example')
    with Smtp(pair.postfix.port,
              xclient=f'ADDR={STRANGER} NAME=[UNAVAILABLE] LOGIN=director'
              ) as smtp:
        reply = smtp.mail('director@agency.example', 'user@agency.example',
                          sent)
    assert reply.startswith('250'), reply
    assert 'verdict=accept' in pair.gate.wait_for_log('message.verdict')
    # The next client is another one.
    assert pair.mail(message('director@agency.example'),
                     ip=STRANGER).startswith('550 5.7.1')
