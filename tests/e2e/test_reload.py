# SPDX-License-Identifier: Apache-2.0
"""What a reload reads, what it starts and ends, and what it leaves."""
import json
import os
import shutil
import signal

import pytest

from gatehouse import listener
from mail import message
from net import wait_until
from world import SHOP, ZONE


def kill_child(gate, name):
    """Until it is there again."""
    gate.may_crash = True
    old = gate.children()[name]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gate.children().get(name, old) != old)


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


def admin_answers(gate):
    try:
        return gate.http('/healthz')[0] == 200
    except OSError:
        return False


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
