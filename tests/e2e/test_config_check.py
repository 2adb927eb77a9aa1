# SPDX-License-Identifier: Apache-2.0
"""`gatehouse config check` finds what the start would end with: the unit does
not try again after 78, and a reboot is the wrong time to learn of it."""
import os
import pathlib
import subprocess

import pytest

from certificates import Authority
from gatehouse import binary, listener


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


def with_tls(certificate, key):
    return [listener(tls={'certificate': str(certificate), 'key': str(key)})]


def test_files_of_others(make_gate, folder):
    """The start ends with 78, which systemd does not try again, when the key
    is root's alone: so certbot and a careful umask leave it."""
    if os.getuid() != 0:
        pytest.skip('only root changes its user')
    authority = Authority(folder / 'ca')
    certificate, key = authority.issue('mx1.agency.example')
    gate = make_gate(start=False, user='nobody', group='')
    gate.own_by('nobody')
    pathlib.Path(key).chmod(0o600)
    gate.write(listeners=with_tls(certificate, key))
    told = check(gate)
    assert f'warning: listeners[0].tls.key: user nobody may not read {key}: ' \
        'Permission denied' in told
    assert told.count('may not read') == 1, told
    gate.launch()
    assert gate.process.wait(10) == 78
    # In words, not the library's number.
    assert f'{key}: no private key: Permission denied' in gate.log()
    gate.process = None
    pathlib.Path(key).chmod(0o644)
    assert 'may not read' not in check(gate)
    # We are root again: what comes after the files is looked at as before.
    assert ' may not write' not in check(gate)


def test_certificate_of_another_host(make_gate, folder):
    """Who verifies the certificate of an MX sends nothing then."""
    authority = Authority(folder / 'ca')
    certificate, key = authority.issue('www.agency.example')
    gate = make_gate(start=False)
    gate.write(listeners=with_tls(certificate, key))
    assert f'warning: listeners[0].tls.certificate: {certificate} is not ' \
        'for mx1.agency.example' in check(gate)
    gate.write(hostname='www.agency.example')
    assert 'is not for' not in check(gate)
    # Those who log in use another name.
    gate.write(hostname='mx1.agency.example')
    gate.config['listeners'][0]['role'] = 'submission'
    gate.write()
    assert 'is not for' not in check(gate)
    gate.config['listeners'][0]['role'] = 'mx'
    gate.write(hostname='mx1')
    assert 'is not for' not in check(gate, 78)


@pytest.mark.parametrize('listens, hop, words', [
    ('127.0.0.1:25', '[127.0.0.1]', '127.0.0.1 port 25 is listener mx'),
    ('0.0.0.0:25', 'localhost:25', 'localhost port 25 is listener mx'),
    ('0.0.0.0:25', 'MX1.agency.example',
     'mx1.agency.example port 25 is listener mx'),
    ('0.0.0.0:25', '[127.0.0.1]:10025', ''),
    ('127.0.0.1:25', '[127.0.0.2]:25', ''),
    ('127.0.0.1:10025', 'mx1.agency.example', ''),
])
def test_route_to_ourselves(make_gate, listens, hop, words):
    gate = make_gate(start=False)
    gate.write(listeners=[{'name': 'mx', 'role': 'mx', 'address': listens}],
               routes=[{'domains': ['agency.example'],
                        'next_hop': f'smtp:{hop}'}])
    told = check(gate)
    assert ('routes[0].next_hop: ' in told) == bool(words), told
    assert words in told


def test_address_that_this_host_has_not(make_gate):
    gate = make_gate(start=False)
    gate.write(listeners=[listener(address='192.0.2.77:2525')])
    gate.launch()
    # It may come: a start before the network is up.
    assert gate.process.wait(10) == 75
    assert 'listen on 192.0.2.77:2525: no interface of this host has this ' \
        'address (ip address shows them)' in gate.log()
    gate.process = None


def test_folder_of_a_disk_mounted_read_only(make_gate):
    gate = make_gate(start=False)
    mounted = gate.folder / 'mounted'
    mounted.mkdir()
    gate.write(state_directory=str(mounted))
    hidden = ['unshare', '-rm', 'sh', '-c',
              f'mount -t tmpfs -o ro none {mounted} && exec "$@"', 'sh']
    done = subprocess.run(
        [*hidden, binary(), 'config', 'check', '-c', str(gate.path)],
        capture_output=True, text=True)
    if 'unshare' in done.stderr or 'mount' in done.stderr:
        pytest.skip('no namespaces here')
    assert f'warning: store: {mounted} is on a file system that is mounted ' \
        'read-only' in done.stdout
    assert done.returncode == 0


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
