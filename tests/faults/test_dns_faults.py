# SPDX-License-Identifier: Apache-2.0
"""A name server that answers wrongly, late, or not.

What a decision needs and cannot be known defers (451 4.7.0 for a DMARC policy,
451 4.4.3 for our own domains); nothing passes that must be refused; and when
answers come again mail is judged again, without a restart.
"""
import os
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest

from dnsserver import DnsServer, Zone
from faults import Faults
from gatehouse import listener
from mail import message
from milter import Milter
from net import wait_until
from nsd import Nsd
from places import LONG
from world import SHOP, STRANGER

LIMITS = {'dns_query_timeout': '500ms', 'dns_time': '2s'}
HANGS = threading.Event()


def the_zone():
    zone = Zone()
    for name in ('shop', 'agency'):
        zone.add(f'{name}.example', 'TXT', f'v=spf1 ip4:{SHOP} -all')
    for name in ('bank', 'later'):
        zone.add(f'{name}.example', 'TXT', 'v=spf1 -all')
    for name in ('shop', 'bank', 'later'):
        zone.add(f'_dmarc.{name}.example', 'TXT', 'v=DMARC1; p=reject')
    return zone


def parsed(octets, change):
    answer = dns.message.from_wire(octets)
    change(answer)
    return answer.to_wire(max_size=65535)


def garbage(query, octets, transport):
    return [octets[:2] + os.urandom(60)]


def noise(query, octets, transport):
    return [os.urandom(40)]


def empty(query, octets, transport):
    return [b'']


def wrong_id(query, octets, transport):
    return [bytes([octets[0] ^ 255]) + octets[1:]]


def cut(query, octets, transport):
    return [octets[:len(octets) - 5]]


def rcode(name):
    def distort(query, octets, transport):
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.from_text(name))
        return [answer.to_wire()]
    return distort


def question_back(query, octets, transport):
    return [query.to_wire()]


def other_question(query, octets, transport):
    """The right id, an answer to something else."""
    def change(answer):
        answer.question = [dns.rrset.from_text(
            'other.example.', 300, 'IN', 'TXT')]
        answer.answer = []
    return [parsed(octets, change)]


def referral(name=None):
    """A lame server: it knows nothing and names others, for a zone or for the
    name that it is asked for."""
    def distort(query, octets, transport):
        answer = dns.message.make_response(query)
        answer.authority = [dns.rrset.from_text(
            name or query.question[0].name.to_text(), 1, 'IN', 'NS',
            'ns.elsewhere.example.')]
        answer.flags &= ~(dns.flags.RA | dns.flags.AA)
        return [answer.to_wire()]
    return distort


def truncated(over_tcp):
    def distort(query, octets, transport):
        if transport == 'tcp':
            if over_tcp == 'hangs':
                HANGS.wait(5)
            return [octets] if over_tcp == 'works' else []
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.TC | dns.flags.RA
        return [answer.to_wire()]
    return distort


def late(query, octets, transport):
    time.sleep(1.5)
    return [octets]


def silent(query, octets, transport):
    return []


def alias_loop(query, octets, transport):
    answer = dns.message.make_response(query)
    name = query.question[0].name.to_text()
    answer.answer = [dns.rrset.from_text(name, 1, 'IN', 'CNAME', name)]
    answer.flags |= dns.flags.RA
    return [answer.to_wire()]


def huge(query, octets, transport):
    """60,000 octets of other records beside the right one."""
    if transport == 'udp':
        return truncated('works')(query, octets, transport)

    def change(answer):
        for rrset in answer.answer:
            for i in range(240):
                rrset.add(dns.rdata.from_text(
                    rrset.rdclass, rrset.rdtype, f'"{i:03}{"x" * 240}"'))
    return [parsed(octets, change)]


FAULTS = {
    'silent': silent, 'late': late, 'garbage': garbage, 'noise': noise,
    'empty datagram': empty, 'cut short': cut, 'wrong id': wrong_id,
    'other question': other_question, 'the question again': question_back,
    'SERVFAIL': rcode('SERVFAIL'), 'REFUSED': rcode('REFUSED'),
    'FORMERR': rcode('FORMERR'), 'NOTIMP': rcode('NOTIMP'),
    'lame: refers to others': referral('example.'),
    'lame: refers to others for each name': referral(),
    'truncated, TCP closed': truncated('closes'),
    'truncated, TCP hangs': truncated('hangs'), 'alias loop': alias_loop,
}


def ask(gate, author, ip=STRANGER):
    begin = time.monotonic()
    reply = gate.mail(message(f'x@{author}.example'), f'x@{author}.example',
                      ip=ip, seconds=30)
    assert time.monotonic() - begin < 5, (author, reply)
    return reply


@pytest.fixture
def served(make_gate):
    """A gateway and its name server."""
    with DnsServer(the_zone()) as server:
        yield make_gate(dns={'zone': '', 'servers': [server.address]},
                        limits=LIMITS), server


@pytest.mark.parametrize('fault', FAULTS)
def test_no_answer(served, fault):
    gate, server = served
    server.distort = FAULTS[fault]
    assert ask(gate, 'bank').startswith('451 4.7.0')
    assert ask(gate, 'agency').startswith('451 4.4.3')
    # Who may be refused or taken is not refused for this.
    assert ask(gate, 'shop', SHOP)[:4] in ('250 ', '451 ')
    assert gate.http('/healthz')[0] == 200
    if not LONG and fault != 'silent':
        return
    server.distort = None
    # libunbound keeps a failure for a few seconds, and asks a server that was
    # silent again after a while.
    wait_until(lambda: ask(gate, 'bank')[:3] == '550', 40, 'the policy')
    assert ask(gate, 'later').startswith('550 5.7.1')
    if LONG:
        wait_until(lambda: ask(gate, 'shop', SHOP)[:3] == '250', 40, 'SPF')


def silent_below(suffix):
    suffix = dns.name.from_text(suffix)

    def fault(query, octets, transport):
        slow = query.question[0].name.is_subdomain(suffix)
        return [] if slow else [octets]
    return fault


def test_a_silent_zone_is_not_the_forwarder(served):
    """Names of a stranger that get no answer, and few others: the forwarder
    is not taken for dead."""
    gate, server = served
    server.distort = silent_below('slow.test')
    ended = threading.Event()

    def attack():
        number = 0
        while not ended.wait(0.5):
            number += 1
            domain = f's{number}.slow.test'
            gate.mail(message(f'a@{domain}'), f'a@{domain}', ip=STRANGER,
                      seconds=30)

    strangers = [threading.Thread(target=attack) for _ in range(4)]
    for stranger in strangers:
        stranger.start()
    try:
        for number in range(3):
            time.sleep(6)
            domain = f'quiet{number}.example'
            server.zone.add(domain, 'TXT', 'v=spf1 -all')
            server.zone.add(f'_dmarc.{domain}', 'TXT', 'v=DMARC1; p=reject')
            reply = gate.mail(message(f'x@{domain}'), f'x@{domain}',
                              ip=STRANGER, seconds=30)
            assert reply.startswith('550 5.7.1'), (number, reply)
    finally:
        ended.set()
        for stranger in strangers:
            stranger.join()


def known_after(seconds):
    """A forwarder that has to find each name out; then all who asked for it
    are answered."""
    asked = {}

    def fault(query, octets, transport):
        name = query.question[0].name
        begin = asked.setdefault(name, time.monotonic())
        time.sleep(max(0, begin + seconds - time.monotonic()))
        return [octets]
    return fault


def test_a_slow_forwarder_is_waited_for(make_gate):
    """For limits.dns_query_timeout."""
    with DnsServer(the_zone()) as server:
        server.distort = known_after(6)
        gate = make_gate(dns={'zone': '', 'servers': [server.address]},
                         limits={'dns_query_timeout': '10s',
                                 'dns_time': '20s'})
        sent = message('x@bank.example')
        reply = gate.mail(sent, 'x@bank.example', ip=STRANGER, seconds=60)
        assert reply.startswith('550 5.7.1'), reply


@pytest.mark.parametrize('fault', [truncated('works'), huge])
def test_large_answers(served, fault):
    """Over TCP, as whole as they are."""
    gate, server = served
    server.distort = fault
    assert ask(gate, 'bank').startswith('550 5.7.1')
    assert ask(gate, 'agency').startswith('550 5.7.1')
    assert ask(gate, 'shop', SHOP)[:3] == '250'
    assert any(transport == 'tcp' for transport, _, _ in server.queries)


def test_forged_answers_beside_the_true_one(served):
    """Those with another id or question change nothing."""
    gate, server = served

    def distort(query, octets, transport):
        forged = parsed(octets, lambda answer: answer.answer.clear())
        return wrong_id(query, forged, transport) * 3 + [octets]

    server.distort = distort
    assert ask(gate, 'bank').startswith('550 5.7.1')
    assert ask(gate, 'shop', SHOP)[:3] == '250'


def test_nothing_without_an_soa_is_not_kept(served):
    """A server that we forward to is believed when it says "nothing"; but no
    longer than it says so (RFC 2308, section 5).  A referral to the root is
    such a "nothing": libunbound drops what it says."""
    gate, server = served
    server.distort = referral('.')
    assert ask(gate, 'bank')[:3] == '250'
    server.distort = None
    wait_until(lambda: ask(gate, 'bank')[:3] == '550', 20, 'the policy')


# Behind a trust anchor nobody has to be believed.

class Between(DnsServer):
    """Passes questions on to another server."""

    def __init__(self, port):
        super().__init__(Zone())
        self.target = port

    def _reply(self, octets, transport):
        query = dns.message.from_wire(octets)
        ask_it = dns.query.tcp if transport == 'tcp' else dns.query.udp
        return ask_it(query, '127.0.0.1', 5, self.target).to_wire()


def unsigned(query, octets, transport):
    """As if nothing were signed."""
    def change(answer):
        for section in (answer.answer, answer.authority):
            section[:] = [rrset for rrset in section if rrset.rdtype not in (
                dns.rdatatype.RRSIG, dns.rdatatype.NSEC,
                dns.rdatatype.NSEC3)]
    return [parsed(octets, change)]


def other_policy(query, octets, transport):
    return [octets.replace(b'p=reject', b'p=none  ')]


def no_such_name(query, octets, transport):
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.NXDOMAIN)
    return [answer.to_wire()]


SIGNED = f"""shop TXT "v=spf1 ip4:{SHOP} -all"
_dmarc.shop TXT "v=DMARC1; p=reject"
bank TXT "v=spf1 -all"
_dmarc.bank TXT "v=DMARC1; p=reject"
agency TXT "v=spf1 -all"
"""


LISTENERS = {'smtp': lambda: listener(xclient=['127.0.0.1']),
             'milter': lambda: listener('mta', 'milter')}


@pytest.mark.parametrize('by', LISTENERS)
def test_a_new_trust_anchor_is_taken_unasked(folder, make_gate, by):
    """As an upgrade of dns-root-data brings one when the root rolls its key:
    a process that goes on with the old one finds everything bogus."""
    anchors = folder / 'anchors'

    def put(octets):
        fresh = folder / 'anchors.new'
        fresh.write_bytes(octets)
        fresh.rename(anchors)

    old = Nsd(folder / 'old', {'example': SIGNED}).trust_anchor.read_bytes()
    put(old)
    with Nsd(folder / 'dns', {'example': SIGNED}) as nsd:
        gate = make_gate(
            limits=LIMITS, dns={
                'zone': '', 'servers': [nsd.address],
                'trust_anchor': str(anchors)},
            listeners=[LISTENERS[by]()])

        def reply():
            if by == 'smtp':
                return ask(gate, 'bank')
            with Milter(gate.port, ip=STRANGER) as mta:
                return mta.mail(message('x@bank.example'), 'x@bank.example',
                                'user@agency.example').text

        assert reply().startswith('451 4.7.0')
        # What is none changes nothing.
        put(b'')
        kept = f'dns.trust_anchor child={by} result=kept'
        gate.wait_for_log(kept)
        # It is tried again, and said once.
        time.sleep(3)
        assert gate.log().count(kept) == 1
        put(nsd.trust_anchor.read_bytes())
        line = gate.wait_for_log(f'dns.trust_anchor child={by} result=loaded')
        assert str(anchors) in line
        assert reply().startswith('550 5.7.1')
        # What is in use now is what the next one takes over from.
        assert 'result=loaded' in gate.reload()
        assert reply().startswith('550 5.7.1')


def test_a_trust_anchor_that_cannot_be_read_is_tried_again(folder, make_gate):
    """It does not change again: the trouble was ours."""
    anchors, fresh = folder / 'anchors', folder / 'anchors.new'
    anchors.write_bytes(
        Nsd(folder / 'old', {'example': SIGNED}).trust_anchor.read_bytes())
    faults = Faults(folder / 'faults')
    with Nsd(folder / 'dns', {'example': SIGNED}) as nsd:
        gate = make_gate(
            limits=LIMITS, environment=faults.environment, dns={
                'zone': '', 'servers': [nsd.address],
                'trust_anchor': str(anchors)})
        with faults.failing('open', 'EMFILE', only='anchors'):
            fresh.write_bytes(nsd.trust_anchor.read_bytes())
            fresh.rename(anchors)
            kept = gate.wait_for_log('dns.trust_anchor child=smtp result=kept')
            assert 'Too many open files' in kept
        gate.wait_for_log('dns.trust_anchor child=smtp result=loaded')
        assert ask(gate, 'bank').startswith('550 5.7.1')


@pytest.mark.parametrize('fault', [
    referral('.'), referral('sub.example.'), unsigned, other_policy,
    no_such_name])
def test_signed_zone(folder, make_gate, fault):
    """Lame, stripped of its signatures, or changed: bogus, so it defers."""
    with Nsd(folder / 'dns', {'example': SIGNED}) as nsd, \
            Between(nsd.port) as server:
        gate = make_gate(limits=LIMITS, dns={
            'zone': '', 'servers': [server.address],
            'trust_anchor': str(nsd.trust_anchor)})
        server.distort = fault
        assert ask(gate, 'bank').startswith('451 4.7.0')
        if fault is not other_policy:
            assert ask(gate, 'agency').startswith('451 4.4.3')
        server.distort = None
        if LONG:
            wait_until(lambda: ask(gate, 'bank')[:3] == '550', 90,
                       'the policy')
            assert ask(gate, 'shop', SHOP)[:3] == '250'
