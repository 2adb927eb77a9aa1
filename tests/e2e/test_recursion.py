# SPDX-License-Identifier: Apache-2.0
"""No servers in the configuration: names are resolved from the root down."""
import json
import subprocess

import pytest

import delegation
from gatehouse import binary
from mail import message
from world import SHOP


@pytest.fixture(scope='module', autouse=True)
def internet():
    try:
        delegation.check()
    except (OSError, subprocess.CalledProcessError) as reason:
        pytest.skip(f'no network namespace: {reason}')


def run(*args, octets=b''):
    done = subprocess.run([*delegation.INTERNET, binary(), *args],
                          input=octets, capture_output=True, timeout=60)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


# The domain of the envelope's sender, and its SPF result.
DOMAINS = [
    ('near.example', 'pass'),         # two referrals with glue
    ('x.far.example', 'pass'),        # one without: its server is elsewhere
    ('alias.near.example', 'pass'),   # from one to the other
    ('ns.near.example', 'none'),      # no such record
    ('no.near.example', 'none'),      # no such name
    ('no.example', 'none'),
    # NS and no SOA, as in a referral: but this server is whom it refers to.
    ('nosoa.example', 'none'),
    # One of five servers is well; the others are each wrong in their own way.
    ('half.example', 'pass'),
    ('lame.example', 'temperror'),    # its server knows nothing of it
    ('gone.example', 'temperror'),    # there is no server
    ('silent.example', 'temperror'),
    ('ring.example', 'temperror'),    # each is to be found by the other
]


@pytest.mark.parametrize('domain, result', DOMAINS)
def test_referrals(make_gate, domain, result):
    # A silent server among others may be tried for some seconds: that one has
    # the program's own limits.
    query, patience = (('10s', '20000') if domain == 'half.example'
                       else ('2s', '4000'))
    gate = make_gate(start=False, dns={'zone': '', 'trust_anchor': ''},
                     limits={'dns_query_timeout': query})
    facts = run('check', '-c', str(gate.path), '--client-ip', SHOP, '--helo',
                'near.example', '--mail-from', f'x@{domain}', '--rcpt-to',
                'user@agency.example', '--dns-timeout', patience, '--json', '-',
                octets=message('x@near.example'))
    assert facts['spf']['result'] == result, facts['dns_queries']
    assert facts['spf_helo']['result'] == 'pass', facts['dns_queries']
    assert facts['dmarc']['result'] == 'none', facts['dns_queries']
    assert facts['verdict'] == 'accept', facts


def test_another_root_is_bogus():
    """The trust anchor is the real root's."""
    facts = run('spf', '--client-ip', SHOP, '--helo', 'h.example',
                '--mail-from', 'x@near.example', '--json')
    assert facts['result'] == 'temperror', facts
    assert 'DNSSEC' in facts['problem'], facts
