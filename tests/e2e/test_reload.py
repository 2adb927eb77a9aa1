# SPDX-License-Identifier: Apache-2.0
"""What a reload reads, what it starts and ends, and what it leaves."""
import os
import shutil

from net import wait_until
from world import ZONE


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
