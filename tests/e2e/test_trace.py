# SPDX-License-Identifier: Apache-2.0
"""gatehouse trace: the dialogue of some clients, while the service runs."""
import base64
import json
import pathlib
import resource
import signal
import socket
import struct
import subprocess

import pytest

from gatehouse import binary, listener
from mail import message
from world import SHOP, STRANGER, ZONE


class Milter:
    """Just enough of a mail server: options, connect, helo."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), 10)
        self.packet(b'O' + struct.pack('>III', 6, 0x1ff, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.sendall(struct.pack('>I', 1) + b'Q')
        self.socket.close()

    def packet(self, data):
        """Its answer."""
        self.socket.sendall(struct.pack('>I', len(data)) + data)
        size = struct.unpack('>I', self.socket.recv(4, socket.MSG_WAITALL))[0]
        return self.socket.recv(size, socket.MSG_WAITALL)

    def client(self, ip, helo):
        assert self.packet(b'C' + helo.encode() + b'\x004' +
                           struct.pack('>H', 4000) + ip.encode() +
                           b'\0') == b'c'
        assert self.packet(b'H' + helo.encode() + b'\0') == b'c'


def trace(gate, *args, code=0):
    text = gate.run('trace', '-c', str(gate.path), *args, '--json', code=code)
    return json.loads(text or 'null')


def traced(gate):
    return [line for line in gate.log().split('\n') if ' debug ' in line]


def test_one_client_of_two(make_gate):
    gate = make_gate(zone=ZONE)
    assert trace(gate) == []
    pid = gate.children()['smtp']
    waiting = gate.client(SHOP)  # a session that is there already
    gate.mail(message(), ip=SHOP)
    assert traced(gate) == []
    rules = trace(gate, '--client', SHOP, '--for', '1h')
    assert [rule['clients'] for rule in rules] == [SHOP + '/32']
    gate.wait_for_log('trace.begun')
    sent = message().replace(b'\r\n\r\n', b'\r\nX-Secret: none\r\n\r\n'
                             b'the text of the message\r\n', 1)
    assert gate.mail(sent, ip=SHOP)[:3] == '250'
    gate.mail(message('x@bank.example'), 'x@plain.example', ip=STRANGER)
    waiting.command('NOOP one')
    waiting.close()
    lines = traced(gate)
    text = '\n'.join(lines)
    for part in ('smtp.command', 'text="MAIL FROM:<news@shop.example>"',
                 'text="NOOP one"', 'smtp.reply', 'auth.spf', 'auth.dmarc',
                 'dns.answer', 'gate.policy'):
        assert part in text, part
    # Whose line it is; the other client's are not there.  XCLIENT itself is
    # what the proxy says.
    assert all(f' client={SHOP} port=' in line for line in lines), text
    assert 'plain.example' not in text
    for content in ('the text of the message', 'X-Secret', 'Subject'):
        assert content not in text
    # The same process, all the time.
    assert gate.children()['smtp'] == pid
    assert trace(gate, '--stop') == []
    gate.wait_for_log('trace.ended')
    seen = len(traced(gate))
    gate.mail(message(), ip=SHOP)
    assert len(traced(gate)) == seen


def test_it_ends_by_itself_and_outlives_a_child(make_gate):
    gate = make_gate(zone=ZONE)
    trace(gate, '--client', '127.0.0.0/8', '--for', '4s', 'smtp')
    gate.wait_for_log('trace.begun')
    gate.mail(message())
    assert 'smtp.command' in gate.log() and 'auth.spf' not in gate.log()
    gate.wait_for_log('trace.ended')
    seen = len(traced(gate))
    gate.mail(message())
    assert len(traced(gate)) == seen
    assert trace(gate) == []
    trace(gate, '--client', '127.0.0.1', '--for', '10m')
    gate.stop()
    begun = len(gate.log())
    gate.start()
    assert 'trace.begun' in gate.log()[begun:]


def test_passwords_are_not_shown(make_gate):
    gate = make_gate(zone=ZONE)
    trace(gate, '--client', '127.0.0.1')
    gate.wait_for_log('trace.begun')
    secret = base64.b64encode(b'\0user\0hunter22').decode()
    with gate.client() as client:
        # There is no AUTH here; a client may try, and go on.
        client.command('AUTH PLAIN ' + secret)
        client.command('auth login')
        client.command(secret)
    text = '\n'.join(traced(gate))
    assert 'text=AUTH' in text and '(not a command)' in text
    assert secret not in gate.log() and 'hunter22' not in gate.log()


def test_several_rules_and_wrong_ones(make_gate):
    gate = make_gate(zone=ZONE, start=False)
    trace(gate, '--client', '192.0.2.77/24', '--client', '2001:db8::/32',
          'auth', 'dns')
    rules = trace(gate, '--client', '192.0.2.0/24', 'smtp')
    assert [(rule['clients'], rule['topics']) for rule in rules] == \
        [('192.0.2.0/24', 'smtp'), ('2001:db8::/32', 'dns,auth')]
    for number in range(14):
        trace(gate, '--client', f'198.51.100.{number}')
    for wrong in (['--client', '198.51.100.99'], ):
        assert gate.command('trace', '-c', str(gate.path),
                            *wrong).returncode != 0
    for wrong in (['--client', 'example.org'], ['--client', '192.0.2.0/33'],
                  ['--client', '192.0.2.1', '--for', '2d'],
                  ['--client', '192.0.2.1', '--for', 'ever'],
                  ['--client', '192.0.2.1', 'weather'],
                  ['--client', '192.0.2.1', 'store'],
                  ['smtp'], ['--for', '10m']):
        done = gate.command('trace', '-c', str(gate.path), *wrong)
        assert done.returncode == 2, (wrong, done)
    assert len(trace(gate)) == 16
    assert 'until' in gate.run('trace', '-c', str(gate.path))


def test_the_rule_that_is_wrong_is_quoted(make_gate):
    gate = make_gate(zone=ZONE, start=False)
    path = pathlib.Path(gate.config['state_directory']) / 'trace'
    path.write_text('17 of apples\n')
    done = gate.command('trace', '-c', str(gate.path))
    assert b'not UNTIL NETWORK TOPICS: "17 of apples"' in done.stderr
    # A topic that another version had.
    path.write_text('99999999999999 192.0.2.1 dns,config\n')
    rule, = trace(gate)
    assert rule['topics'] == 'dns'


@pytest.mark.parametrize('text', ['nonsense\n', '1 2 3\n', '\0\n',
                                  '99999999999999 192.0.2.1 weather\n'])
def test_a_broken_file_changes_nothing(make_gate, text):
    gate = make_gate(zone=ZONE)
    path = pathlib.Path(gate.config['state_directory']) / 'trace'
    path.write_text(text)
    gate.wait_for_log('warning trace.failed')
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    assert trace(gate, '--stop') == []
    assert not path.exists()


def test_milter(make_gate):
    """Not the mail server's connection is traced, but its client's."""
    gate = make_gate(zone=ZONE, listeners=[listener('milter', 'milter')])
    trace(gate, '--client', SHOP)
    gate.wait_for_log('trace.begun child=milter')
    for ip, name in ((SHOP, 'first.example'), (STRANGER, 'second.example')):
        with Milter(gate.port) as milter:
            milter.client(ip, name)
    gate.wait_for_log('milter.disconnect')
    assert gate.log().count('milter.disconnect') == 1
    text = '\n'.join(traced(gate))
    assert 'milter.command' in text and 'command=helo' in text
    assert 'first.example' in text and 'second.example' not in text


def write_nothing():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_file_that_cannot_be_written(make_gate):
    """It is named, and the rules stay as they were."""
    gate = make_gate(start=False, zone=ZONE)
    trace(gate, '--client', SHOP, '--for', '1h')
    done = subprocess.run(
        [binary(), 'trace', '-c', str(gate.path), '--client', STRANGER,
         '--for', '1h'], preexec_fn=write_nothing, capture_output=True,
        text=True)
    assert done.returncode != 0
    assert f'{gate.folder}/state/trace.new: write: ' in done.stderr, done
    assert [rule['clients'] for rule in trace(gate)] == [SHOP + '/32']
