# SPDX-License-Identifier: Apache-2.0
"""The examples start; examples/quickstart/run, and the commands that it
prints."""
import os
import pathlib
import re
import subprocess

import pytest
import yaml

from gatehouse import binary
from net import DIES_WITH_US, Smtp, free_port, wait_until

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()


EXAMPLE = SOURCE / 'examples/gatehouse.yaml'


def test_the_example_starts(make_gate):
    """On any host: nothing is changed but ports, places and the user."""
    gate = make_gate(start=False)
    config = yaml.safe_load(EXAMPLE.read_text())
    ports = {}
    for one in config['listeners'] + [config['admin']]:
        address, port = one['address'].rsplit(':', 1)
        ports.setdefault(port, free_port())
        one['address'] = f'{address}:{ports[port]}'
    for key in 'user', 'state_directory':
        config[key] = gate.config[key]
    gate.config = config
    gate.write()
    gate.start()
    for port in gate.ports.values():
        with Smtp(port) as client:
            assert client.greeting.startswith('220 mx1.agency.example')
    gate.admin_port = ports['8025']
    assert gate.http('/readyz')[0] == 200


def test_the_example_has_the_sockets_of_the_unit():
    listeners = {one['address'] for one in
                 yaml.safe_load(EXAMPLE.read_text())['listeners']}
    sockets = re.findall(
        r'^ListenStream=(.*)$',
        (SOURCE / 'packaging/gatehouse.socket').read_text(), re.M)
    assert sockets and set(sockets) <= listeners


@pytest.fixture
def quickstart(folder):
    """(state folder, the printed commands)"""
    state, log = folder / 'state', folder / 'log'
    ports = {'SMTP_PORT': str(free_port()), 'ADMIN_PORT': str(free_port())}
    build = pathlib.Path(binary()).parents[2]
    with log.open('w') as file:
        process = subprocess.Popen(
            DIES_WITH_US + [str(SOURCE / 'examples/quickstart/run'),
                            str(build), str(state)],
            stdout=file, stderr=file, env=dict(os.environ, **ports))

    def is_up():
        assert process.poll() is None, log.read_text()
        return 'supervisor.ready' in log.read_text()

    wait_until(is_up, 20, 'the quickstart')
    lines = [line.strip() for line in log.read_text().split('\n')]
    yield state, lines
    process.terminate()
    assert process.wait(20) == 0


def test_printed_commands_do_what_they_say(quickstart):
    state, lines = quickstart
    variables = [line for line in lines if line.startswith(('M=', 'G='))]
    assert len(variables) == 2, lines

    def shell(command):
        return subprocess.run(
            ['sh', '-c', '\n'.join(variables + [command])],
            capture_output=True, text=True, timeout=60)

    tried = 0
    for comment, command in zip(lines, lines[1:]):
        if not command.startswith('swaks '):
            continue
        done = shell(command)
        tried += 1
        if comment.startswith('# accepted'):
            assert done.returncode == 0, done.stdout
        else:
            assert comment.startswith('# refused'), comment
            assert '550 5.7.1' in done.stdout, done.stdout
    assert tried == 5
    assert len(list((state / 'Maildir/new').iterdir())) == 3
    for command in lines:
        if command.startswith('$G explain'):
            done = shell(command)
            assert done.returncode == 0, done.stderr
            assert command.split(' ')[-1] in done.stdout
            tried += 1
        elif command.startswith('curl '):
            assert 'gatehouse_messages_total{verdict="accept"} 3' in \
                shell(command).stdout
            tried += 1
    assert tried == 9
