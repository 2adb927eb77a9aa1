# SPDX-License-Identifier: Apache-2.0
"""Nothing is acknowledged that could not be recorded."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

from gatehouse import binary, is_sanitized
from hop import USUAL
from mail import message, message_id
from net import stuff, wait_until
from store_lock import lock
from world import SHOP, STRANGER, ZONE

DOCS = pathlib.Path(__file__).resolve().parents[2] / 'docs'


def database(gate):
    return gate.folder / 'state' / 'gatehouse.db'


def test_locked_database_defers(make_gate, make_hop):
    """Good mail waits and is deferred; a spoof that cannot be recorded is not
    taken either."""
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    cases = [(SHOP, message()), (STRANGER, message('x@bank.example'))]
    clients = [gate.client(ip, seconds=60) for ip, _ in cases]
    with lock(database(gate)):
        for client, (_, sent) in zip(clients, cases):
            client.command('MAIL FROM:<news@shop.example>')
            client.command('RCPT TO:<user@agency.example>')
            client.command('DATA')
            client.send(stuff(sent))
        replies = [client.reply() for client in clients]
    for client, reply in zip(clients, replies):
        client.close()
        assert reply.startswith('451 4.3.0'), reply
    assert 'message.not_stored' in gate.log()
    assert hop.messages == []
    assert gate.mail(message(), ip=SHOP).startswith('250')
    assert len(hop.messages) == 1
    assert sum(count for name, count in gate.metrics().items() if
               name.startswith('gatehouse_store_failures_total')) >= 1


def test_refused_mail_leaves_little(make_gate):
    """Whoever is refused does not decide how much is kept of it."""
    gate = make_gate(zone=ZONE)
    big = b'Subject: ' + b's' * 16000 + b'\r\n'
    big += b'X-Gatehouse-Mine: \x01\x02\x03\xff\r\n' * 1500
    big += (b'X-Gatehouse-Long: ' + b'\x01' * 16000 + b'\r\n') * 25
    for number in range(10):
        reply = gate.mail(big + message('x@bank.example'), ip=STRANGER)
        assert reply.startswith('550 5.7.1'), reply
    with contextlib.closing(sqlite3.connect(database(gate))) as base:
        # Packed: their length comes first (store_pack.h).
        facts = [int.from_bytes(packed[:4], 'little') for packed, in
                 base.execute('SELECT packed FROM trace_facts')]
    assert len(facts) == 10
    assert 10 * 1000 < sum(facts) < 10 * 20000, facts
    assert sum(path.stat().st_size for path in
               (gate.folder / 'state').glob('gatehouse.db*')) < 2 << 20


@contextlib.contextmanager
def mounted(gate, options):
    """The state is on a file system of its own: its folder, until the gateway
    ends."""
    state = gate.folder / 'state'
    if os.getuid() != 0 or subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', options, 'none', str(state)],
            capture_output=True).returncode:
        pytest.skip('no file system can be mounted here')
    try:
        yield state
    finally:
        try:
            gate.stop()
        finally:
            subprocess.run(['umount', str(state)], check=True)


def test_start_on_a_full_disk(make_gate):
    """It is tried again until there is room."""
    gate = make_gate(start=False)
    gate.may_crash = True
    with mounted(gate, 'nr_inodes=1') as state:
        gate.launch()
        gate.wait_for_log('spool_directory: cannot make')
        gate.wait_for_log('supervisor.restart')
        subprocess.run(['mount', '-o', 'remount,nr_inodes=1000', str(state)],
                       check=True)
        wait_until(gate._is_up, 20, 'Gatehouse')


@pytest.mark.parametrize('options, code', [('ro', 66), ('mode=755', 78)])
def test_start_without_a_spool(make_gate, options, code):
    """A disk that is read-only for now is nothing that the unit gives up on;
    what stands in the way for good is."""
    gate = make_gate(start=False)
    with mounted(gate, options) as state:
        if options != 'ro':
            (state / 'file').write_text('')
            gate.write(spool_directory=str(state / 'file' / 'spool'))
        gate.launch()
        assert gate.process.wait(10) == code, gate.log()
        gate.wait_for_log('spool_directory: cannot')
        gate.process = None


@pytest.mark.parametrize('change', [
    {'store': 'sqlite:@/later/gatehouse.db'},
    {'spool_directory': '@/later/spool'},
])
def test_start_before_its_disk_is_mounted(make_gate, change):
    """Told at once, and with a code at which the unit tries again."""
    gate = make_gate(start=False)
    gate.may_crash = True
    gate.write(**{key: text.replace('@', str(gate.folder))
                  for key, text in change.items()})
    gate.launch()
    assert gate.process.wait(10) == 66
    assert 'supervisor.ready' not in gate.log()
    (gate.folder / 'later').mkdir()
    gate.start()


def test_start_at_a_mount_point_without_its_disk(make_gate, folder):
    """It may not be written to: that, too, is for the mount to end."""
    if os.getuid() != 0:
        pytest.skip('only root changes its user')
    point = folder / 'point'
    point.mkdir(mode=0o755)
    gate = make_gate(start=False, user='nobody', group='nogroup',
                     spool_directory=str(point / 'spool'))
    gate.may_crash = True
    gate.launch()
    assert gate.process.wait(10) == 66, gate.log()
    gate.wait_for_log('spool_directory: cannot make')
    gate.process = None


def test_full_disk_defers(make_gate, make_hop):
    """The store's file system has no room left."""
    hop = make_hop()
    gate = make_gate(start=False, zone=ZONE, route=hop.route)
    with mounted(gate, 'size=16m') as state:
        gate.start()
        assert gate.mail(message(), ip=SHOP).startswith('250')
        filler = state / 'filler'
        with contextlib.suppress(OSError), filler.open('wb', 0) as file:
            while True:
                file.write(b'x' * 4096)
        sent = message('x@quarantine.example', body='y' * 70 + '\n')
        replies = [gate.mail(sent, 'x@plain.example', ip=STRANGER)[:3]
                   for _ in range(60)]
        assert set(replies) <= {'250', '451', '452'}, replies
        assert '451' in replies or '452' in replies, replies
        assert gate.process.poll() is None
        filler.unlink()
        # As many are held as were acknowledged.
        assert len(gate.quarantine()) == replies.count('250')
        assert wait_until(lambda: gate.mail(message(), ip=SHOP)[:3] == '250')


def test_store_that_vanished_defers(make_gate, make_hop):
    """Its folder was moved away: told, and no message is lost."""
    hop = make_hop()
    gate = make_gate(zone=ZONE, route=hop.route)
    identity = message_id(message())
    shutil.move(gate.folder / 'state', gate.folder / 'elsewhere')
    reply = gate.mail(message(message_id=identity), ip=SHOP)
    # The open file still takes it, or it is deferred: nothing else.
    assert reply[:3] in ('250', '451'), reply
    shutil.move(gate.folder / 'elsewhere', gate.folder / 'state')
    if reply[:3] == '250':
        assert gate.explain(identity)['verdict'] == 'accept'


def test_copy_put_in_place_while_it_runs(make_gate, make_hop):
    """What runs has the old file: who has never asked before is told, too."""
    gate = make_gate(zone=ZONE, route=make_hop().route)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    time.sleep(3)
    state = gate.folder / 'state'
    for path in list(state.glob('gatehouse.db*')):
        path.rename(state / f'old-{path.name}')
        shutil.copy(state / f'old-{path.name}', path)
    assert gate.mail(message(), ip=SHOP).startswith('451 4.3.0')
    time.sleep(2)  # an answer is good for so long
    told = json.loads(gate.run('status', '-c', str(gate.path), '--json',
                               '--seconds', '0', code=1))
    assert any('moved or deleted' in line for line in told['problems'])


def documented(gate, number):
    """The commands of docs/OPERATIONS.md, on this gateway."""
    text = (DOCS / 'OPERATIONS.md').read_text()
    text = text.split('\n## Backup and restore\n')[1]
    block = re.findall(r'```sh\n(.*?)```', text, re.S)[number]
    for old, new in (('systemctl', ': systemctl'),
                     ('-o gatehouse -g gatehouse ', ''),
                     ('/var/lib/gatehouse', str(gate.folder / 'state')),
                     ('/var/backups', str(gate.folder))):
        assert old in block or number != 1
        block = block.replace(old, new)
    subprocess.run(['sh', '-ec', block], check=True, timeout=30)


def mail_for_ever(gate, end):
    while not end.is_set():
        assert gate.mail(message(), ip=SHOP)[:3] == '250'


def test_backup_and_restore(make_gate, make_hop):
    """Made while mail comes, and put back after a crash: nothing of what was
    there since spoils the copy."""
    gate = make_gate(zone=ZONE, route=make_hop().route)
    before, since = message(), message()
    for _ in range(50):
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
    assert gate.mail(before, ip=SHOP)[:3] == '250'
    end = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        load = [pool.submit(mail_for_ever, gate, end) for _ in range(4)]
        time.sleep(0.5)
        try:
            documented(gate, 0)
        finally:
            end.set()
        for one in load:
            one.result()
    with contextlib.closing(sqlite3.connect(database(gate))) as base:
        base.execute('PRAGMA wal_checkpoint(RESTART)')
    assert gate.mail(since, ip=SHOP)[:3] == '250'
    for _ in range(50):
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
    children = gate.children().values()
    for pid in [gate.process.pid, *children]:
        os.kill(pid, signal.SIGKILL)
    gate.kill()
    wait_until(lambda: not any(os.path.exists(f'/proc/{pid}')
                               for pid in children))
    assert database(gate).with_name('gatehouse.db-wal').stat().st_size
    documented(gate, 1)
    gate.start()
    with contextlib.closing(sqlite3.connect(database(gate))) as base:
        assert base.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
        assert base.execute('PRAGMA auto_vacuum').fetchone() == (2,)
    assert gate.explain(message_id(before))['verdict'] == 'accept'
    gate.run('explain', message_id(since), '-c', str(gate.path), code=1)
    assert gate.mail(since, ip=SHOP)[:3] == '250'
    assert gate.explain(message_id(since))['verdict'] == 'accept'


def test_most_of_a_damaged_store_is_found(make_gate, make_hop):
    gate = make_gate(zone=ZONE, route=make_hop().route)
    sent = [message() for _ in range(100)]
    for one in sent:
        assert gate.mail(one, ip=SHOP)[:3] == '250'
    gate.mail(message('x@quarantine.example'), 'x@plain.example', ip=STRANGER)
    held = gate.quarantine()
    gate.stop()
    path = database(gate)
    # Children that end together leave the log, each for the other's sake.
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    octets = bytearray(path.read_bytes())
    at = octets.rindex(message_id(sent[50]).encode()) // 4096 * 4096
    octets[at:at + 4096] = b'\xa5' * 4096
    before = path.parent / 'before'
    before.mkdir()
    for file in path.parent.glob('gatehouse.db*'):
        file.rename(before / file.name)
    (before / path.name).write_bytes(octets)
    documented(gate, 2)
    (gate.folder / 'found.db').rename(path)
    gate.start()
    with contextlib.closing(sqlite3.connect(path)) as base:
        assert base.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
        assert base.execute('PRAGMA auto_vacuum').fetchone() == (2,)
    found = gate.run('search', '--limit', '1000', '-c', str(gate.path))
    assert found.count(' accept ') > 80
    assert gate.quarantine() == held
    sent = message()
    assert gate.mail(sent, ip=SHOP)[:3] == '250'
    assert gate.explain(message_id(sent))['verdict'] == 'accept'


def test_traces_survive_a_crash(make_gate):
    gate = make_gate(zone=ZONE)
    sent = message('x@quarantine.example')
    assert gate.mail(sent, 'x@plain.example', ip=STRANGER)[:3] == '250'
    gate.kill()
    assert gate.explain(message_id(sent))['verdict'] == 'quarantine'
    assert len(gate.quarantine()) == 1
    gate.start()
    assert len(gate.quarantine()) == 1


def test_quarantined_mail_can_be_deleted(make_gate):
    gate = make_gate(zone=ZONE)
    for _ in range(2):
        gate.mail(message('x@quarantine.example'), 'x@plain.example',
                  ip=STRANGER)
    first, second = gate.quarantine()
    config = ('-c', str(gate.path))
    gate.run('quarantine', 'delete', first['id'], *config, code=2)
    gate.run('quarantine', 'delete', '--yes', first['id'], *config)
    gate.run('quarantine', 'delete', '--yes', first['id'], *config, code=66)
    assert [row['id'] for row in gate.quarantine()] == [second['id']]
    assert gate.explain(first['id'])['verdict'] == 'quarantine'


def test_release_that_fails_keeps_the_message(make_gate, make_hop):
    hop = make_hop({'.': ['451 4.2.1 later', '250 2.0.0 ok']})
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message('x@quarantine.example')
    gate.mail(sent, 'x@plain.example', ip=STRANGER)
    held, = gate.quarantine()
    config = ('-c', str(gate.path))
    out = gate.run('quarantine', 'release', held['id'], *config, code=75)
    assert '451 4.2.1 later' in out
    assert len(gate.quarantine()) == 1
    gate.run('quarantine', 'release', held['id'], *config)
    assert gate.quarantine() == []
    taken, = hop.messages
    assert taken.sender == 'x@plain.example'
    assert taken.octets.endswith(sent)


@pytest.mark.skipif(os.getuid() != 0, reason='only root changes its user')
def test_unwritable_store_is_told_at_the_start(make_gate):
    """A database of somebody else: nothing is served, and it says why."""
    gate = make_gate(zone=ZONE)
    gate.stop()
    gate.write(user='nobody', group='nogroup')
    shutil.chown(gate.folder / 'state', 'nobody')
    (gate.folder / 'state' / 'spool').chmod(0o777)
    gate.launch()
    line = gate.wait_for_log('child.start child=smtp')
    assert 'gatehouse.db' in line or 'store' in line, line
    assert 'supervisor.ready' not in gate.log()[gate._seen:]
    gate.kill()


@pytest.mark.parametrize('text, lacks, declares', [
    ('Gr\u00fc\u00dfe'.encode(), None, ' BODY=8BITMIME SMTPUTF8'),
    ('Gr\u00fc\u00dfe'.encode(), 'SMTPUTF8', ' BODY=8BITMIME'),
    ('Gr\u00fc\u00dfe'.encode(), '8BITMIME', ' SMTPUTF8'),
    (b'Gr\xfc\xdfe', None, ' BODY=8BITMIME'),
    (b'Gr\xfc\xdfe', 'SMTPUTF8', ' BODY=8BITMIME'),
])
def test_release_of_8bit_mail(make_gate, make_hop, text, lacks, declares):
    """What would have been delivered unheld can be released."""
    hop = make_hop(extensions=[word for word in USUAL if word != lacks])
    gate = make_gate(zone=ZONE, route=hop.route)
    sent = message(sender='x@quarantine.example', subject='PLACE')
    sent = sent.replace(b'PLACE', text)
    assert gate.mail(sent, sender='x@quarantine.example',
                     ip=STRANGER)[:3] == '250'
    held, = gate.quarantine()
    gate.run('quarantine', 'release', held['id'], '-c', str(gate.path))
    assert hop.messages[0].octets.endswith(sent)
    line = [line for line in hop.lines if line.startswith('MAIL')][-1]
    size = f' SIZE={len(hop.messages[0].octets)}'
    assert line.split('>')[1] == size + declares


def fill(gate, count):
    """So many traces with hostile subjects, as the gateway files them."""
    values = {'message_id': '<m@x>', 'listener': 'mx', 'client_ip': SHOP,
              'client_name': '', 'helo': 'x', 'sender': 'news@shop.example',
              'sender_key': 'news@shop.example', 'header_from': '',
              'sender_domain': 'shop.example', 'subject': '\u202e\x1b[2J"',
              'size': 5000, 'verdict': 'accept', 'policy': '', 'reply': '250',
              'delivery': '250', 'own_domain_result': 'none',
              'own_domain': '', 'spf_result': 'pass', 'dkim_result': 'pass',
              'dmarc_result': 'pass', 'connector': '', 'facts': ''}
    columns = ['row', 'id', 'time_ms', *values]
    marks = ', '.join('?' * len(columns))
    now = int(time.time() * 1000)
    rows = range(1000, 1000 + count)
    with contextlib.closing(sqlite3.connect(database(gate))) as base, base:
        base.executemany(
            f'INSERT INTO trace ({", ".join(columns)}) VALUES ({marks})',
            ((row, f't{row}', now - row, *values.values()) for row in rows))
        base.executemany(
            'INSERT INTO trace_facts (row, facts) VALUES (?, ?)',
            ((row, '{"x": "' + 'x' * 4000 + '"}') for row in rows))
        base.executemany(
            'INSERT INTO trace_recipient (parent, place, address,'
            ' address_key, domain) VALUES (?, 0, ?, ?, ?)',
            ((row, 'user@agency.example', 'user@agency.example',
              'agency.example') for row in rows))
        base.execute('INSERT OR IGNORE INTO trace_chunk'
                     ' SELECT DISTINCT row >> 13 FROM trace')


@pytest.mark.skipif(is_sanitized(), reason='a sanitizer takes more memory')
def test_search_takes_little_memory(make_gate):
    """However many match, and whatever stands in them."""
    gate = make_gate()
    fill(gate, 30000)
    said, memory = gate.run_measured('search', '--limit', '30000', '--json')
    found = json.loads(said)
    assert [row['id'] for row in found] == [
        f't{number}' for number in range(1000, 31000)]
    assert found[0]['subject'] == '\u202e\x1b[2J"'
    assert memory < 32 << 20, f'{memory >> 20} MiB'
    said, memory = gate.run_measured('search', '--limit', '30000')
    assert said.count('\n') == 60000
    assert memory < 32 << 20, f'{memory >> 20} MiB'


def test_search_of_what_has_expired_meanwhile(make_gate):
    """Whoever reads its list slowly holds nothing up: what has gone is not
    listed, the rest is."""
    gate = make_gate()
    fill(gate, 3000)
    process = subprocess.Popen(
        [binary(), 'search', '--limit', '3000', '-c', str(gate.path)],
        stdout=subprocess.PIPE)
    assert b't1000' in process.stdout.readline()
    with contextlib.closing(sqlite3.connect(database(gate))) as base, base:
        base.execute("DELETE FROM trace WHERE id = 't3999'")
    rest = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert b't3998' in rest and b't3999' not in rest
