# SPDX-License-Identifier: Apache-2.0
"""What the program and systemd tell each other: no systemd is needed."""
import os
import pathlib
import signal
import socket
import sys
import threading
import time

import pytest

from mail import message, message_id
from net import free_port, stuff, wait_until
from world import SHOP, ZONE


ACTIVATE = pathlib.Path(__file__).parents[1] / 'lib/socket_activation.py'


class Notifications:
    """The socket that NOTIFY_SOCKET names."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.1)
        self.lines = []

    def read(self):
        try:
            while True:
                self.lines += self.socket.recv(4096).decode().split('\n')
        except TimeoutError:
            pass

    def wait(self, line, seconds=10):
        def came():
            self.read()
            return any(one.startswith(line) for one in self.lines)
        wait_until(came, seconds, f'{line}, got {self.lines}')

    def clear(self):
        self.read()
        self.lines = []


@pytest.fixture
def notifications(folder):
    one = Notifications(folder / 'notify')
    yield one
    one.socket.close()


def test_notify(make_gate, notifications, folder):
    gate = make_gate(zone=ZONE, start=False, environment={
        'NOTIFY_SOCKET': str(folder / 'notify'), 'WATCHDOG_USEC': '3000000'})
    gate.start()
    notifications.wait('READY=1')
    # Ready means: mail is taken.
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    notifications.wait('WATCHDOG=1')
    notifications.clear()
    gate.reload()
    notifications.wait('RELOADING=1')
    notifications.wait('MONOTONIC_USEC=')
    notifications.wait('READY=1')
    notifications.clear()
    good = gate.path.read_text()
    gate.path.write_text('nonsense: 1\n' + good)
    gate.reload()
    notifications.wait('READY=1')
    assert any('failed' in line for line in notifications.lines)
    gate.path.write_text(good)
    gate.process.send_signal(signal.SIGTERM)
    notifications.wait('STOPPING=1')
    assert gate.process.wait(10) == 0


def test_children_do_not_speak_for_the_service(make_gate, folder,
                                               notifications):
    gate = make_gate(zone=ZONE, environment={
        'NOTIFY_SOCKET': str(folder / 'notify')})
    notifications.wait('READY=1')
    for pid in gate.children().values():
        try:
            environment = pathlib.Path(f'/proc/{pid}/environ').read_bytes()
        except PermissionError:
            pytest.skip('reading the environment of a child that keeps its '
                        'memory to itself takes CAP_SYS_PTRACE')
        assert environment and b'NOTIFY_SOCKET' not in environment


def test_watchdog_watches_the_supervisor(make_gate, folder, notifications):
    """A child that is away is its own business: it is started again."""
    gate = make_gate(zone=ZONE, environment={
        'NOTIFY_SOCKET': str(folder / 'notify')})
    notifications.wait('WATCHDOG=1')
    # What it needs is gone: it cannot start.
    gate.may_crash = True
    zone = pathlib.Path(gate.config['dns']['zone'])
    zone.rename(folder / 'zone')
    os.kill(gate.children()['smtp'], signal.SIGKILL)
    gate.wait_for_log('supervisor.restart')
    gate.wait_for_log('child.start child=smtp')
    for _ in range(3):
        notifications.clear()
        notifications.wait('WATCHDOG=1', 2)
    (folder / 'zone').rename(zone)
    # Mended: a reload does not wait for the back-off.
    gate.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gate.children().get('smtp'))
    wait_until(lambda: gate.http('/readyz')[0] == 200)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'


def test_reload_while_it_stops_is_no_news(make_gate, folder, notifications):
    gate = make_gate(zone=ZONE, environment={
        'NOTIFY_SOCKET': str(folder / 'notify')})
    slow = gate.client()
    slow.command('MAIL FROM:<news@shop.example>')
    gate.process.send_signal(signal.SIGTERM)
    notifications.wait('STOPPING=1')
    notifications.clear()
    gate.process.send_signal(signal.SIGHUP)
    slow.close()
    assert gate.process.wait(10) == 0
    notifications.read()
    assert not any(line.startswith(('READY', 'RELOADING'))
                   for line in notifications.lines)


@pytest.mark.parametrize('name', ['mx', 'unknown'])
def test_socket_activation(make_gate, name):
    """The socket is found by its unit's name, or by its address."""
    gate = make_gate(zone=ZONE, start=False)
    helper = [sys.executable, str(ACTIVATE)]
    port = gate.port
    if name == 'mx':
        # Bound elsewhere than the configuration says: the name decides.
        port = free_port()
    gate.launch(command=helper + [str(port), name])
    wait_until(gate._is_up, 20)
    gate.ports['mx'] = port
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    if name == 'mx':
        gate.ports['mx'] = gate.port
        with pytest.raises(ConnectionRefusedError):
            gate.client()


def test_socket_of_no_listener(make_gate):
    """Its clients would wait for ever."""
    gate = make_gate(zone=ZONE, start=False)
    gate.launch(command=[sys.executable, str(ACTIVATE), str(free_port()),
                         'unknown'])
    assert gate.process.wait(10) == 78
    assert 'is no listener' in gate.log()
    gate.process = None


class Clients:
    """Each sends one message after the other, in connections of their own."""

    def __init__(self, gate, count):
        self.gate, self.lock = gate, threading.Lock()
        self.acknowledged, self.put_off, self.problems = [], 0, []
        self.going = True
        self.threads = [threading.Thread(target=self._work)
                        for _ in range(count)]

    def _send(self):
        octets = message()
        with self.gate.client(seconds=30) as client:
            # It may be put off at the greeting, and at EHLO.
            for reply in client.greeting, client.extensions:
                if reply[:1] != '2':
                    return message_id(octets), reply
            return message_id(octets), client.mail(
                'news@shop.example', 'user@agency.example', octets)

    def _work(self):
        while self.going:
            try:
                name, reply = self._send()
            except OSError as error:
                name, reply = None, f'{type(error).__name__}: {error}'
            with self.lock:
                if reply[:3] == '250':
                    self.acknowledged.append(name)
                elif reply[:3] == '421':
                    self.put_off += 1
                else:
                    self.problems.append(reply)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        for thread in self.threads:
            thread.join()


def test_restart_keeps_the_port_open(make_gate, folder):
    """Stopped and started as `systemctl restart` does it, with a socket that
    systemd holds: nobody is refused, and who comes in between waits."""
    gate = make_gate(zone=ZONE, start=False)
    listening = socket.create_server(('127.0.0.1', gate.port), backlog=1024)
    descriptor = listening.fileno()

    def start():
        gate.launch(command=[sys.executable, str(ACTIVATE),
                             f'fd:{descriptor}', 'mx'],
                    pass_fds=[descriptor])
        wait_until(gate._is_up, 20)

    start()
    slow = gate.client()
    slow.command('MAIL FROM:<news@shop.example>')
    slow.command('RCPT TO:<user@agency.example>')
    assert slow.command('DATA')[:3] == '354'
    last = message()
    slow.send(last[:40])
    with Clients(gate, 8) as clients:
        for number in range(3):
            time.sleep(0.5)
            gate.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            if number == 0:
                # It drains, and waits for this one; a newcomer is not
                # turned away, but has no greeting yet.
                early = socket.create_connection(('127.0.0.1', gate.port), 30)
                early.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    early.recv(100)
                slow.send(stuff(last)[40:])
                assert slow.reply()[:3] == '250'
            assert gate.process.wait(20) == 0
            start()
            if number == 0:
                early.settimeout(10)
                assert early.recv(100)[:3] == b'220'
                early.close()
        time.sleep(0.5)
    listening.close()
    assert clients.problems == []
    # Those whose session had begun and waited for a command.
    assert clients.put_off <= 3 * 8
    assert len(clients.acknowledged) > 50
    arrived = [message_id(octets) for octets in gate.delivered()]
    assert len(arrived) == len(set(arrived))
    assert set(arrived) == {*clients.acknowledged, message_id(last)}
