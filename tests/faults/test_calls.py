# SPDX-License-Identifier: Apache-2.0
"""Call by call of one transaction fails.

After each: what had a 250 is at its place exactly once and complete, and has a
trace; what had none is refused for now (4xx) or the connection ended; nothing
that must be refused passes; and the next message is taken.  A part is tried in
make test, chosen by FAULTS_SEED; FAULTS_LONG=1 walks through all calls.
"""
import os
import random
import time

import pytest

from faults import Faults
from mail import message
from places import LONG, open_places
from world import SHOP, ZONE

SITES = 10 ** 6 if LONG else 2
# What fails for good, what a process runs out of, and what has to be tried
# again, or to be continued.
ERRORS = {
    'read': ['EIO', 'EINTR'],
    'write': ['ENOSPC', 'EIO', 'EINTR', 'short'],
    'recv': ['ECONNRESET', 'EINTR', 'short'],
    'send': ['EIO', 'ENOBUFS', 'EPIPE', 'EINTR', 'short'],
    'sync': ['EIO', 'ENOSPC', 'EINTR'],
    'rename': ['ENOSPC', 'EIO'],
    'unlink': ['EIO'],
    'open': ['EMFILE', 'ENOSPC', 'EIO', 'EINTR'],
    'truncate': ['ENOSPC', 'EIO', 'EINTR'],
    'map': ['ENOMEM'],
    'socket': ['EMFILE', 'ENOBUFS', 'ECONNREFUSED'],
    'accept': ['EMFILE', 'ENOBUFS', 'ECONNABORTED'],
}
# SQLite does not try these again; no signal ends them on a local disk.
NOT_REPEATED = {'sync', 'truncate'}
# What makes it durable: the store's log; a mailbox's file and its folder.
SYNCS = {'maildir': 3}
WANTED = {'spoof': '550', 'milter-spoof': '550'}


def chosen(chance, count):
    """All of 1 … count, or some."""
    numbers = range(1, count + 1)
    return numbers if count <= SITES else \
        sorted(chance.sample(numbers, SITES))


def wrong_with(function, name, reply, wanted):
    """What the client may not have heard."""
    if reply[:3] == wanted:
        return False
    if name in ('EINTR', 'short') and function not in NOT_REPEATED:
        return True
    return reply[:1] not in ('4', '')


class Walk:
    def __init__(self, places, faults, kind, chance):
        self.places = places
        self.faults = faults
        self.kind = kind
        self.chance = chance
        self.wanted = WANTED.get(kind, '250')
        self.sites = self.hits = 0
        self.slow = []
        self.wrong = []

    def count(self):
        """The calls of one transaction, and what is heard of it."""
        for _ in range(2):
            assert self.places.send(self.kind)[:3] == self.wanted
            time.sleep(0.15)
        self.faults.count()
        assert self.places.send(self.kind)[:3] == self.wanted
        time.sleep(0.15)
        return self.faults.counts()

    def site(self, function, name, number):
        how = {'effect': 'short'} if name == 'short' else {'error': name}
        begin = time.monotonic()
        with self.faults.armed(function, number, **how):
            reply = self.places.send(self.kind)
            self.hits += self.faults.hits
        took = time.monotonic() - begin
        self.sites += 1
        what = f'{function} {number} {name}'
        if took > 1:
            self.slow.append(f'{what}: {took:.1f} s')
        if wrong_with(function, name, reply, self.wanted):
            self.wrong.append(f'{what}: {reply!r}')
        after = self.places.send(self.kind)
        if after[:3] != self.wanted:
            self.wrong.append(f'{what}: then {after!r}')

    def run(self):
        counts = self.count()
        print(f'\n{self.kind}: calls of one transaction', {
            name: count for name, count in counts.items() if count})
        assert counts['sync'] >= SYNCS.get(self.kind, 1)
        for function, names in ERRORS.items():
            for name in names:
                for number in chosen(self.chance, counts[function]):
                    self.site(function, name, number)


# The first stays in memory, the others go to disk first.
@pytest.mark.parametrize('kind, limits', [
    ('hop', {}),
    ('hop', {'spool_memory': '4K'}),
    ('maildir', {'spool_memory': '4K'}),
    ('quarantine', {'spool_memory': '4K'}),
    ('spoof', {}),
    ('milter', {}),
    ('held', {'spool_memory': '4K'}),
    ('milter-spoof', {}),
])
def test_calls_that_fail(kind, limits):
    seed = int(os.environ.get('FAULTS_SEED', time.time()))
    print(f'\nFAULTS_SEED={seed}')
    process = '--child milter' if kind in (
        'milter', 'held', 'milter-spoof') else '--child smtp'
    with open_places(True, process, limits=limits) as (places, faults):
        walk = Walk(places, faults, kind, random.Random(seed))
        walk.run()
        places.check(kind, hop_may_lose=True, sites=walk.sites,
                     reached=walk.hits)
        print('\n'.join(walk.slow + walk.wrong))
        assert walk.hits > walk.sites / 2
        assert walk.wrong == []


def test_ready_without_the_admin_child(make_gate, folder):
    """It cannot begin: mail needs none, and `systemctl start` ends well."""
    faults = Faults(folder / 'faults', '--child admin')
    with faults.failing('map', 'ENOMEM'):
        gate = make_gate(zone=ZONE, environment=faults.environment)
        gate.may_crash = True
        assert 'child.start child=admin' in gate.log()
        assert 'admin.ready' not in gate.log()
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
    gate.wait_for_log('admin.ready')
    assert gate.http('/readyz') == (200, 'ready\n')
