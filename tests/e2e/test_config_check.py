# SPDX-License-Identifier: Apache-2.0
"""`gatehouse config check` finds what the start would end with: the unit does
not try again after 78, and a reboot is the wrong time to learn of it."""
import os
import subprocess

import pytest

from certificates import Authority
from gatehouse import binary


def check(gate, code=0):
    return gate.run('config', 'check', '-c', str(gate.path), code=code)


def route(**more):
    return {'routes': [dict(domains=['agency.example'],
                            next_hop='smtp:[127.0.0.1]:9', **more)]}


# What is written (@ is the gate's folder, where "words" is a file that is
# nothing else), and what is told.
FATAL = [
    (route(tls='must', tls_ca='@/words'),
     'error: routes[0].tls_ca: @/words: no certificates to verify next hops'),
    ({'listeners': []}, 'error: listeners: there are none'),
    ({'state_directory': ''}, 'error: state_directory: is empty'),
    ({'state_directory': '@/none'},
     'error: state_directory: there is no folder @/none;'),
    ({'spool_directory': '@/none/spool'},
     'error: spool_directory: there is no folder @/none;'),
    ({'spool_directory': '@/words'},
     'error: spool_directory: @/words is no folder\n'),
    ({'store': 'sqlite:@/none/gatehouse.db?max_size=1G'},
     'error: store: there is no folder @/none;'),
    ({'dns': {'zone': '@/words'}}, 'error: dns.zone: @/words:1: '),
    ({'dns': {'zone': '', 'trust_anchor': '@/words'}},
     'error: dns.trust_anchor: DNS: settings, or the content of the trust '
     'anchor @/words: '),
]


def filled(value, folder):
    if isinstance(value, dict):
        return {key: filled(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, folder) for one in value]
    return value.replace('@', str(folder)) if isinstance(value, str) else value


@pytest.mark.parametrize('change, words', FATAL)
def test_what_ends_the_start_is_an_error(make_gate, change, words):
    gate = make_gate(start=False)
    (gate.folder / 'words').write_text('only words\n')
    assert 'OK: ' in check(gate)
    gate.write(**filled(change, gate.folder))
    told = check(gate, 78)
    assert filled(words, gate.folder) in told
    assert told.count('error: ') == 1, told
    gate.launch()
    # A disk may be mounted later: that is tried again.
    code = 66 if 'no folder' in words else 78
    assert gate.process.wait(10) == code
    assert 'supervisor.ready' not in gate.log()
    gate.process = None


@pytest.mark.parametrize('change, words', [
    # Made at the start: by us, and by the unit.
    ({'spool_directory': '@/state/other'}, ' 0 warnings'),
    ({'state_directory': '/var/lib/gatehouse'}, ' 0 warnings'),
    # Not needed for it.
    ({'state_directory': '@/none', 'spool_directory': '@/spool',
      'store': 'sqlite:@/gatehouse.db'},
     'warning: state_directory: there is no folder @/none'),
])
def test_folders_that_need_not_be_there(make_gate, change, words):
    gate = make_gate(start=False)
    gate.write(**filled(change, gate.folder))
    assert filled(words, gate.folder) in check(gate)
    if gate.config['state_directory'].startswith(str(gate.folder)):
        gate.start()


def test_folders_of_others(make_gate, folder):
    """That root can write there says nothing about who we become."""
    if os.getuid() != 0:
        pytest.skip('only root changes its user')
    gate = make_gate(start=False, user='nobody', group='')
    told = check(gate)
    for key, path in (('spool_directory', 'state'), ('store', 'state')):
        assert f'warning: {key}: user nobody may not write to ' \
            f'{gate.folder / path}' in told
    gate.launch()
    assert gate.process.wait(10) == 66
    gate.process = None
    gate.own_by('nobody')
    assert ' 0 warnings' in check(gate)


def test_folder_that_cannot_be_looked_at(make_gate, folder):
    gate = make_gate(start=False)
    hidden = folder / 'hidden'
    (hidden / 'state').mkdir(parents=True)
    hidden.chmod(0)
    gate.write(state_directory=str(hidden / 'state'))
    done = subprocess.run(
        ['setpriv', '--reuid=nobody', '--clear-groups', binary(), 'config',
         'check', '-c', str(gate.path)], capture_output=True, text=True)
    if 'setpriv' in done.stderr:
        pytest.skip('only root changes its user')
    assert done.returncode == 0, done
    assert f'warning: state_directory: cannot look at {hidden}/state: ' \
        'Permission denied' in done.stdout


def test_default_trust_anchor_that_is_not_there(make_gate):
    """It comes with a package of its own."""
    gate = make_gate(start=False)
    gate.write(dns={'zone': ''})
    del gate.config['dns']['trust_anchor']
    gate.write()
    assert 'OK: ' in check(gate)
    hidden = ['unshare', '-rm', 'sh', '-c',
              'mount -t tmpfs none /usr/share/dns && exec "$@"', 'sh']
    done = subprocess.run(
        [*hidden, binary(), 'config', 'check', '-c', str(gate.path)],
        capture_output=True, text=True)
    if 'unshare' in done.stderr or 'mount' in done.stderr:
        pytest.skip('no namespaces here')
    assert done.returncode == 78, done
    assert 'error: dns.trust_anchor: ' in done.stdout
    assert '/usr/share/dns/root.key' in done.stdout
    gate.launch(hidden)
    assert gate.process.wait(10) == 78
    gate.process = None


def test_reload_keeps_what_can_verify_next_hops(make_gate, folder):
    gate = make_gate()
    (gate.folder / 'words').write_text('only words\n')
    gate.write(**filled(route(tls='must', tls_ca='@/words'), gate.folder))
    logged = gate.reload()
    assert 'child.reload child=smtp result=kept' in logged
    assert 'routes[0].tls_ca: ' in logged
    gate.write(**route(tls='must', tls_ca=Authority(folder / 'ca').path))
    assert 'OK: ' in check(gate)
    assert 'result=loaded' in gate.reload()
