# SPDX-License-Identifier: Apache-2.0
"""A store or a disk that is full, slow, read-only, broken or gone.

Nothing is acknowledged that could not be recorded: 451 4.3.0; 452 4.3.1 where
it is a disk for mail that is full.  When it is well again mail goes on, without
a restart where the file is the same.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time

import pytest

from mail import message
from net import wait_until
from places import open_places

KINDS = ['hop', 'maildir', 'quarantine', 'spoof', 'milter', 'held',
         'milter-spoof']
BOTH = '--child '   # smtp and milter
DATABASE = 'gatehouse.db'


@contextlib.contextmanager
def small_disk(path, size='1m'):
    """A file system of its own; unmount in spite of everything."""
    path.mkdir(exist_ok=True)
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}',
                           'none', str(path)], capture_output=True)
    if done.returncode:
        pytest.skip('no file system can be mounted here')
    try:
        yield path
    finally:
        subprocess.run(['umount', '-l', str(path)], check=True)


def fill(folder):
    filler = folder / 'filler'
    with contextlib.suppress(OSError), filler.open('wb', 0) as file:
        while True:
            file.write(b'x' * 4096)
    return filler


def ready(gate):
    return gate.http('/readyz')[0]


# Every write, or sync, of the database fails.
@pytest.mark.parametrize('function, error', [
    ('write', 'EROFS'), ('write', 'ENOSPC'), ('write', 'EDQUOT'),
    ('write', 'EIO'), ('sync', 'EIO')])
def test_database_that_cannot_be_written(function, error):
    with open_places(True, BOTH) as (places, faults):
        with faults.failing(function, error, only=DATABASE):
            for kind in KINDS:
                reply = places.send(kind)
                assert reply.startswith('451 4.3.0'), (kind, reply)
            assert faults.hits
            assert places.hop.messages == [] == places.gate.delivered()
            wait_until(lambda: ready(places.gate) == 503)
        for kind in KINDS:
            wanted = '550' if 'spoof' in kind else '250'
            assert places.send(kind)[:3] == wanted
        wait_until(lambda: ready(places.gate) == 200, 15)
        assert not list(places.held_ids() - places.acknowledged())
        places.check(f'{function} {error}')


def test_slow_disk():
    """A sync of five seconds: who waits for it gets its 250; others are
    answered meanwhile, and nothing piles up behind it."""
    with open_places(True) as (places, faults):
        with faults.armed('sync', 1, 5000, effect='slow', only=DATABASE):
            replies = []
            clients = [threading.Thread(
                target=lambda: replies.append(places.send('hop')))
                for _ in range(20)]
            for client in clients:
                client.start()
            time.sleep(0.5)
            begin = time.monotonic()
            with places.gate.client() as client:
                assert client.command('MAIL FROM:<a@plain.example>')[0] == '2'
                assert client.command('RCPT TO:<u@agency.example>')[0] == '2'
            assert time.monotonic() - begin < 2
            for client in clients:
                client.join()
            assert faults.hits
        assert [reply[:3] for reply in replies] == ['250'] * 20, \
            (replies, places.last_error)
        places.check('slow disk')


def test_full_disk_at_the_start():
    """Who starts the service anew because the disk is full has no outage."""
    with open_places() as (places, _):
        gate = places.gate
        gate.stop()
        with small_disk(gate.folder / 'state', '16m') as disk:
            gate.start()
            assert places.send('hop')[:3] == '250'
            gate.stop()
            filler = fill(disk)
            gate.start()
            for kind in ('hop', 'maildir', 'quarantine', 'spoof'):
                reply = places.send(kind)
                assert reply.startswith('451 4.3.0'), (kind, reply)
            assert ready(gate) == 503
            filler.unlink()
            assert places.send('hop')[:3] == '250'
            assert places.send('quarantine')[:3] == '250'
            wait_until(lambda: ready(gate) == 200, 15)
            places.check('full disk at the start')
            gate.stop()
        gate.start()


def status(gate, code):
    text = gate.run('status', '-c', str(gate.path), '--json', '--seconds',
                    '0', code=code)
    time.sleep(2)  # an answer is good for so long
    return json.loads(text)


def test_room_is_told():
    """Before the disk is full; and where a probe would still fit."""
    with open_places() as (places, _):
        gate = places.gate
        with small_disk(gate.folder / 'disk', '16m') as disk:
            gate.write(spool_directory=str(disk))
            gate.reload()
            told = status(gate, 0)
            assert 4 << 20 < told['room_bytes']['spool'] <= 16 << 20
            assert any(re.match('spool: 1. MiB are left', line)
                       for line in told['warnings'])
            filler = fill(disk)
            # A twentieth stays free.
            os.truncate(filler, filler.stat().st_size - (1420 << 10))
            told = status(gate, 1)
            assert any(re.match('spool: full: (5[0-9][0-9]|600) KiB are left '
                                'of its disk', line)
                       for line in told['problems']), told
            filler.unlink()
            assert status(gate, 0)['state'] == 'healthy'
            gate.stop()


def test_full_spool():
    with open_places(limits={'spool_memory': '4K'}) as (places, _):
        gate = places.gate
        with small_disk(gate.folder / 'disk', '16m') as disk:
            gate.write(spool_directory=str(disk))
            gate.reload()
            filler = fill(disk)
            assert ready(gate) == 503
            for kind in ('hop', 'maildir', 'quarantine', 'spoof'):
                reply = places.send(kind)
                assert reply.startswith('452 4.3.1'), (kind, reply)
            for kind in ('held', 'milter-spoof', 'milter'):
                reply = places.send(kind)
                assert reply.startswith('45'), (kind, reply)
            filler.unlink()
            assert places.send('hop')[:3] == '250'
            assert places.send('held')[:3] == '250'
            places.check('full spool')
            gate.stop()
            gate.start()


def test_full_maildir():
    with open_places() as (places, _):
        box = places.gate.maildir
        with small_disk(box):
            assert places.send('maildir')[:3] == '250'
            filler = fill(box)
            for _ in range(5):
                assert places.send('maildir').startswith('452 4.3.1')
            assert places.send('hop')[:3] == '250'
            # Nothing of what was refused takes up room.
            assert list((box / 'tmp').iterdir()) == []
            filler.unlink()
            assert places.send('maildir')[:3] == '250'
            places.check('full Maildir')


def test_read_only_maildir():
    with open_places() as (places, _):
        box = places.gate.maildir
        with small_disk(box):
            assert places.send('maildir')[:3] == '250'
            mount = ['mount', '-o', 'remount,ro', str(box)]
            subprocess.run(mount, check=True)
            assert places.send('maildir').startswith('451 4.3.0')
            mount[2] = 'remount,rw'
            subprocess.run(mount, check=True)
            assert places.send('maildir')[:3] == '250'
            places.check('read-only Maildir')


def database_files(gate):
    return [path for path in (gate.folder / 'state').iterdir()
            if path.name.startswith(DATABASE)]


@pytest.mark.parametrize('lost', ['', '-wal', 'all'])
def test_database_deleted_while_it_runs(lost):
    """What a file without a name takes is lost at the next restart."""
    with open_places() as (places, _):
        gate = places.gate
        assert places.send('quarantine')[:3] == '250'
        kept = gate.folder / 'kept'
        kept.mkdir()
        for path in database_files(gate):
            if lost == 'all' or path.name == DATABASE + lost:
                path.rename(kept / path.name)
        for kind in KINDS:
            assert places.send(kind).startswith('451 4.3.0'), kind
        assert 'moved or deleted' in gate.log()
        wait_until(lambda: ready(gate) == 503)
        for path in kept.iterdir():
            path.rename(gate.folder / 'state' / path.name)
        assert places.send('quarantine')[:3] == '250'
        places.check(f'deleted: {lost or "database"}')


def spoil(path):
    with path.open('r+b') as file:
        file.write(os.urandom(max(path.stat().st_size, 4096)))


def test_database_spoilt_while_it_runs():
    """Either it is noticed, or what is taken can be read."""
    with open_places() as (places, _):
        gate = places.gate
        gate.may_crash = True
        for _ in range(3):
            assert places.send('quarantine')[:3] == '250'
        spoil(gate.folder / 'state' / DATABASE)
        for _ in range(10):
            before = len(places.sent)
            reply = places.send('quarantine')
            assert reply[:3] in ('250', '451'), reply
            identity = list(places.sent)[before]
            shown = gate.command('explain', identity, '-c', str(gate.path))
            if reply[:3] == '250':
                assert shown.returncode == 0, (reply, shown)
        assert gate.process.poll() is None


def test_database_spoilt_before_the_start():
    """Nothing is served, and the log says what to do; an empty one works."""
    with open_places() as (places, _):
        gate = places.gate
        assert places.send('hop')[:3] == '250'
        gate.stop()
        for path in database_files(gate):
            spoil(path)
        gate.launch()
        line = gate.wait_for_log('child.start child=smtp', after=gate._seen)
        assert 'move it away with its -wal and -shm' in line, line
        assert 'supervisor.ready' not in gate.log()[gate._seen:]
        assert gate.process.wait(10) == 66
        for path in database_files(gate):
            path.unlink()
        gate.may_crash = True
        gate.start()
        assert places.send('hop')[:3] == '250'


def test_read_only_disk_at_the_start():
    with open_places() as (places, _):
        gate = places.gate
        gate.stop()
        spare = gate.folder / 'spare'
        shutil.copytree(gate.folder / 'state', spare)
        with small_disk(gate.folder / 'state', '8m') as disk:
            shutil.copytree(spare, disk, dirs_exist_ok=True)
            subprocess.run(['mount', '-o', 'remount,ro', str(disk)],
                           check=True)
            gate.launch()
            line = gate.wait_for_log(' error ', after=gate._seen)
            assert 'ead-only' in line or 'readonly' in line, line
            assert 'supervisor.ready' not in gate.log()[gate._seen:]
            gate.kill()
            time.sleep(0.5)
        gate.may_crash = True
        gate.start()
        assert places.send('hop')[:3] == '250'


def test_large_content_leaves_room():
    """A client that fills the disk, and then says nothing: others have their
    mail recorded meanwhile."""
    with open_places() as (places, _):
        gate = places.gate
        gate.stop()
        with small_disk(gate.folder / 'state', '32m') as disk:
            gate.start()
            with gate.client() as client:
                for command in ('MAIL FROM:<x@plain.example>',
                                'RCPT TO:<user@agency.example>', 'DATA'):
                    assert client.command(command)[0] in '23'
                client.send(message('x@plain.example') + b'\r\n' +
                            (b'x' * 70 + b'\r\n') * 600000)
                wait_until(lambda: 'smtp.failed' in gate.log(), 20, 'full')
                assert shutil.disk_usage(disk).free > 16 << 20
                assert places.send('hop')[:3] == '250'
                assert places.send('quarantine')[:3] == '250'
                client.send(b'\r\n.\r\n')
                assert client.reply().startswith('452 4.3.1')
            places.check('large content')
            gate.stop()
        gate.start()


def test_full_mail_is_not_taken_twice(tmp_path):
    """A message larger than the disk is refused for now, and leaves room."""
    with open_places(limits={'spool_memory': '64K'}) as (places, _):
        gate = places.gate
        with small_disk(gate.folder / 'disk') as disk:
            gate.write(spool_directory=str(disk))
            gate.reload()
            large = message(body=('x' * 70 + '\n') * 30000)
            assert gate.mail(large).startswith('452 4.3.1')
            assert places.send('hop')[:3] == '250'
            gate.stop()
            gate.start()
