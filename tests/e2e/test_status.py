# SPDX-License-Identifier: Apache-2.0
"""gatehouse status: healthy, unhealthy with its reason, not reachable."""
import json
import subprocess

from certificates import Authority
from gatehouse import listener
from mail import message
from store_lock import lock
from world import SHOP, STRANGER, ZONE


def status(gate, code=0):
    text = gate.run('status', '-c', str(gate.path), '--json', code=code)
    return json.loads(text)


def test_healthy(make_gate, folder):
    pair = Authority(folder / 'ca').issue('mx1.agency.example')
    gate = make_gate(
        zone=ZONE,
        listeners=[listener(tls={'certificate': pair[0], 'key': pair[1]},
                            xclient=['127.0.0.1'])],
        connectors=[
            {'name': name, 'networks': ['198.51.100.7'],
             'may_send_as': ['agency.example'], 'owner': 'facilities',
             'reason': 'MFD', 'expires': date}
            for name, date in (('Old', '2020-01-31'), ('New', '2999-01-31'))])
    gate.mail(message(), ip=SHOP)
    gate.mail(message('x@bank.example'), 'x@plain.example', ip=STRANGER)
    gate.metric('gatehouse_messages_total{verdict="reject"}', 1)
    with gate.client():
        gate.metric('gatehouse_connections', 1)
        told = status(gate)
    assert told['state'] == 'healthy' and told['problems'] == []
    assert told['messages']['accept'] == told['messages']['reject'] == 1
    assert told['connections'] == 1
    assert told['store_size_bytes'] > 0
    assert told['started'] > '2020'
    # The authority's certificates last two days.
    assert [one['listener'] for one in told['certificates']] == ['mx']
    assert any('mx expires soon' in line for line in told['warnings'])
    assert {one['name']: one['state'] for one in told['connectors']} == \
        {'Old': 'expired', 'New': 'valid'}
    assert any('Old: expired' in line for line in told['warnings'])
    text = gate.run('status', '-c', str(gate.path))
    assert text.startswith('healthy\n')
    assert 'accept 1, reject 1\n' in text


def test_unhealthy_says_why(make_gate, folder):
    pair = Authority(folder / 'ca').issue('mx1.agency.example')
    gate = make_gate(
        zone=ZONE,
        listeners=[listener(tls={'certificate': pair[0], 'key': pair[1]})])
    with lock(gate.folder / 'state' / 'gatehouse.db'):
        told = status(gate, code=1)
    assert told['state'] == 'unhealthy'
    assert any(line.startswith('store: ') for line in told['problems'])
    expired = folder / 'ca' / 'expired.pem'
    done = subprocess.run(
        ['openssl', 'x509', '-in', pair[0], '-signkey', pair[1], '-days',
         '-1', '-out', str(expired)], capture_output=True)
    if done.returncode == 0:
        gate.write(listeners=[dict(gate.config['listeners'][0],
                                   tls={'certificate': str(expired),
                                        'key': pair[1]})])
        told = status(gate, code=1)
        assert any('mx has expired' in line for line in told['problems'])
    expired.write_text('no certificate\n')
    told = status(gate, code=1)
    assert any('no certificate' in line for line in told['problems'])


def test_not_reachable(make_gate):
    gate = make_gate(start=False)
    told = status(gate, code=75)
    assert told['state'] == 'unreachable'
    assert 'messages' not in told
    assert 'no answer from 127.0.0.1' in told['problems'][0]


def test_without_an_admin_address(make_gate):
    gate = make_gate(start=False)
    del gate.config['admin']
    gate.write()
    done = gate.command('status', '-c', str(gate.path))
    assert done.returncode == 78
    assert b'admin.address' in done.stderr
