# SPDX-License-Identifier: Apache-2.0
"""gatehouse status: healthy, unhealthy with its reason, not reachable."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from certificates import Authority
from gatehouse import listener
from mail import message
from net import free_port, wait_until
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
    assert min(told['room_bytes'].values()) > 0
    assert set(told['room_bytes']) == {'store', 'spool'}
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
    # In the system's words, not only their kind.
    assert any(re.match(r'store: [a-z-]+: .', line)
               for line in told['problems']), told
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


def stop_second_child(gate):
    """Starts the gateway; the milter stops where it is forked, or soon after:
    the tables are there, so that it does not stop with the store's lock."""
    gate.start()
    gate.stop()
    for _ in range(5):
        gate.launch()
        pid = gate.process.pid
        children = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
        while len(found := children.read_text().split()) < 2:
            pass
        os.kill(int(found[1]), signal.SIGSTOP)
        wait_until(lambda: 'admin.ready' in gate.log()[gate._seen:], 10)
        age = 'gatehouse_heartbeat_age_seconds{process="%s"}'
        wait_until(lambda: age % 'smtp' in gate.metrics(), 10, 'smtp')
        if age % 'milter' not in gate.metrics():
            return int(found[1])
        os.kill(int(found[1]), signal.SIGCONT)
        gate.stop()
    raise AssertionError('the milter is too fast')


def test_child_that_never_came_up(make_gate):
    gate = make_gate(start=False, zone=ZONE,
                     listeners=[listener(), listener('mta', 'milter')])
    pid = stop_second_child(gate)
    try:
        code, text = gate.http('/readyz')
        assert code == 503 and 'milter: not started' in text
        told = status(gate, code=1)
        assert 'milter: not started' in told['problems']
    finally:
        os.kill(pid, signal.SIGCONT)
    gate.wait_for_log('supervisor.ready')
    wait_until(lambda: gate.http('/readyz')[0] == 200, 10, 'the milter')


def test_next_hop_that_is_away(make_gate):
    gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{free_port()}')
    assert not any('next hop' in line for line in status(gate)['warnings'])
    assert gate.mail(message(), ip=SHOP)[:3] == '451'
    told = status(gate)
    assert told['state'] == 'healthy'
    assert told['next_hops_away'] == 1
    assert sum(told['next_hop_failures'].values()) >= 1
    assert any('cannot be reached: 1; next-hop.away' in line
               for line in told['warnings'])
    text = gate.run('status', '-c', str(gate.path))
    assert re.search('^  unreachable +[a-z]+ [1-9]', text, re.M), text


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
    assert b'write admin: {address: "127.0.0.1:8025"}' in done.stderr


def test_dns_and_rates(make_gate, folder):
    gate = make_gate(zone=ZONE)
    told = status(gate)
    assert told['dns']['answers'] and told['dns']['ms'] >= 0
    assert told['rates'] == {'connections_per_second': 0,
                             'messages_per_second': 0,
                             'dns_queries_per_second': 0}
    assert told['store_waiting'] == 0 and told['version']
    sender = threading.Thread(
        target=lambda: [gate.mail(message(), ip=SHOP) for _ in range(20)])
    sender.start()
    told = status(gate)
    sender.join()
    assert told['rates']['messages_per_second'] > 0
    done = gate.command('status', '-c', '/none', '--seconds', 'x')
    assert done.returncode == 2 and b'--seconds is a number' in done.stderr
    told = json.loads(gate.run('status', '-c', str(gate.path), '--json',
                               '--seconds', '0'))
    assert 'rates' not in told
    assert 'DNS           answers' in gate.run('status', '-c', str(gate.path))
    # Nobody listens there.
    gate.write(dns={'zone': '', 'servers': [f'127.0.0.1@{free_port()}']})
    told = status(gate, code=1)
    assert not told['dns']['answers']
    assert any(line.startswith('dns: ') for line in told['problems'])


def test_certificates_in_use_are_not_those_of_the_files(make_gate, folder):
    authority = Authority(folder / 'ca')
    pair = authority.issue('mx1.agency.example')
    gate = make_gate(zone=ZONE, listeners=[
        listener(tls={'certificate': pair[0], 'key': pair[1]})])
    assert not any('in use' in line for line in status(gate)['warnings'])
    # A renewal whose key is still missing.
    key = pathlib.Path(pair[1]).read_text()
    time.sleep(1.1)  # another second to expire in
    authority.issue('mx1.agency.example')
    pathlib.Path(pair[1]).write_text(key)
    gate.wait_for_log('smtp.certificates result=kept')
    told = status(gate)
    assert any('not those of the files' in line for line in told['warnings'])


@pytest.mark.parametrize('change', ['another', 'empty', 'gone'])
def test_key_that_is_not_the_certificates(make_gate, folder, change):
    """The certificate's file is as ever, and the next start would fail."""
    def told():
        return [line for line in status(gate)['warnings']
                if 'next start' in line]
    authority = Authority(folder / 'ca')
    pair = authority.issue('mx1.agency.example')
    key = pathlib.Path(pair[1])
    gate = make_gate(zone=ZONE, listeners=[
        listener(tls={'certificate': pair[0], 'key': pair[1]})])
    assert told() == []
    kept = key.read_text()
    if change == 'another':
        shutil.copy(authority.issue('other.example')[1], key)
    elif change == 'empty':
        key.write_text('')
    else:
        key.unlink()
    line, = told()
    assert 'listener mx' in line and str(key) in line, line
    key.write_text(kept)
    assert told() == []


def test_tracing_by_the_file_is_not_forgotten(make_gate):
    gate = make_gate(zone=ZONE, log={'trace': ['smtp', 'dns']})
    told = gate.run('status', '-c', str(gate.path))
    assert 'log.trace is on: smtp, dns' in told
    gate.write(log={'trace': []})
    assert 'log.trace' not in gate.run('status', '-c', str(gate.path))


def test_traces_are_not_forgotten(make_gate):
    gate = make_gate(zone=ZONE)
    gate.run('trace', '-c', str(gate.path), '--client', '192.0.2.0/24')
    told = status(gate)
    assert any(line.startswith('clients 192.0.2.0/24 are traced')
               for line in told['warnings'])
