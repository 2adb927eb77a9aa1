# SPDX-License-Identifier: Apache-2.0
"""The milter under load: restarts, reloads, kills, and many idle mail servers.

Seconds here; LOAD_SECONDS=600 makes it minutes.
"""
import os
import random
import re
import resource
import socket
import struct
import threading
import time

import pytest

from gatehouse import is_sanitized
from mail import field, message, message_id
from net import Smtp, wait_until
from pair import Pair, make_postfix, milter_changes
from world import SHOP, STRANGER, ZONE

SECONDS = float(os.environ.get('LOAD_SECONDS', '3'))
CLIENTS = 6


@pytest.fixture
def pair(folder, make_gate):
    gate = make_gate(zone=ZONE, **milter_changes())
    postfix = make_postfix(folder / 'mta',
                           f'inet:127.0.0.1:{gate.ports["mta"]}',
                           'smtpd_client_connection_count_limit = 0\n'
                           'smtpd_error_sleep_time = 0\n').start()
    yield Pair(gate, postfix)
    postfix.stop()


class Load(threading.Thread):
    """Good and forged messages in turn, one or several in a session."""

    def __init__(self, pair, seed, stop):
        super().__init__()
        self.pair = pair
        self.random = random.Random(seed)
        self.stop = stop
        self.taken = []     # Message-IDs of what Postfix said 250 to
        self.replies = {}   # of good and forged: reply's first digit -> count
        self.problems = []

    def note(self, kind, octets, reply):
        digit = reply[:1] or '-'
        counts = self.replies.setdefault(kind, {})
        counts[digit] = counts.get(digit, 0) + 1
        if digit == '2':
            self.taken.append(message_id(octets))
        if kind == 'forged' and digit == '2' or \
                kind == 'good' and digit == '5':
            self.problems.append((kind, reply))

    def session(self):
        with Smtp(self.pair.postfix.port, source='127.0.0.1',
                  xclient=f'ADDR={SHOP} NAME=mail.shop.example') as smtp:
            for _ in range(self.random.randint(1, 4)):
                forged = self.random.random() < 0.4
                octets = message(
                    'service@bank.example' if forged else 'news@shop.example',
                    body='x' * 70 + ('\n' + 'y' * 70) *
                    self.random.choice([1, 50, 2000]))
                reply = smtp.mail('news@shop.example', 'user@agency.example',
                                  octets)
                self.note('forged' if forged else 'good', octets, reply)
                if reply[:1] != '2':
                    smtp.command('RSET')

    def run(self):
        while not self.stop.is_set():
            try:
                self.session()
            except (OSError, AssertionError):
                time.sleep(0.05)


def run_load(pair, disturb):
    """Runs it while disturb() is called again and again; then: nothing forged
    was taken, and what was taken is there once, with our results."""
    stop = threading.Event()
    loads = [Load(pair, seed, stop) for seed in range(CLIENTS)]
    for load in loads:
        load.start()
    until = time.monotonic() + SECONDS
    rounds = 0
    try:
        while time.monotonic() < until:
            disturb()
            rounds += 1
    finally:
        stop.set()
        for load in loads:
            load.join()
    taken = [one for load in loads for one in load.taken]
    counts = {}
    for load in loads:
        assert not load.problems, load.problems
        for kind, digits in load.replies.items():
            for digit, count in digits.items():
                key = f'{kind} {digit}xx'
                counts[key] = counts.get(key, 0) + count
    print(rounds, 'disturbances;', counts)
    assert counts.get('good 2xx', 0) > 10 and counts.get('forged 5xx', 0) > 5
    arrived = pair.arrived(wanted=len(taken), seconds=60)
    found = [message_id(octets) for octets in arrived]
    assert set(taken) <= set(found)
    assert len(found) == len(set(found)), 'twice'
    for octets in arrived:
        assert 'bank.example' not in field(octets, 'From')
        assert field(octets, 'Authentication-Results').startswith(
            'mx1.agency.example;')
    return rounds


def test_restarts(pair):
    def disturb():
        time.sleep(0.7)
        pair.gate.stop()
        time.sleep(0.1)
        pair.gate.start()
    assert run_load(pair, disturb) >= 2


def test_kills(pair):
    pair.gate.may_crash = True

    def disturb():
        time.sleep(0.7)
        child = pair.gate.children().get('milter')
        if child:
            os.kill(child, 9)
    assert run_load(pair, disturb) >= 3


def test_reloads(pair):
    """Nobody notices."""
    def disturb():
        seen = len(pair.gate.log())
        time.sleep(0.3)
        pair.gate.process.send_signal(1)
        pair.gate.wait_for_log('supervisor.reload result=loaded', after=seen)
    assert run_load(pair, disturb) >= 3
    assert 'milter.failure' not in pair.gate.log()


def test_restarts_of_the_mta(pair):
    def disturb():
        time.sleep(1)
        pair.postfix.stop()
        pair.postfix.start()
    assert run_load(pair, disturb) >= 1


# Mail servers that are connected and say nothing.

IDLE = 2000


def packet(code, data=b''):
    return struct.pack('>I', len(data) + 1) + code + data


GREETING = (packet(b'O', struct.pack('>III', 6, 0x1ff, 0x1fffff)) +
            packet(b'D', b'C{client_resolve}\0OK\0') +
            packet(b'C', b'mail.shop.example\x004\0\x19192.0.2.10\0') +
            packet(b'H', b'mail.shop.example\0'))
ENVELOPE = (packet(b'M', b'<news@shop.example>\0') +
            packet(b'R', b'<user@agency.example>\0'))


def anonymous_memory(pid):
    """KiB."""
    with open(f'/proc/{pid}/smaps_rollup') as file:
        return int(re.search(r'Anonymous:\s+(\d+)', file.read())[1])


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(is_sanitized(),
                    reason='the memory of a sanitizer counts, too')
def test_many_idle(pair, many_descriptors):
    """A connection costs little while it waits, mail goes on beside it, and
    with its end the memory of a message is free."""
    assert pair.mail(message()).startswith('250')
    pid = pair.gate.children()['milter']
    before = anonymous_memory(pid)
    peers = [socket.create_connection(('127.0.0.1', pair.gate.ports['mta']))
             for _ in range(IDLE)]
    try:
        for peer in peers:
            peer.sendall(GREETING)
        for peer in peers:
            assert peer.recv(4096)[4:5] == b'O'
        pair.gate.metric('gatehouse_milter_connections', IDLE, seconds=20)
        idle = (anonymous_memory(pid) - before) / IDLE
        for peer in peers:
            peer.sendall(ENVELOPE)
        replies = [pair.mail(message()) for _ in range(10)]
        busy = (anonymous_memory(pid) - before) / IDLE
        print(f'{idle:.1f} KiB idle, {busy:.1f} KiB with an envelope')
        assert all(reply.startswith('250') for reply in replies), replies
        assert idle < 8 and busy < 40, (idle, busy)
        assert pair.mail(message('a@bank.example'),
                         ip=STRANGER).startswith('550')
    finally:
        for peer in peers:
            peer.close()
    wait_until(lambda: pair.gate.metrics()['gatehouse_milter_connections'] <
               10, 20, 'the end of the idle ones')
