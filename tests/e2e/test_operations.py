# SPDX-License-Identifier: Apache-2.0
"""Reload, drain, crash: what an operator does and what must not get lost."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import threading
import time

import pytest

from certificates import Authority, expires
from gatehouse import listener
from mail import message, message_id
from net import free_port, stuff, wait_until
from store_lock import lock
from world import SHOP, STRANGER, ZONE

SENDER, USER = 'news@shop.example', 'user@agency.example'


# Reload.

def test_reload_of_a_good_file(make_gate):
    gate = make_gate(zone=ZONE)
    sent = message('x@bank.example')
    assert gate.mail(sent, 'x@plain.example', ip=STRANGER)[:3] == '550'
    old = gate.client(STRANGER)
    old.command('MAIL FROM:<x@plain.example>')
    gate.write(authentication={'dmarc': {'enforce': False}})
    assert 'result=loaded' in gate.reload()
    assert gate.mail(sent, 'x@plain.example', ip=STRANGER)[:3] == '250'
    # A session that was there goes on with the policy it began with.
    assert old.command(f'RCPT TO:<{USER}>')[:3] == '250'
    assert old.data(sent)[:9] == '550 5.7.1'
    old.close()


BAD = [
    ('authentication:\n  dmarc:\n    enforced: false\n', '3:5',
     'enforce'),
    ('hostname: [\n', '', ''),
    ('limits: {message_size: many}\n', '1:', 'message_size'),
]


@pytest.mark.parametrize('text, where, word', BAD)
def test_reload_of_a_bad_file_changes_nothing(make_gate, text, where, word):
    gate = make_gate(zone=ZONE)
    good = gate.path.read_text()
    gate.path.write_text(text + good)
    logged = gate.reload()
    assert 'result=kept' in logged
    line = next(one for one in logged.split('\n') if 'config.error' in one)
    assert f'{gate.path}:{where}' in line and word in line, line
    sent = message('x@bank.example')
    assert gate.mail(sent, 'x@plain.example', ip=STRANGER)[:3] == '550'
    gate.path.write_text(good)
    assert 'result=loaded' in gate.reload()


def kill_child(gate, name):
    """Until it is there again."""
    gate.may_crash = True
    old = gate.children()[name]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gate.children().get(name, old) != old)


def rename(gate):
    gate.config['listeners'][0]['name'] = 'other'


def change_role(gate):
    gate.config['listeners'][0] = listener('mx', 'milter')
    gate.config['listeners'][0]['address'] = f'127.0.0.1:{gate.port}'


@pytest.mark.parametrize('change, words', [
    (None, 'is not a known key'),
    (rename, 'listener mx is gone or has another name: this takes a restart'),
    (change_role, 'becomes or was a milter: this takes a restart'),
], ids=['bad', 'renamed', 'another role'])
def test_child_started_behind_a_file_that_was_not_taken(make_gate, change,
                                                        words):
    """It goes on with what the others work with."""
    gate = make_gate(zone=ZONE)
    if change:
        change(gate)
        gate.write()
        gate.ports['mx'] = gate.port
    else:
        gate.path.write_text(BAD[0][0] + gate.path.read_text())
    logged = gate.reload()
    assert 'supervisor.reload result=kept' in logged and words in logged
    gate.metric('gatehouse_config_loads_total{result="kept"}', 1)
    kill_child(gate, 'smtp')
    wait_until(lambda: gate.http('/readyz')[0] == 200)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'


def admin_answers(gate):
    try:
        return gate.http('/healthz')[0] == 200
    except OSError:
        return False


def test_reload_that_one_child_cannot_use(make_gate):
    gate = make_gate(zone=ZONE)
    with socket.create_server(('127.0.0.1', 0)) as taken:
        gate.write(admin={
            'address': '127.0.0.1:%d' % taken.getsockname()[1]})
        gate.may_crash = True
        logged = gate.reload()
    assert 'child.reload child=admin result=kept' in logged, logged
    assert 'child.reload child=smtp result=loaded' in logged, logged
    assert 'supervisor.reload result=kept' in logged, logged
    # It is started again where it was.
    gate.write(admin={'address': f'127.0.0.1:{gate.admin_port}'})
    wait_until(lambda: admin_answers(gate))
    assert 'supervisor.reload result=loaded' in gate.reload()


def test_reload_changes_the_log(make_gate):
    gate = make_gate(zone=ZONE)
    gate.write(log={'level': 'warning', 'format': 'json'})
    gate.process.send_signal(signal.SIGHUP)
    gate.metric('gatehouse_config_loads_total{result="loaded"}', 1)
    seen = len(gate.log())
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    assert gate.log()[seen:] == ''
    gate.write(log={'level': 'info'})
    gate.process.send_signal(signal.SIGHUP)
    gate.metric('gatehouse_config_loads_total{result="loaded"}', 2)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    gate.wait_for_log('"event":"message.verdict"')


def test_reload_tells_what_takes_a_restart(make_gate):
    gate = make_gate(zone=ZONE)
    gate.write(store=f'sqlite:{gate.folder}/state/other.db')
    logged = gate.reload()
    assert 'supervisor.takes_restart setting=store' in logged
    assert 'result=loaded' in logged


def test_reload_takes_new_certificates(make_gate, folder):
    authority = Authority(folder / 'ca')
    paths = []
    for name in ('old.agency.example', 'new.agency.example'):
        paths.append(authority.issue(name))
    used = {'certificate': str(folder / 'used.pem'),
            'key': str(folder / 'used.key')}

    def use(number):
        shutil.copy(paths[number][0], used['certificate'])
        shutil.copy(paths[number][1], used['key'])

    def served():
        with gate.client() as client:
            client.starttls()
            return client.socket.getpeercert(binary_form=True)

    use(0)
    gate = make_gate(zone=ZONE, listeners=[listener(tls=used)])
    first = served()
    use(1)
    assert served() == first
    assert 'result=loaded' in gate.reload()
    second = served()
    assert second != first
    # A key that does not belong to the certificate: the old one stays.
    shutil.copy(paths[0][1], used['key'])
    assert 'kept' in gate.reload()
    assert served() == second


def test_renewed_certificates_are_taken_unasked(make_gate, folder):
    """Links are set to other files, as certbot does; what is not whole, or
    does not fit together, changes nothing."""
    authority = Authority(folder / 'ca')
    pairs = [authority.issue(name) for name in ('one.example', 'two.example')]
    live = folder / 'live'
    live.mkdir()
    used = {'certificate': str(live / 'chain.pem'), 'key': str(live / 'key')}

    def link(number):
        for target, name in zip(pairs[number], used.values()):
            fresh = pathlib.Path(name + '.new')
            fresh.symlink_to(target)
            fresh.rename(name)

    def served():
        with gate.client() as client:
            client.starttls()
            return client.socket.getpeercert(binary_form=True)

    def is_served(number):
        text = pathlib.Path(pairs[number][0]).read_text()
        return served() == ssl.PEM_cert_to_DER_cert(text)

    def loads(result):
        return gate.metrics()[
            f'gatehouse_certificate_loads_total{{result="{result}"}}']

    link(0)
    gate = make_gate(zone=ZONE, listeners=[listener(tls=used)])
    running = gate.client()
    running.starttls()
    gate.metric('gatehouse_certificate_not_after_seconds',
                expires(pairs[0][0]))
    link(1)
    gate.wait_for_log('smtp.certificates result=loaded')
    assert is_served(1)
    gate.metric('gatehouse_certificate_not_after_seconds',
                expires(pairs[1][0]))
    assert loads('loaded') == 1
    assert running.command('NOOP')[:3] == '250'
    running.close()
    # Half a file, in place.
    whole = pathlib.Path(pairs[0][0]).read_text()
    pathlib.Path(used['certificate']).unlink()
    pathlib.Path(used['certificate']).write_text(whole[:len(whole) // 2])
    gate.wait_for_log('smtp.certificates result=kept')
    assert is_served(1)
    assert loads('kept') == 1
    gate.metric('gatehouse_certificates_kept', 1)
    # The rest, but with the other one's key.
    seen = len(gate.log())
    pathlib.Path(used['certificate']).write_text(whole)
    line = gate.wait_for_log('smtp.certificates result=kept', after=seen)
    assert 'key' in line
    assert is_served(1)
    link(0)
    gate.wait_for_log('smtp.certificates result=loaded', after=seen)
    assert is_served(0)
    gate.metric('gatehouse_certificates_kept', 0)
    # Nothing is tried again that has not changed.
    time.sleep(5)
    assert (loads('loaded'), loads('kept')) == (2, 2)


def test_reload_takes_another_zone_and_routes(make_gate, make_hop):
    gate = make_gate(zone=ZONE)
    hop = make_hop()
    (gate.folder / 'zone').write_text(
        '$TTL 300\n' + ZONE.replace('p=reject', 'p=none'))
    gate.write(routes=[{'domains': ['*'], 'next_hop': hop.route}])
    gate.reload()
    assert gate.mail(message('x@bank.example'), 'x@plain.example',
                     ip=STRANGER)[:3] == '250'
    assert len(hop.messages) == 1


def test_reload_leaves_the_admin_server_alone(make_gate):
    """It answers all the time, and nothing is counted as a crash."""
    gate = make_gate(zone=ZONE)
    children = gate.children()
    for _ in range(3):
        gate.reload()
        assert gate.http('/healthz')[0] == 200
    assert gate.children() == children
    assert not any('child_restarts' in name and count
                   for name, count in gate.metrics().items())
    # Another address is another server.
    gate.admin_port = free_port()
    gate.write(admin={'address': f'127.0.0.1:{gate.admin_port}'})
    gate.reload()

    def answers():
        try:
            return gate.http('/healthz')[0] == 200
        except OSError:
            return False

    wait_until(answers)


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


def test_start_that_cannot_work_ends(make_gate):
    """`systemctl start` says so, instead of waiting."""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        gate = make_gate(zone=ZONE, start=False, admin={
            'address': '127.0.0.1:%d' % taken.getsockname()[1]})
        gate.launch()
        assert gate.process.wait(10) == 66
    assert 'child.start child=admin' in gate.log()
    assert 'Address already in use' in gate.log()
    gate.process = None


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
