# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments under the load of eight clients.

Any child, the supervisor alone, or all processes at once; the supervisor is
started again as systemd does it, with sockets of its own or with those that
systemd keeps (socket activation).  Each client sends a message until it hears
a 250.  FAULTS_LONG=1: 200 kills and 5,000 messages; FAULTS_SEED repeats the
choices, though not the moments.
"""
import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time

from net import wait_until
from places import LONG, open_places

KILLS, MESSAGES = (200, 5000) if LONG else (10, 250)
KINDS = ['hop', 'maildir', 'quarantine', 'held', 'milter', 'hop', 'maildir',
         'quarantine']
# More of what carries mail.
VICTIMS = ['smtp', 'smtp', 'smtp', 'milter', 'milter', 'admin', 'supervisor',
           'supervisor', 'all']
ACTIVATE = """
import os, sys
count = int(sys.argv[1])
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()),
                  LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


class Service:
    """What systemd does for a unit with Restart=on-failure."""

    def __init__(self, gate, activated):
        self.gate = gate
        self.sockets = []
        if activated:
            for name, port in gate.ports.items():
                one = socket.socket()
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(('127.0.0.1', port))
                one.listen(128)
                self.sockets.append((name, one))

    def _hand_over(self):
        """Between fork and exec: the sockets become 3, 4, ..."""
        spare = [os.dup(one.fileno()) for _, one in self.sockets]
        moved = [os.dup2(fd, 50 + i) for i, fd in enumerate(spare)]
        for i, fd in enumerate(moved):
            os.dup2(fd, 3 + i, inheritable=True)
            os.close(fd)

    def start(self):
        gate = self.gate
        if not self.sockets:
            gate.launch()
            return
        names = ':'.join(name for name, _ in self.sockets)
        gate.launch([sys.executable, '-c', ACTIVATE, str(len(self.sockets)),
                     names], preexec_fn=self._hand_over, close_fds=False)

    def is_up(self):
        log = self.gate.log()[self.gate._seen:]
        return 'supervisor.ready' in log

    def restart(self, children):
        """Its cgroup is emptied first (KillMode=control-group)."""
        self.gate.process.wait()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 0.5
        for pid in children:
            while os.path.exists(f'/proc/{pid}') and time.monotonic() < until:
                time.sleep(0.01)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in children:
            wait_until(lambda pid=pid: not os.path.exists(f'/proc/{pid}'))
        self.start()
        wait_until(self.is_up, 20, 'the restart')

    def close(self):
        for _, one in self.sockets:
            one.close()


class Load:
    """Eight clients until stop(); each message until it is taken."""

    def __init__(self, places, name):
        self.places = places
        self.name = name
        self.done = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self._guarded, args=(n,))
                        for n in range(8)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        i = 0
        while not self.done.is_set():
            kind = KINDS[(number + i) % len(KINDS)]
            identity = f'{self.name}-{number}-{i}@test.example'
            i += 1
            until = time.monotonic() + 90
            while (reply := self.places.send(kind, identity))[:3] != '250':
                assert reply[:1] in ('4', ''), reply
                assert time.monotonic() < until, f'{identity}: {reply}'
                time.sleep(0.02)

    def _guarded(self, number):
        try:
            self._run(number)
        except AssertionError as error:
            self.failures.append(error)

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(120)
        assert not self.failures, self.failures


class Killer:
    def __init__(self, service, places, chance):
        self.service = service
        self.places = places
        self.chance = chance
        self.kills = {}

    def _amid_work(self):
        seen = self.places.reply_count
        wait_until(lambda: self.places.reply_count > seen + 3, 60, 'replies')
        time.sleep(self.chance.random() * 0.2)

    def kill(self):
        gate = self.service.gate
        self._amid_work()
        victim = self.chance.choice(VICTIMS)
        children = gate.children()
        if victim in ('smtp', 'milter', 'admin') and victim not in children:
            # It waits for its restart, longer each time: start afresh.
            victim = 'all'
        self.kills[victim] = self.kills.get(victim, 0) + 1
        if victim in children:
            os.kill(children[victim], signal.SIGKILL)
            return
        os.kill(gate.process.pid, signal.SIGKILL)
        if victim == 'all':
            for pid in children.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.service.restart(children.values())


def run(places, activated, kills, messages, chance):
    service = Service(places.gate, activated)
    killer = Killer(service, places, chance)
    try:
        places.gate.stop()
        service.start()
        wait_until(service.is_up, 20, 'the gateway')
        before = len(places.sent)
        load = Load(places, f'k{int(activated)}')
        try:
            for _ in range(kills):
                killer.kill()
            wait_until(lambda: len(places.sent) - before >= messages, 300,
                       'enough messages')
        finally:
            load.stop()
    finally:
        places.gate.stop()
        service.close()
    return killer.kills


def test_killed_under_load():
    seed = int(os.environ.get('FAULTS_SEED', time.time()))
    chance = random.Random(seed)
    print(f'\nFAULTS_SEED={seed}')
    with open_places() as (places, _):
        places.gate.may_crash = True
        for activated in (False, True):
            begin = time.monotonic()
            kills = run(places, activated, KILLS // 2, MESSAGES // 2, chance)
            print('socket activation:' if activated else 'own sockets:',
                  kills, f'{time.monotonic() - begin:.0f} s')
        places.gate.start()
        counts = places.check('SIGKILL', kills=KILLS,
                              messages=len(places.sent))
        assert counts['acknowledged'] == len(places.sent) >= MESSAGES

