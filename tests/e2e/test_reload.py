# SPDX-License-Identifier: Apache-2.0
"""What a reload reads, what it starts and ends, and what it leaves."""
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import time

import pytest

from certificates import Authority, expires
from gatehouse import listener
from mail import message
from net import free_port, wait_until
from world import SHOP, STRANGER, ZONE

USER = 'user@agency.example'


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


def test_reload_to_an_admin_address_that_is_taken(make_gate):
    """It is the admin server's from when it is free; all else is in use."""
    gate = make_gate(zone=ZONE)
    with socket.create_server(('127.0.0.1', 0)) as taken:
        gate.admin_port = taken.getsockname()[1]
        gate.write(admin={'address': f'127.0.0.1:{gate.admin_port}'})
        logged = gate.reload()
        assert 'supervisor.reload result=loaded' in logged, logged
        assert 'admin.away' in logged, logged
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
    wait_until(lambda: admin_answers(gate))


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


def other_store(gate):
    gate.config['store'] = f'sqlite:{gate.folder}/state/other.db'


def other_address(gate):
    gate.config['listeners'][0]['address'] = f'127.0.0.1:{free_port()}'


def one_listener_more(gate):
    gate.config['listeners'].append(
        dict(gate.config['listeners'][0], name='more',
             address=f'127.0.0.1:{free_port()}'))


def other_hostname(gate):
    gate.config['hostname'] = 'other.agency.example'


@pytest.mark.parametrize('change, setting', [
    (other_store, 'store'), (other_address, 'listeners'),
    (one_listener_more, 'listeners'), (other_hostname, None)])
def test_reload_tells_what_takes_a_restart(make_gate, change, setting):
    gate = make_gate(zone=ZONE)
    change(gate)
    gate.write()
    logged = gate.reload()
    assert ('supervisor.takes_restart' in logged) == bool(setting)
    assert not setting or f'takes_restart setting={setting}' in logged
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
    gate.metric('gatehouse_certificates_kept', 1)
    # What is loaded is not kept any more.
    shutil.copy(paths[1][1], used['key'])
    assert 'result=loaded' in gate.reload()
    gate.metric('gatehouse_certificates_kept', 0)
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


def test_certificates_without_a_descriptor_to_read_them(make_gate, folder):
    """They were renewed while there was none: the files change no more."""
    authority = Authority(folder / 'ca')
    used = [folder / 'used.pem', folder / 'used.key']

    def use(name):
        for source, target in zip(authority.issue(name), used):
            shutil.copy(source, target)

    use('one.example')
    gate = make_gate(zone=ZONE, listeners=[
        listener(tls={'certificate': str(used[0]), 'key': str(used[1])})])
    child = gate.children()['smtp']
    limit = resource.prlimit(child, resource.RLIMIT_NOFILE)
    resource.prlimit(child, resource.RLIMIT_NOFILE, (0, limit[1]))
    use('two.example')
    gate.wait_for_log('smtp.certificates result=kept')
    resource.prlimit(child, resource.RLIMIT_NOFILE, limit)
    gate.wait_for_log('smtp.certificates result=loaded', 30)
    gate.metric('gatehouse_certificates_kept', 0)
    with gate.client() as client:
        client.starttls()
        shown = client.socket.getpeercert(binary_form=True)
    assert shown == ssl.PEM_cert_to_DER_cert(used[0].read_text())


def test_renewed_authorities_are_taken_unasked(make_gate, folder):
    """A next hop has a certificate of another authority: the file of those
    that it is verified with is all that has to change."""
    old, new = Authority(folder / 'old'), Authority(folder / 'new')
    known = folder / 'known.pem'
    shutil.copy(old.path, known)
    certificate, key = new.issue('localhost')
    behind = make_gate(zone=ZONE, listeners=[
        listener(tls={'certificate': certificate, 'key': key})])
    gate = make_gate(zone=ZONE, routes=[
        {'domains': ['agency.example'], 'tls': 'must', 'tls_ca': str(known),
         'next_hop': f'smtp:localhost:{behind.port}'}])

    def reply():
        return gate.mail(message(), ip=SHOP)

    assert reply().startswith('451 4.4.1')
    known.write_text(known.read_text() +
                     pathlib.Path(new.path).read_text())
    wait_until(lambda: reply()[:3] == '250', 10, 'a delivery')
    assert len(behind.delivered()) == 1
    # What is none keeps those that are there.
    known.write_text('no certificate\n')
    line = gate.wait_for_log('smtp.certificates result=kept')
    assert 'routes[0].tls_ca' in line and str(known) in line, line
    assert reply()[:3] == '250'


def test_one_bad_certificate_stops_no_other(make_gate, folder):
    """Listeners and routes are renewed each for itself."""
    authority = Authority(folder / 'ca')
    known = {name: folder / f'{name}.pem' for name in ('one', 'two')}
    for path in known.values():
        shutil.copy(authority.path, path)
    pairs = {name: authority.issue(f'{name}.example') for name in ('a', 'b')}
    a, b = (tuple(map(pathlib.Path, pair)) for pair in pairs.values())
    gate = make_gate(zone=ZONE, listeners=[
        listener(name, tls={'certificate': pair[0], 'key': pair[1]})
        for name, pair in pairs.items()], routes=[
            {'domains': [f'{name}.example'], 'tls': 'must',
             'tls_ca': str(path), 'next_hop': 'smtp:localhost:1'}
            for name, path in known.items()])

    def served(name):
        with gate.client(name=name) as client:
            client.starttls()
            return client.socket.getpeercert(binary_form=True)

    def wait_for(name, path):
        wanted = ssl.PEM_cert_to_DER_cert(path.read_text())
        wait_until(lambda: served(name) == wanted, 15, path)

    first = served('b')
    # One is gone, and so are a route's authorities.
    seen = len(gate.log())
    b[0].unlink()
    b[1].unlink()
    known['one'].write_text('no certificate\n')
    gate.wait_for_log('error="listener b: ', after=seen)
    gate.wait_for_log('error="routes[0].tls_ca: ', after=seen)
    gate.metric('gatehouse_certificates_kept', 1)
    authority.issue('a.example')
    wait_for('a', a[0])
    assert served('b') == first
    gate.metric('gatehouse_certificates_kept', 1)
    assert 'result=loaded' not in gate.log()
    # A reload is all or nothing.
    assert 'result=kept' in gate.reload()
    authority.issue('b.example')
    wait_for('b', b[0])
    seen = len(gate.log())
    shutil.copy(authority.path, known['one'])
    gate.wait_for_log('smtp.certificates result=loaded', after=seen)
    gate.metric('gatehouse_certificates_kept', 0)


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


def greeting(gate):
    with gate.client() as smtp:
        return smtp.greeting


def point(link, target):
    """As releases are switched: at once, by a rename."""
    new = link.with_name('new')
    new.symlink_to(target)
    os.rename(new, link)


def release(gate, name):
    """A folder with the file of a host of that name."""
    gate.config['hostname'] = f'{name}.agency.example'
    if gate.path.is_symlink():
        gate.path.unlink()
    gate.write()
    folder = gate.folder / name
    folder.mkdir()
    gate.path.rename(folder / 'gatehouse.yaml')


def test_reload_behind_a_link(make_gate):
    """A file behind a link is looked for anew: releases, ConfigMaps."""
    gate = make_gate(start=False, zone=ZONE)
    for name in ('r2', 'r1'):
        release(gate, name)
    gate.path.symlink_to('r1/gatehouse.yaml')
    gate.start()
    assert 'r1.agency.example' in greeting(gate)
    point(gate.path, 'r2/gatehouse.yaml')
    assert 'supervisor.reload result=loaded' in gate.reload()
    assert 'r2.agency.example' in greeting(gate)
    shutil.rmtree(gate.folder / 'r1')
    assert 'supervisor.reload result=loaded' in gate.reload()


def test_relative_path_of_the_file(make_gate):
    """Children, and reloads, find it."""
    gate = make_gate(start=False, zone=ZONE)
    absolute = gate.path
    gate.path = absolute.relative_to(gate.folder)
    gate.launch(cwd=gate.folder)
    wait_until(gate._is_up, 20, 'Gatehouse')
    gate.path = absolute
    gate.write(hostname='new.agency.example')
    assert 'supervisor.reload result=loaded' in gate.reload()
    assert 'new.agency.example' in greeting(gate)


def write_without_admin(gate, **changes):
    gate.config.pop('admin')
    gate.write(**changes)


def test_admin_comes_and_goes(make_gate):
    gate = make_gate(start=False, zone=ZONE)
    write_without_admin(gate)
    gate.start()
    gate.write(admin={'address': f'127.0.0.1:{gate.admin_port}'})
    assert 'supervisor.reload result=loaded' in gate.reload()
    line = gate.wait_for_log('admin.ready')
    assert line.endswith(f'address=127.0.0.1:{gate.admin_port}')
    assert admin_answers(gate)
    write_without_admin(gate)
    assert 'supervisor.reload result=loaded' in gate.reload()
    wait_until(lambda: 'admin' not in gate.children())
    assert not admin_answers(gate)


def test_admin_stays_with_the_old_file(make_gate):
    """One without it that another child cannot use does not end it."""
    gate = make_gate(zone=ZONE)
    before = gate.children()
    write_without_admin(gate, dns={'zone': str(gate.folder / 'missing')})
    assert 'supervisor.reload result=kept' in gate.reload()
    # Whoever is to end has ended when the next one is through.
    assert 'supervisor.reload result=kept' in gate.reload()
    assert gate.children() == before
    assert admin_answers(gate)
    # It has not missed what comes next.
    gate.write(dns={'zone': str(gate.folder / 'zone')},
               admin={'address': f'127.0.0.1:{gate.admin_port}'})
    assert 'supervisor.reload result=loaded' in gate.reload()
    assert gate.children() == before
    assert admin_answers(gate)


def test_store_stays_until_the_restart(make_gate):
    """For all children, those that are started anew too."""
    gate = make_gate(zone=ZONE)
    other = gate.folder / 'state' / 'other.db'
    gate.write(store=f'sqlite:{other}')
    assert 'supervisor.takes_restart setting=store' in gate.reload()
    assert gate.http('/readyz') == (200, 'ready\n')
    for name in ('admin', 'smtp'):
        kill_child(gate, name)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    wait_until(lambda: admin_answers(gate))
    assert gate.http('/readyz') == (200, 'ready\n')
    # It is still not in use, and said again.
    assert 'supervisor.takes_restart setting=store' in gate.reload()
    assert not other.exists()
    gate.stop()
    gate.start()
    assert other.exists()
    assert 'takes_restart' not in gate.reload()


LAST = 'gatehouse_config_last_reload_successful'
NOT_TAKEN = 'the last reload was not taken'


def warnings(gate):
    """Those about it; a zone that is missing is a problem besides."""
    done = gate.command('status', '--seconds', '0', '--json', '-c',
                        str(gate.path))
    return [line for line in json.loads(done.stdout)['warnings']
            if line.startswith(NOT_TAKEN)]


@pytest.mark.parametrize('change', [
    {'listeners': [listener('other')]},
    {'dns': {'zone': '/nowhere'}},
], ids=['by none', 'not by all'])
def test_status_tells_that_a_file_was_not_taken(make_gate, change):
    """For as long as it lasts."""
    gate = make_gate(zone=ZONE)
    assert gate.metrics()[LAST] == 1 and not warnings(gate)
    good = gate.path.read_text()
    gate.write(**change)
    for _ in range(2):
        assert 'supervisor.reload result=kept' in gate.reload()
        gate.metric(LAST, 0)
        assert warnings(gate)
    gate.path.write_text(good)
    assert 'supervisor.reload result=loaded' in gate.reload()
    gate.metric(LAST, 1)
    assert not warnings(gate)


def test_children_take_what_was_checked(make_gate):
    """Not what somebody has put in its place meanwhile."""
    gate = make_gate(zone=ZONE)
    smtp = gate.children()['smtp']
    os.kill(smtp, signal.SIGSTOP)
    gate.write(hostname='checked.agency.example')
    seen = len(gate.log())
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_for_log('child.reload child=admin result=loaded', after=seen)
    gate.path.write_text('hostnam: nobody\n')
    os.kill(smtp, signal.SIGCONT)
    gate.wait_for_log('supervisor.reload result=loaded', after=seen)
    assert 'checked.agency.example' in greeting(gate)


def test_signal_to_a_child_changes_nothing(make_gate):
    """`pkill -HUP`: it is the supervisor's to say which file is good."""
    gate = make_gate(zone=ZONE)
    gate.write(hostname='unchecked.agency.example')
    os.kill(gate.children()['smtp'], signal.SIGHUP)
    gate.wait_for_log('child.reload child=smtp result=loaded')
    assert 'mx1.agency.example' in greeting(gate)
    assert 'supervisor.reload result=loaded' in gate.reload()
    assert 'unchecked.agency.example' in greeting(gate)
