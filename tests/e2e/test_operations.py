# SPDX-License-Identifier: Apache-2.0
"""Drain, crash: what an operator does and what must not get lost."""
import fcntl
import os
import pathlib
import re
import signal
import socket
import threading
import time

import pytest

from gatehouse import listener
from mail import message, message_id
from net import stuff, wait_until
from store_lock import lock
from world import SHOP, STRANGER, ZONE

SENDER, USER = 'news@shop.example', 'user@agency.example'


# The end.

def test_drain_finishes_what_runs(make_gate, make_hop):
    """SIGTERM while the next hop has the message: the client hears 250."""
    slow, release = threading.Event(), threading.Event()

    def wait(_):
        slow.set()
        release.wait(10)
        return '250 2.0.0 kept'

    hop = make_hop({'.': wait})
    gate = make_gate(zone=ZONE, route=hop.route)
    idle = gate.client()
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.command('DATA')
        sent = message()
        client.send(stuff(sent))
        assert slow.wait(5)
        gate.process.send_signal(signal.SIGTERM)
        # A session that only waits is told to come back.
        assert idle.reply().startswith('421 4.3.2')
        assert idle.is_closed()
        release.set()
        assert client.reply().startswith('250 2.0.0 kept')
    began = time.monotonic()
    assert gate.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert len(hop.messages) == 1
    assert gate.explain(message_id(sent))['delivery'] == '250 2.0.0 kept'


def test_drain_has_an_end(make_gate, make_hop):
    """A next hop that never answers does not keep it for ever."""
    release = threading.Event()
    hop = make_hop({'.': lambda _: release.wait(30) and '' or ''})
    gate = make_gate(zone=ZONE, route=hop.route,
                     limits={'drain_timeout': '1s'})
    with gate.client() as client:
        client.command(f'MAIL FROM:<{SENDER}>')
        client.command(f'RCPT TO:<{USER}>')
        client.command('DATA')
        client.send(stuff(message()))
        wait_until(lambda: 'DATA' in hop.lines)
        time.sleep(0.2)
        began = time.monotonic()
        gate.process.send_signal(signal.SIGTERM)
        code = gate.process.wait(15)
        assert time.monotonic() - began < 8
        # Nobody said 250: the client keeps the message.
        assert client.reply()[:1] in ('4', '')
    release.set()
    assert code == 0
    assert hop.messages == []


# Crashes.

def test_killed_child_comes_back_and_nothing_is_lost(make_gate, make_hop):
    """kill -9 amid a hundred messages: every 250 has its message."""
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    acknowledged, refused = [], []
    killed = threading.Event()

    def send(number):
        for i in range(25):
            identity = f'c{number}-{i}@test.example'
            sent = message(message_id=identity)
            for _ in range(200):
                try:
                    reply = gate.mail(sent, ip=SHOP)
                except (OSError, AssertionError):
                    reply = ''
                if reply[:3] == '250':
                    acknowledged.append(identity)
                    break
                refused.append(reply)
                time.sleep(0.05)
            if len(acknowledged) > 30 and not killed.is_set():
                killed.set()
                gate.may_crash = True
                os.kill(gate.children()['smtp'], signal.SIGKILL)

    first = gate.children()['smtp']
    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(acknowledged) == sorted(
        f'c{n}-{i}@test.example' for n in range(4) for i in range(25))
    arrived = {message_id(taken.octets) for taken in hop.messages}
    assert set(acknowledged) <= arrived
    assert gate.children()['smtp'] != first
    ended = gate.wait_for_log('supervisor.ended child=smtp')
    assert 'signal=9' in ended
    gate.metric('gatehouse_child_restarts_total{child="smtp"}', 1)
    # What was acknowledged has its trace, too.
    for identity in acknowledged[::10]:
        assert gate.explain(identity)['verdict'] == 'accept'


def test_killed_supervisor_takes_its_children_along(make_gate):
    gate = make_gate(zone=ZONE)
    children = gate.children()
    gate.kill()
    wait_until(lambda: not any(os.path.exists(f'/proc/{pid}')
                               for pid in children.values()),
               what='the children to end')
    # The port is free: it starts again.
    gate.start()
    assert gate.mail(message(), ip=SHOP)[:3] == '250'


# The log.

def read_until(pipe, text):
    """What the gateway wrote, up to the line with it."""
    read = b''

    def is_there():
        nonlocal read
        try:
            read += os.read(pipe, 65536)
        except BlockingIOError:
            pass
        return text in read
    wait_until(is_there, 20, text)
    return read.decode()


def test_log_that_is_not_read(make_gate, folder):
    """Its reader hangs, reads again, goes away: mail is not held up."""
    gate = make_gate(start=False, zone=ZONE)
    os.mkfifo(folder / 'log')
    pipe = os.open(folder / 'log', os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 8192)
    gate.launch(['/bin/sh', '-c', 'exec "$0" "$@" 2>' + str(folder / 'log')])
    read_until(pipe, b'supervisor.ready')
    began = time.monotonic()
    for _ in range(50):
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
    assert time.monotonic() - began < 10
    dropped = 'gatehouse_log_lines_dropped_total'
    assert gate.metrics()[dropped] > 10
    os.read(pipe, 65536)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    logged = read_until(pipe, b'log.dropped')
    assert int(re.search('log.dropped lines=([0-9]+)', logged)[1]) > 10
    os.close(pipe)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    gate.process.send_signal(signal.SIGHUP)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    gate.metric('gatehouse_child_restarts_total{child="smtp"}', 0)


# Rights.

@pytest.mark.skipif(os.getuid() != 0, reason='only root can drop privileges')
def test_children_drop_privileges(make_gate, folder):
    gate = make_gate(start=False, zone=ZONE, user='nobody', group='nogroup')
    gate.own_by('nobody')
    gate.start()
    children = gate.children()
    assert sorted(children) == ['admin', 'smtp']
    for pid in children.values():
        with open(f'/proc/{pid}/status') as file:
            status = dict(line.rstrip('\n').split(':\t', 1) for line in file
                          if ':\t' in line)
        assert status['Uid'].split() == ['65534'] * 4
        assert status['Gid'].split() == ['65534'] * 4
        assert status['Groups'].strip() in ('', '65534')
        assert status['NoNewPrivs'] == '1'
        assert int(status['CapEff'], 16) == 0
        assert int(status['CapPrm'], 16) == 0
    sent = message(body=('z' * 76 + '\n') * 70000)
    assert gate.mail(sent, ip=SHOP)[:3] == '250'
    assert gate.mail(message('x@quarantine.example'), 'x@plain.example',
                     ip=STRANGER)[:3] == '250'
    # A new certificate or policy is read without root's help.
    os.chmod(gate.path, 0o644)
    assert 'result=loaded' in gate.reload()
    assert gate.metrics()['gatehouse_messages_total{verdict="accept"}'] == 1


def listening(pid):
    """The ports of TCP that a process has sockets to accept from."""
    ports = {}
    for line in pathlib.Path('/proc/net/tcp').read_text().split('\n')[1:-1]:
        words = line.split()
        if words[3] == '0A':
            ports[f'socket:[{words[9]}]'] = int(words[1].split(':')[1], 16)
    links = []
    for path in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        try:
            links.append(os.readlink(path))
        except OSError:
            pass
    return sorted(ports[link] for link in links if link in ports)


def test_each_child_has_its_own_listeners(make_gate):
    """One that held another's would go on with them when it is gone."""
    gate = make_gate(zone=ZONE, listeners=[
        listener(), listener('mta', 'milter')])
    children = gate.children()
    assert {name: listening(pid) for name, pid in children.items()} == {
        'smtp': [gate.ports['mx']], 'milter': [gate.ports['mta']],
        'admin': [gate.admin_port]}


def test_start_that_cannot_work_ends(make_gate):
    """`systemctl start` says so, instead of waiting."""
    gate = make_gate(start=False, dns={'zone': '/nonexistent/zone'})
    gate.launch()
    assert gate.process.wait(10) == 78
    assert 'child.start child=smtp' in gate.log()
    assert '/nonexistent/zone' in gate.log()
    gate.process = None


def test_mail_goes_on_while_the_admin_address_is_taken(make_gate):
    """Another program has it: the service is ready all the same."""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        gate = make_gate(zone=ZONE, admin={'address': f'127.0.0.1:{port}'})
        line = gate.wait_for_log('admin.away')
        assert 'Address already in use' in line, line
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
        # It tries again, and does not say so again.
        time.sleep(5)
        assert gate.log().count('admin.away') == 1
        assert 'admin.ready' not in gate.log()
    gate.wait_for_log('admin.ready')
    gate.admin_port = port
    assert gate.http('/readyz') == (200, 'ready\n')
    assert 'supervisor.restart' not in gate.log()


def test_an_admin_child_that_ends_early_ends_nothing(make_gate):
    """The service is not ready yet: the store is locked."""
    gate = make_gate(zone=ZONE)
    gate.stop()
    gate.may_crash = True
    seen = len(gate.log())
    with lock(gate.folder / 'state' / 'gatehouse.db'):
        gate.launch()
        gate.wait_for_log('admin.ready', after=seen)
        address = gate.config['admin']['address']
        # Without an interface nobody can listen there, ever.
        gate.write(admin={'address': '[fe80::1]:8025'})
        gate.process.send_signal(signal.SIGHUP)
        gate.wait_for_log('supervisor.restart child=admin', after=seen)
        gate.write(admin={'address': address})
    gate.wait_for_log('supervisor.ready', 30, after=seen)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'


def test_unknown_user_is_told(make_gate):
    gate = make_gate(start=False, user='nobody-by-this-name')
    if os.getuid() != 0:
        pytest.skip('only root changes its user')
    gate.launch()
    gate.wait_for_log('there is no user')
    # What cannot start now cannot start in a second: EX_CONFIG.
    assert gate.process.wait(10) == 78
    gate.process = None


# Being watched.

def test_admin_pages(make_gate):
    gate = make_gate(zone=ZONE)
    assert gate.http('/healthz')[0] == 200
    status, text = gate.http('/readyz')
    assert status == 200, text
    before = gate.metrics()
    gate.mail(message(), ip=SHOP)
    gate.mail(message('x@bank.example'), 'x@plain.example', ip=STRANGER)
    after = gate.metrics()

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown('gatehouse_messages_total{verdict="accept"}') == 1
    assert grown('gatehouse_messages_total{verdict="reject"}') == 1
    assert grown('gatehouse_policy_verdicts_total{policy="dmarc"}') == 1
    assert grown('gatehouse_spf_results_total{result="pass"}') == 1
    assert grown('gatehouse_dmarc_results_total{result="fail"}') == 1
    assert grown('gatehouse_connections_accepted_total') == 2
    assert gate.http('/nothing')[0] == 404


def test_what_contrib_names_is_there(make_gate):
    gate = make_gate(zone=ZONE, listeners=[
        listener(), listener('milter', 'milter')])
    gate.mail(message())
    wait_until(lambda: 'gatehouse_ready' in gate.metrics(), 5)
    there = {name.split('{')[0] for name in gate.metrics()}
    # A histogram as a whole.
    there |= {name.removesuffix('_count') for name in there}
    contrib = pathlib.Path(__file__).parents[2] / 'contrib'
    named = {name for path in contrib.glob('*[lj]*')
             for name in re.findall(r'gatehouse_\w+', path.read_text())}
    assert len(named) > 12 and named <= there, named - there


def test_not_ready_while_the_store_is_locked(make_gate):
    gate = make_gate(zone=ZONE)
    path = gate.folder / 'state' / 'gatehouse.db'
    assert gate.http('/readyz')[0] == 200
    with lock(path):
        status, text = wait_until(
            lambda: (lambda got: got if got[0] == 503 else None)(
                gate.http('/readyz')), 30, 'readyz to notice')
        assert 'store' in text
    assert wait_until(lambda: gate.http('/readyz')[0] == 200, 10)


def test_health_is_told_while_many_ask_for_a_store_that_is_locked(make_gate):
    """They wait for the probe together, and keep nobody from /healthz."""
    def ask():
        answers.append(gate.http('/readyz', seconds=30))

    gate = make_gate(zone=ZONE)
    assert gate.http('/readyz')[0] == 200
    time.sleep(2.1)
    answers = []
    many = [threading.Thread(target=ask) for _ in range(6)]
    with lock(gate.folder / 'state' / 'gatehouse.db'):
        for thread in many:
            thread.start()
        time.sleep(0.3)
        for _ in range(10):
            assert gate.http('/healthz', seconds=3) == (200, 'ok\n')
        assert answers == []
        for thread in many:
            thread.join()
    assert [status for status, _ in answers] == [503] * 6
    assert all('locked by another process' in text for _, text in answers)


# Nothing to serve, or not to be served.

@pytest.mark.parametrize('change, words', [
    ({'listeners': []}, 'there is nothing to serve'),
    ({'listeners': [{'name': 'mx', 'role': 'mx',
                     'address': '203.0.113.1:25'}]}, '203.0.113.1'),
    ({'dns': {'zone': '/nowhere/zone'}}, '/nowhere/zone'),
    ({'hostname': 'x y'}, 'hostname'),
])
def test_start_that_cannot_be(make_gate, change, words):
    gate = make_gate(start=False)
    gate.write(**change)
    gate.launch()
    line = gate.wait_for_log(words)
    assert 'error' in line or line.startswith('gatehouse: '), line
    assert gate.process.wait(10) != 0
    assert 'supervisor.ready' not in gate.log()
    gate.kill()
