# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a system with systemd: from installing to purging.

One story in the order of the file: each test needs those before it.  Run by
`make check-deb`, which says where the package is.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import shutil

import pytest

from machine import Machine

HERE = pathlib.Path(__file__).parent
PACKAGE = os.environ['GATEHOUSE_DEB']
CACHE = str(pathlib.Path(PACKAGE).resolve().parent)
CONFIG = '/etc/gatehouse/gatehouse.yaml'
UNIT = '/lib/systemd/system/gatehouse.service'
GOOD = """\
hostname: mx1.agency.example
organization: {accepted_domains: [agency.example]}
listeners:
  - {name: mx, address: "0.0.0.0:25", role: mx}
  - {name: mx6, address: "[::]:25", role: mx}
  - {name: mta, address: "unix:/run/gatehouse/milter.sock", role: milter}
routes:
  - {domains: [agency.example], next_hop: "maildir:/var/lib/gatehouse/Maildir"}
dns: {zone: /etc/gatehouse/zone, trust_anchor: ""}
authentication: {own_domains: report}
admin: {address: "127.0.0.1:8025"}
limits: {connection_rate: 100000, message_rate: 100000, tarpit_delay: 0,
         connections_per_network: 1000, drain_timeout: 20s}
"""
ZONE = """\
$TTL 300
example. SOA ns.example. root.example. 1 300 300 300 300
shop.example. TXT "v=spf1 ip4:127.0.0.1 -all"
shop.example. A 127.0.0.1
"""


@pytest.fixture(scope='module')
def machine():
    folder = tempfile.mkdtemp(prefix='gatehouse-package-', dir='/tmp')
    one = Machine(folder, PACKAGE, CACHE)
    shutil.copy(PACKAGE, one.path('/root/gatehouse.deb'))
    # Only what the package needs is there: no Python, no compiler.
    one.boot()
    yield one
    one.stop()
    shutil.rmtree(folder, ignore_errors=True)


def load(machine, *args):
    """Clients in the machine's network: what they saw, as JSON."""
    return subprocess.Popen(
        ['setpriv', '--pdeathsig', 'TERM', 'nsenter', '--target',
         str(machine.leader), '--net', '--', sys.executable,
         str(HERE / 'load.py'), *map(str, args)], stdout=subprocess.PIPE,
        text=True)


def send_one(machine):
    seen = load(machine, '--messages', 1)
    told = json.loads(seen.communicate(timeout=60)[0])
    assert told['accepted'] == 1, (told, machine.journal())


def delivered(machine):
    folder = machine.path('/var/lib/gatehouse/Maildir/new')
    return [path.read_text() for path in folder.glob('*')]


def test_install(machine):
    machine.run('dpkg', '-i', '/root/gatehouse.deb')
    assert machine.run('gatehouse', '--version').stdout.startswith('gatehouse')
    entry = machine.run('getent', 'passwd', 'gatehouse').stdout.split(':')
    assert entry[5] == '/var/lib/gatehouse' and 'nologin' in entry[6]
    # Nothing is started that nobody has configured.
    assert machine.show('UnitFileState') == 'disabled'
    assert machine.show('ActiveState') == 'inactive'
    assert machine.show('LoadState') == 'loaded'
    assert machine.path('/etc/gatehouse').is_dir()
    assert not list(machine.path('/etc/gatehouse').iterdir())
    assert not machine.path('/etc/logrotate.d/gatehouse').exists()
    page = machine.run('man', '-P', 'cat', 'gatehouse-serve')
    assert 'gatehouse serve' in page.stdout


def test_unit_is_well_formed(machine):
    done = machine.run('systemd-analyze', 'verify', UNIT)
    assert 'gatehouse' not in done.stderr, done.stderr


def test_example_of_the_package(machine):
    """The documented way: copy, edit, check."""
    example = '/usr/share/doc/gatehouse/examples/gatehouse.yaml'
    machine.run('install', '-Dm644', example, CONFIG)
    machine.run('gatehouse', 'config', 'check')
    machine.path(CONFIG).write_text('hostnam: mx1\n')
    done = machine.run('gatehouse', 'config', 'check', code=78)
    assert 'gatehouse.yaml:1:1' in done.stdout + done.stderr


def test_start_with_a_wrong_configuration(machine):
    """It fails at once, says why, and is not tried again and again."""
    machine.path('/etc/gatehouse/zone').write_text(ZONE)
    machine.path(CONFIG).write_text(GOOD.replace('role: mx}', 'role: mxx}', 1))
    machine.run('systemctl', 'start', 'gatehouse', code=1)
    assert machine.show('ExecMainStatus') == '78'
    assert machine.show('NRestarts') == '0'
    assert machine.show('ActiveState') == 'failed'
    assert f'{CONFIG}:4:' in machine.journal()
    machine.run('systemctl', 'reset-failed', 'gatehouse')


def test_start(machine):
    machine.path(CONFIG).write_text(GOOD)
    machine.run('gatehouse', 'config', 'check')
    machine.run('systemctl', 'enable', '--now', 'gatehouse')
    assert machine.show('ActiveState') == 'active'
    assert machine.show('StatusText') == 'serving'
    machine.run('install', '-d', '-o', 'gatehouse', '-g', 'gatehouse', '-m',
                '700', '/var/lib/gatehouse/Maildir')
    send_one(machine)
    assert len(delivered(machine)) == 1
    status = machine.run('gatehouse', 'status')
    assert status.stdout.startswith('healthy')
    # The journal knows levels: each line had its priority.
    done = machine.run('journalctl', '-u', 'gatehouse', '-p', 'notice', '-o',
                       'cat')
    assert 'supervisor.ready' in done.stdout
    assert 'message.verdict' not in done.stdout
    assert 'message.verdict' in machine.journal()


def processes(machine):
    """Those of the service, seen from outside."""
    inside = machine.run('pgrep', '-u', 'gatehouse').stdout.split()
    uid = int(machine.run('id', '-u', 'gatehouse').stdout)
    assert len(inside) == 4  # supervisor, smtp, milter, admin
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            status = dict(line.split(':\t', 1) for line in
                          (path / 'status').read_text().splitlines()
                          if ':\t' in line)
        except OSError:
            continue
        if status['Name'] in ('exe', 'gatehouse') and \
                int(status['Uid'].split()[0]) == uid and \
                status['NSpid'].split()[-1] in inside:
            found.append((int(path.name), status))
    return found


def test_sandbox(machine):
    score = machine.run('systemd-analyze', 'security', '--no-pager',
                        'gatehouse').stdout
    exposure = float(score.split('exposure level for gatehouse.service:')[1]
                     .split()[0])
    assert exposure <= 2.0, score
    assert machine.show('OOMPolicy') == 'continue'
    running = processes(machine)
    assert len(running) == 4
    for _, status in running:
        assert status['NoNewPrivs'].strip() == '1'
        assert status['Seccomp'].strip() == '2'
        # CAP_NET_BIND_SERVICE is bit 10.
        assert int(status['CapBnd'], 16) == 1 << 10
    inside = ['nsenter', '--target', str(running[0][0]), '--mount', '--']

    def as_root(*command):
        return subprocess.run(inside + list(command), capture_output=True,
                              text=True)

    for path in ('/etc/x', '/usr/bin/x', '/var/lib/x', '/var/log/x', '/x',
                 '/etc/gatehouse/x'):
        done = as_root('touch', path)
        assert 'Read-only file system' in done.stderr, (path, done)
    for path in ('/root/x', '/home/x'):
        assert as_root('touch', path).returncode != 0, path
    for path in ('/var/lib/gatehouse/x', '/run/gatehouse/x'):
        assert as_root('touch', path).returncode == 0, path
        as_root('rm', path)
    # A /tmp of its own, and no devices.
    machine.path('/tmp').joinpath('mark').write_text('')
    machine.run('touch', '/tmp/mark')
    assert as_root('test', '-e', '/tmp/mark').returncode == 1
    assert as_root('ls', '/dev/mem').returncode != 0
    # For the MTA beside it.
    assert machine.path('/run/gatehouse') is not None
    mode = machine.run('stat', '-c', '%A %U', '/run/gatehouse/milter.sock')
    assert mode.stdout == 'srw-rw---- gatehouse\n'


def test_reload(machine):
    machine.path(CONFIG).write_text(GOOD + 'nonsense: 1\n')
    done = machine.run('systemctl', 'reload', 'gatehouse', code=1)
    assert done.returncode == 1
    assert 'nonsense' in machine.journal()
    assert machine.show('ActiveState') == 'active'
    send_one(machine)
    machine.path(CONFIG).write_text(GOOD.replace('mx1.', 'mx2.'))
    machine.run('systemctl', 'reload', 'gatehouse')
    machine.wait(lambda: 'supervisor.reload result=loaded' in machine.journal(),
                 'the reload')
    machine.path(CONFIG).write_text(GOOD)
    machine.run('systemctl', 'reload', 'gatehouse')


def test_a_killed_service_comes_back(machine):
    machine.run('systemctl', 'kill', '--signal=KILL', 'gatehouse')
    machine.wait(lambda: machine.show('NRestarts') == '1' and
                 machine.show('ActiveState') == 'active', 'the restart')
    send_one(machine)


def test_sockets_of_systemd(machine):
    """The example's socket unit, and the service without its capability: what
    its comment says, while the service runs."""
    example = '/usr/share/doc/gatehouse/examples/gatehouse.socket'
    steps = [line[2:] for line in machine.path(example).read_text().split('\n')
             if line.startswith('#\t')]
    folder = machine.path('/etc/systemd/system/gatehouse.service.d')
    folder.mkdir()
    assert machine.show('ActiveState') == 'active'
    machine.run('cp', example, '/etc/systemd/system/')
    edited = [line for line in steps if not line.startswith('systemctl')]
    (folder / 'override.conf').write_text('\n'.join(edited) + '\n')
    for step in steps:
        if step.startswith('systemctl') and ' edit ' not in step:
            machine.run(*step.split())
    assert edited[0] == '[Service]' and len(edited) == 3
    send_one(machine)
    assert all(int(status['CapBnd'], 16) == 0
               for _, status in processes(machine))


def under_load(machine, action, times=3):
    """Restarts while eight clients send: what they saw, and what arrived."""
    before = len(delivered(machine))
    seen = load(machine, '--clients', 8, '--seconds', 12)
    for _ in range(times):
        machine.run('sleep', '2')
        action()
    told = json.loads(seen.communicate(timeout=120)[0])
    print({**told, 'names': len(told['names'])})
    assert told['refused'] == 0, told
    assert told['problems'] == [], told
    assert told['accepted'] > 50, told
    arrived = ''.join(delivered(machine))
    missing = [name for name in told['names'] if name not in arrived]
    assert not missing, (missing, told)
    # What was not acknowledged did not arrive either: no duplicates.
    assert len(delivered(machine)) - before == told['accepted']


def test_restart_loses_no_connection(machine):
    under_load(machine, lambda: machine.run('systemctl', 'restart',
                                            'gatehouse'))


def test_upgrade_loses_no_connection(machine):
    pid = machine.show('MainPID')
    under_load(machine, lambda: machine.run(
        'dpkg', '-i', '/root/gatehouse.deb'), times=1)
    assert machine.show('MainPID') != pid
    assert machine.show('ActiveState') == 'active'


def test_stop_drains(machine):
    machine.run('systemctl', 'stop', 'gatehouse.socket', 'gatehouse')
    assert machine.show('Result') == 'success'
    assert 'supervisor.stopped exit=0' in machine.journal()


def test_remove_and_purge(machine):
    machine.run('systemctl', 'start', 'gatehouse.socket', 'gatehouse')
    machine.run('dpkg', '-r', 'gatehouse')
    assert not machine.run('pgrep', '-u', 'gatehouse', code=1).stdout
    for path in ('/usr/bin/gatehouse', UNIT, '/usr/share/doc/gatehouse',
                 '/usr/lib/sysusers.d/gatehouse.conf'):
        assert not machine.path(path).exists(), path
    assert machine.path(CONFIG).exists()
    kept = len(delivered(machine))
    machine.run('dpkg', '-P', 'gatehouse')
    # What the administrator wrote, and the mail.
    assert machine.path(CONFIG).exists()
    assert kept and len(delivered(machine)) == kept
    left = machine.run('find', '/etc', '/usr', '/lib', '/var', '-name',
                       '*gatehouse*', '-not', '-path', '/var/lib/gatehouse*',
                       '-not', '-path', '/var/cache/man/*')
    assert sorted(left.stdout.split()) == [
        '/etc/gatehouse', '/etc/gatehouse/gatehouse.yaml',
        '/etc/systemd/system/gatehouse.service.d',
        '/etc/systemd/system/gatehouse.socket',
        '/etc/systemd/system/sockets.target.wants/gatehouse.socket']
