# SPDX-License-Identifier: Apache-2.0
"""The public test suite of RFC 7208 through `gatehouse spf` and real DNS.

Needs GATEHOUSE (the program) and GATEHOUSE_TESTDATA in the environment, as
`meson test` sets them.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'lib'))
from dnsserver import DnsServer, Zone  # noqa: E402

PROGRAM = os.environ.get('GATEHOUSE', 'build/src/cli/gatehouse')
SUITE = pathlib.Path(os.environ.get('GATEHOUSE_TESTDATA', '')) \
    / 'spf/rfc7208-tests.yml'
COUNT = 203
TIMEOUT_MS = 400


def load():
    with open(SUITE, encoding='utf-8') as file:
        return [document for document in yaml.safe_load_all(file) if document]


def zone_of(zonedata):
    """The conventions are those of the suite's SOURCE.txt."""
    zone = Zone()
    for name, records in zonedata.items():
        has_txt = any(isinstance(r, dict) and 'TXT' in r for r in records)
        for record in records:
            if record == 'TIMEOUT':
                zone.time_out(name)
                continue
            (kind, value), = record.items()
            if kind == 'SPF' and not has_txt:
                zone.add(name, 'TXT', value)
            if kind != 'TXT' or value != 'NONE':
                zone.add(name, kind, value)
    return zone


SCENARIOS = load()
CASES = [pytest.param(scenario, test, id=f'{scenario["description"]}: {name}')
         for scenario in SCENARIOS for name, test in scenario['tests'].items()]


def spf(server, test, *options):
    done = subprocess.run(
        [PROGRAM, 'spf', '--client-ip', str(test['host']),
         '--helo', test['helo'], '--mail-from', test['mailfrom'],
         '--hostname', 'receiver.example', '--dns-server', server.address,
         *options], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    return done.stdout


@pytest.fixture(scope='module')
def servers():
    """One server a scenario, started when it is first needed."""
    running = {}

    def get(scenario):
        name = scenario['description']
        if name not in running:
            running[name] = DnsServer(zone_of(scenario['zonedata']))
            running[name].__enter__()
        return running[name]

    yield get
    for server in running.values():
        server.__exit__()


def test_suite_is_whole():
    assert len(SCENARIOS) == 16
    assert len(CASES) == COUNT


@pytest.mark.parametrize('scenario, test', CASES)
def test_case(servers, scenario, test):
    options = ['--json']
    if 'TIMEOUT' in str(scenario['zonedata']):
        options += ['--dns-timeout', str(TIMEOUT_MS)]
    outcome = json.loads(spf(servers(scenario), test, *options))
    wanted = test['result']
    assert outcome['result'] in (
        wanted if isinstance(wanted, list) else [wanted]), outcome
    if 'explanation' in test:
        explanation = test['explanation']
        assert outcome['explanation'] == (
            '' if explanation == 'DEFAULT' else explanation)
    assert bool(outcome['problem']) == \
        (outcome['result'] in ('temperror', 'permerror'))
    assert outcome['identity'] == ('mailfrom' if test['mailfrom'] else 'helo')
    assert set(outcome) == {'result', 'domain', 'identity', 'explanation',
                            'problem', 'dns_lookups'}


SENDER = {'host': '192.0.2.1', 'helo': 'h.example',
          'mailfrom': 'u@agency.example'}


def test_plain_output():
    zone = Zone()
    zone.add('agency.example', 'TXT', 'v=spf1 ip4:192.0.2.1 -all')
    with DnsServer(zone) as server:
        assert spf(server, SENDER) == 'pass\n'
        assert [q for q in server.queries if q[2] == 'TXT'] == \
            [('udp', 'agency.example', 'TXT')]


def test_long_answer_comes_over_tcp():
    zone = Zone()
    for number in range(12):
        zone.add('agency.example', 'TXT', f'{number} ' + 'x' * 600)
    zone.add('agency.example', 'TXT',
             'v=spf1 ' + 'ip4:198.51.100.7 ' * 40 + 'ip4:192.0.2.1 -all')
    with DnsServer(zone) as server:
        assert spf(server, SENDER) == 'pass\n'
        assert ('udp', 'agency.example', 'TXT') in server.queries
        assert ('tcp', 'agency.example', 'TXT') in server.queries


def test_servfail_is_temperror():
    zone = Zone()
    zone.fail('agency.example')
    with DnsServer(zone) as server:
        assert spf(server, SENDER) == 'temperror\n'


def test_no_server_is_temperror():
    with DnsServer(Zone()) as server:
        pass
    assert spf(server, SENDER, '--dns-timeout', '500') == 'temperror\n'


def test_queries_stay_within_the_limit():
    """A record full of terms gets ten of them looked up, not more."""
    zone = Zone()
    zone.add('agency.example', 'TXT', 'v=spf1 ' + ' '.join(
        f'a:a{number}.agency.example' for number in range(30)) + ' -all')
    for number in range(30):
        zone.add(f'a{number}.agency.example', 'A', '198.51.100.1')
    with DnsServer(zone) as server:
        outcome = json.loads(spf(server, SENDER, '--json'))
        assert outcome['result'] == 'permerror'
        asked = {name for _, name, kind in server.queries if kind == 'A'}
        assert len(asked) == 10


@pytest.mark.parametrize('options, code', [
    (['--client-ip', '192.0.2', '--helo', 'h', '--mail-from', ''], 2),
    (['--client-ip', '192.0.2.1', '--helo', 'h'], 2),
    (['--client-ip', '192.0.2.1', '--helo', 'h', '--mail-from', '',
      '--dns-server', 'nowhere'], 2),
    (['--client-ip', '192.0.2.1', '--helo', 'h', '--mail-from', '',
      '--dns-fail', 'x=maybe'], 2),
    (['--client-ip', '192.0.2.1', '--helo', 'h', '--mail-from', '',
      '--dns-fail', 'x/TEXT=timeout'], 2),
    (['--client-ip', '192.0.2.1', '--helo', 'h', '--mail-from', '',
      '--dns-timeout', 'soon'], 2),
    (['--client-ip', '192.0.2.1', '--helo', 'h', '--mail-from', '',
      '--zone', '/nonexistent/zone'], 66),
])
def test_wrong_lines(options, code):
    done = subprocess.run([PROGRAM, 'spf', *options], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == code
    assert done.stdout == ''
    assert done.stderr.startswith('gatehouse: ')
