# SPDX-License-Identifier: Apache-2.0
"""Held mail is released once, to all, and as the service would deliver it."""
import contextlib
import json
import os
import pwd
import sqlite3
import subprocess
import time

import pytest

from gatehouse import binary, is_sanitized
from mail import message
from store_lock import lock
from world import STRANGER, ZONE

needs_root = pytest.mark.skipif(os.getuid() != 0,
                                reason='only root changes its user')


def hold(gate, **more):
    """One message in quarantine; its id."""
    reply = gate.mail(message('x@quarantine.example'), 'x@plain.example',
                      ip=STRANGER, **more)
    assert reply[:3] == '250', reply
    return gate.quarantine()[0]['id']


def release(gate, *args, code=0):
    return gate.run('quarantine', 'release', *args, '-c', str(gate.path),
                    code=code)


@pytest.fixture
def gate_of_nobody(make_gate):
    gate = make_gate(start=False, zone=ZONE, user='nobody', group='nogroup')
    gate.folder.chmod(0o777)
    gate.own_by('nobody')
    return gate.start()


def owners(folder):
    return {pwd.getpwuid(path.lstat().st_uid).pw_name
            for path in [folder, *folder.rglob('*')]}


@needs_root
@pytest.mark.parametrize('exists', [True, False])
def test_root_delivers_as_the_service(gate_of_nobody, exists):
    """What root releases is no file of root's, and what comes later is
    delivered."""
    gate = gate_of_nobody
    held = hold(gate)
    if not exists:
        gate.maildir.rmdir()
    release(gate, held)
    gate.run('quarantine', 'delete', '--yes', held, '-c', str(gate.path))
    assert owners(gate.maildir) == {'nobody'}
    assert owners(gate.folder / 'state') == {'nobody'}
    assert gate.mail(message(), ip='192.0.2.10').startswith('250')
    assert len(gate.delivered()) == 2


@needs_root
def test_root_follows_no_link_of_a_mailbox(gate_of_nobody):
    """Its owner cannot make root write elsewhere."""
    gate = gate_of_nobody
    held = hold(gate)
    elsewhere = gate.folder / 'elsewhere'
    for name in ('tmp', 'new'):
        (elsewhere / name).mkdir(parents=True)
        (gate.maildir / name).symlink_to(elsewhere / name)
    assert '451 4.3.0' in release(gate, held, code=75)
    assert not [path for path in elsewhere.rglob('*') if path.is_file()]


@needs_root
def test_root_leaves_no_files_in_the_store(gate_of_nobody):
    """Whatever it asks while nobody has the database open."""
    gate = gate_of_nobody
    held = hold(gate)
    gate.stop()
    store = f'sqlite:{gate.folder}/state/gatehouse.db'
    for command in (['search'], ['quarantine', 'list'], ['explain', held],
                    ['quarantine', 'show', held], ['report', 'own-domain'],
                    ['quarantine', 'delete', '--yes', held]):
        for where in (('--store', store), ('-c', str(gate.path))):
            done = gate.command(*command, *where)
            assert done.returncode in (0, 66), done  # 66: deleted before
            assert owners(gate.folder / 'state') == {'nobody'}, command


@needs_root
def test_root_needs_the_user(make_gate):
    """As the service would: it does not go on as root."""
    gate = make_gate(zone=ZONE)
    held = hold(gate)
    gate.write(user='no-such-user')
    done = gate.command('quarantine', 'release', held, '-c', str(gate.path))
    assert done.returncode == 78, done
    assert b'there is no user "no-such-user"' in done.stderr
    assert gate.delivered() == []


THREE = [f'{name}@agency.example' for name in ('ann', 'bob', 'cat')]


def recipients(hop):
    return [taken.recipients[0] for taken in hop.messages]


def test_deleted_amid_its_release(make_gate, make_hop):
    """Whoever was to get it gets it; that nobody is marked is told."""
    def delete(_):
        gate.command('quarantine', 'delete', '--yes', held, '-c',
                     str(gate.path))
        return '250 2.0.0 queued'

    hop = make_hop({'.': delete})
    gate = make_gate(zone=ZONE, route=hop.route)
    held = hold(gate, to=THREE)
    done = gate.command('quarantine', 'release', held, '-c', str(gate.path))
    assert done.returncode == 66, done
    assert recipients(hop) == THREE
    for recipient in THREE:
        assert f'{held} <{recipient}> 250' in done.stdout.decode()
        assert (f'{held}: delivered to <{recipient}>, but could not be marked'
                ' as released: ') in done.stderr.decode()


def test_marks_that_fail(make_gate, make_hop):
    """The store is locked from the first delivery to the second."""
    def reply(_):
        replies.append('250 2.0.0 queued')
        if len(replies) == 1:
            locks.enter_context(lock(gate.folder / 'state' / 'gatehouse.db'))
        elif len(replies) == 2:
            locks.close()
        return replies[-1] if len(replies) != 3 else '451 4.2.1 later'

    replies = []
    locks = contextlib.ExitStack()
    hop = make_hop({'.': reply})
    gate = make_gate(zone=ZONE, route=hop.route)
    held = hold(gate, to=THREE)
    done = gate.command('quarantine', 'release', held, '-c', str(gate.path))
    assert done.returncode == 75, done
    assert recipients(hop) == THREE[:2]
    told = done.stderr.decode()
    assert f'{held}: delivered to <{THREE[0]}>, but could not' in told
    assert '1 of 3 recipients did not get it' in told
    assert gate.quarantine()[0]['held_for'] == [THREE[0], THREE[2]]


def test_release_in_json(make_gate, make_hop):
    """An object for each recipient; what cannot be said of one is told where
    errors are."""
    def reply(_):
        taken.append(1)
        return '250 2.0.0 queued' if len(taken) != 2 else '451 4.2.1 later'

    def released(*args, code):
        done = gate.command('quarantine', 'release', '--json', *args, '-c',
                            str(gate.path))
        assert done.returncode == code, done
        return json.loads(done.stdout), done.stderr.decode()

    taken = []
    hop = make_hop({'.': reply})
    gate = make_gate(zone=ZONE, route=hop.route)
    held = hold(gate, to=THREE)
    rows, told = released(held, 'nosuchmessage000', code=66)
    assert rows == [
        {'id': held, 'recipient': THREE[0], 'result': 'delivered',
         'reply': '250 2.0.0 queued', 'released': None},
        {'id': held, 'recipient': THREE[1], 'result': 'failed',
         'reply': '451 4.2.1 later', 'released': None},
        {'id': held, 'recipient': THREE[2], 'result': 'delivered',
         'reply': '250 2.0.0 queued', 'released': None}]
    assert '1 of 3 recipients did not get it' in told
    assert 'nosuchmessage000' in told

    rows, _ = released(held, code=0)
    assert [row['result'] for row in rows] == [
        'released-before', 'delivered', 'released-before']
    assert rows[0]['reply'] is None
    assert rows[0]['released'].endswith('Z')
    assert rows[1]['released'] is None
    assert released('nosuchmessage000', code=66)[0] == []


def test_two_releases_at_once(make_gate, make_hop):
    """The second waits for the first, and finds it done."""
    def slowly(_):
        time.sleep(1)
        return '250 2.0.0 queued'

    hop = make_hop({'.': slowly})
    gate = make_gate(zone=ZONE, route=hop.route)
    held = hold(gate, to=THREE[:2])
    both = [subprocess.Popen(
        [binary(), 'quarantine', 'release', held, '-c', str(gate.path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)]
    ends = sorted((process.wait(30), process.stderr.read())
                  for process in both)
    assert [code for code, _ in ends] == [0, 2], ends
    assert 'another release of it is under way' in ends[1][1]
    assert 'was released before' in ends[1][1]
    assert recipients(hop) == THREE[:2]


def stuff_quarantine(gate, count, size):
    """Messages of the same size in quarantine, without their mail; the ids."""
    pieces = [b'Subject: x\r\n\r\n'.ljust(1 << 18, b'x')] * (size >> 18)
    ids = [f'held{number}' for number in range(count)]
    path = gate.folder / 'state' / 'gatehouse.db'
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        for row, identity in enumerate(ids, 1000):
            base.execute(
                'INSERT INTO quarantine (row, id, time_ms, message_id, sender,'
                ' sender_key, sender_domain, reason, route, size, released_ms)'
                " VALUES (?, ?, ?, '', '', '', '', '', '', ?, 0)",
                (row, identity, int(time.time() * 1000), size))
            base.execute(
                'INSERT INTO quarantine_recipient (parent, place, address,'
                " address_key, domain) VALUES (?, 0, 'user@agency.example',"
                " 'user@agency.example', 'agency.example')", (row,))
            base.executemany(
                'INSERT INTO quarantine_piece (parent, place, bytes)'
                ' VALUES (?, ?, ?)',
                [(row, place, piece) for place, piece in enumerate(pieces)])
    return ids


@pytest.mark.skipif(is_sanitized(), reason='a sanitizer keeps what was freed')
def test_many_released_take_the_memory_of_one(make_gate):
    gate = make_gate()
    ids = stuff_quarantine(gate, 20, 4 << 20)
    _, memory = gate.run_measured('quarantine', 'release', *ids)
    assert len(gate.delivered()) == 20
    assert memory < 48 << 20, f'{memory >> 20} MiB'
