# SPDX-License-Identifier: Apache-2.0
"""A name server with signed zones, and what its failures lead to."""
import time

import pytest

from dnsserver import DnsServer, Zone
from gatehouse import listener
from mail import message, message_id
from net import Smtp, wait_until
from nsd import Nsd
from world import SHOP, STRANGER

SIGNED = f'''shop TXT "v=spf1 ip4:{SHOP} -all"
_dmarc.shop TXT "v=DMARC1; p=reject"
bank TXT "v=spf1 -all"
_dmarc.bank TXT "v=DMARC1; p=reject"
forged TXT "v=spf1 ip4:{STRANGER} -all"
_dmarc.forged TXT "v=DMARC1; p=reject; rua=mailto:a@forged.example"
agency TXT "v=spf1 -all"
'''


@pytest.fixture
def signed(folder, make_gate):
    """(Gatehouse, nsd) whose record of _dmarc.forged.example was changed."""
    server = Nsd(folder / 'dns', {'example': SIGNED})
    server.change('example', 'a@forged', 'b@forged')
    server.start()
    gate = make_gate(dns={'zone': '', 'servers': [server.address],
                          'trust_anchor': str(server.trust_anchor)})
    yield gate, server
    server.stop()


def test_signed_answers_count(signed):
    gate, _ = signed
    sent = message()
    assert gate.mail(sent, ip=SHOP).startswith('250')
    trace = gate.explain(message_id(sent))
    assert trace['spf']['result'] == 'pass'
    assert trace['dmarc']['result'] == 'pass'
    reply = gate.mail(message('x@bank.example'), 'x@shop.example',
                      ip=STRANGER)
    assert reply.startswith('550 5.7.1'), reply
    assert 'DMARC policy of bank.example' in reply


def test_forged_answer_defers(signed):
    """Below the domain that SPF passes for: there its record matters."""
    gate, _ = signed
    sent = message('x@mail.forged.example')
    reply = gate.mail(sent, 'x@forged.example', ip=STRANGER)
    assert reply.startswith('451 4.7'), reply
    trace = gate.explain_reply(reply) if '(id' in reply else \
        gate.explain(message_id(sent))
    assert trace['verdict'] == 'defer'
    query = next(one for one in trace['dns_queries']
                 if one['name'] == '_dmarc.forged.example')
    assert 'DNSSEC' in query['problem'] or 'bogus' in query['problem'], query
    gate.metric('gatehouse_dns_failures_total{reason="bogus"}', 1)
    # Without validation the same answer is believed.
    gate.write(dns={'trust_anchor': ''})
    gate.reload()
    assert gate.mail(message('x@mail.forged.example'), 'x@forged.example',
                     ip=STRANGER).startswith('250')


def test_name_server_that_is_gone_defers(signed):
    gate, server = signed
    server.stop()
    sent = message('x@bank.example')
    reply = gate.mail(sent, 'x@bank.example', ip=STRANGER)
    assert reply.startswith('451 4.'), reply
    assert gate.explain(message_id(sent))['verdict'] == 'defer'
    server.start()
    # libunbound tries a server that was silent again after a while.
    wait_until(lambda: gate.mail(
        sent, 'x@bank.example', ip=STRANGER).startswith('550'), 40,
        'the name server to be asked again')


def test_failures_of_single_records(make_gate):
    """SERVFAIL and silence, for what a decision needs and what it does not."""
    zone = Zone()
    for domain in ('shop.example', 'later.example', 'slow.example'):
        zone.add(domain, 'TXT', f'v=spf1 ip4:{SHOP} -all')
    zone.add('_dmarc.shop.example', 'TXT', 'v=DMARC1; p=reject')
    zone.fail('_dmarc.later.example', 'TXT')
    zone.time_out('_dmarc.slow.example', 'TXT')
    zone.fail('nospf.example', 'TXT')
    zone.add('_dmarc.nospf.example', 'TXT', 'v=DMARC1; p=reject')
    with DnsServer(zone) as server:
        gate = make_gate(dns={'zone': '', 'servers': [server.address]},
                         limits={'dns_query_timeout': '500ms',
                                 'dns_time': '3s'})
        cases = [
            ('shop.example', SHOP, '250'),
            ('shop.example', STRANGER, '550 5.7.1'),
            ('later.example', STRANGER, '451 4.7'),
            ('slow.example', STRANGER, '451 4.7'),
            # The policy is known, but SPF could still have passed.
            ('nospf.example', STRANGER, '451 4.7'),
        ]
        for domain, ip, code in cases:
            reply = gate.mail(message(f'x@{domain}'), f'x@{domain}', ip=ip)
            assert reply.startswith(code), (domain, reply)
        gate.write(authentication={'dmarc': {'on_temporary_error': 'accept'}})
        gate.reload()
        reply = gate.mail(message('x@later.example'), 'x@later.example',
                          ip=STRANGER)
        assert reply.startswith('250'), reply


def test_what_is_not_there_is_asked_again(make_gate):
    """Our cache forgets it, and so does libunbound's."""
    zone = Zone()
    with DnsServer(zone) as server:
        gate = make_gate(dns={'zone': '', 'servers': [server.address],
                              'cache_negative_ttl': '1s'})
        sent = message('x@bank.example')
        assert gate.mail(sent, 'x@bank.example', ip=STRANGER)[:3] == '250'
        zone.add('bank.example', 'TXT', 'v=spf1 -all')
        zone.add('_dmarc.bank.example', 'TXT', 'v=DMARC1; p=reject')
        time.sleep(2.1)
        assert gate.mail(sent, 'x@bank.example', ip=STRANGER)[:3] == '550'


def twice(query, reply, transport):
    """The first record of an answer, which points at its name, once more."""
    at = 12 + len(query.question[0].name.to_wire()) + 4
    if reply[6:8] != b'\0\1':
        return [reply]
    end = at + 12 + int.from_bytes(reply[at + 10:at + 12], 'big')
    return [reply[:6] + b'\0\2' + reply[8:end] + reply[at:]]


def test_the_same_record_twice_is_one(make_gate):
    zone = Zone()
    zone.add('shop.example', 'TXT', f'v=spf1 ip4:{SHOP} -all')
    zone.add('_dmarc.shop.example', 'TXT', 'v=DMARC1; p=reject')
    with DnsServer(zone) as server:
        server.distort = twice
        gate = make_gate(dns={'zone': '', 'servers': [server.address]})
        sent = message()
        assert gate.mail(sent, ip=SHOP).startswith('250')
        trace = gate.explain(message_id(sent))
        assert trace['spf']['result'] == 'pass'
        assert trace['dmarc']['result'] == 'pass'


@pytest.mark.parametrize('broken, code', [
    (None, '250'),
    (('10.2.0.192.in-addr.arpa', 'PTR'), '451 4.7'),
    (('list.partner.example', 'A'), '451 4.7'),
], ids=str)
def test_trusted_host_whose_name_cannot_be_looked_up(make_gate, broken, code):
    zone = Zone()
    zone.add('_dmarc.bank.example', 'TXT', 'v=DMARC1; p=reject')
    for record in (('10.2.0.192.in-addr.arpa', 'PTR', 'list.partner.example'),
                   ('list.partner.example', 'A', '192.0.2.10')):
        if record[:2] == broken:
            zone.fail(*broken)
        else:
            zone.add(*record)
    with DnsServer(zone) as server:
        gate = make_gate(
            dns={'zone': '', 'servers': [server.address]},
            listeners=[listener(proxy_protocol=['127.0.0.0/8'])],
            authentication={'trusted_intermediaries': [
                {'host': 'list.partner.example'}]})
        with Smtp(gate.port, proxy=b'PROXY TCP4 192.0.2.10 127.0.0.1 '
                  b'1000 25\r\n') as client:
            reply = client.mail('x@list.partner.example',
                                'user@agency.example',
                                message('ceo@bank.example'))
        assert reply.startswith(code), reply


@pytest.mark.parametrize('name, code', [
    ('list.partner.example', '250'),
    ('[TEMPUNAVAIL]', '451 4.7'),
    ('[UNAVAILABLE]', '550 5.7.1'),
])
def test_trusted_host_as_a_proxy_tells_its_name(make_gate, name, code):
    zone = Zone()
    zone.add('_dmarc.bank.example', 'TXT', 'v=DMARC1; p=reject')
    with DnsServer(zone) as server:
        gate = make_gate(
            dns={'zone': '', 'servers': [server.address]},
            authentication={'trusted_intermediaries': [
                {'host': 'list.partner.example'}]})
        with Smtp(gate.port,
                  xclient=f'ADDR=192.0.2.10 NAME={name}') as client:
            reply = client.mail('x@list.partner.example',
                                'user@agency.example',
                                message('ceo@bank.example'))
        assert reply.startswith(code), reply


def test_own_domain_defers_when_its_record_cannot_be_read(make_gate):
    zone = Zone()
    zone.fail('agency.example', 'TXT')
    with DnsServer(zone) as server:
        gate = make_gate(dns={'zone': '', 'servers': [server.address]})
        reply = gate.mail(message('director@agency.example'),
                          'director@agency.example', ip=STRANGER)
        assert reply.startswith('451 4.4.3'), reply
    assert gate.delivered() == []
