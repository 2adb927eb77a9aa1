# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own arithmetic: what it counts, compares and draws."""
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import growth  # noqa: E402
import measure  # noqa: E402
import meter  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402

SIZE, DOMAINS = growth.DIMENSIONS[0], growth.DIMENSIONS[4]
XS = (1, 2, 4, 8, 16, 32, 64)


@pytest.mark.parametrize('cost, dimension, slope, words', [
    (lambda x: 5 + x, SIZE, 0.9, 'linear or less'),
    (lambda x: x, SIZE, 1.0, 'linear or less'),
    (lambda x: x ** 1.3, SIZE, 1.3, 'MORE THAN LINEAR'),
    (lambda x: 30 + x * x, SIZE, 1.9, 'MORE THAN LINEAR'),
    (lambda x: 5, DOMAINS, 0.0, 'constant'),
    (lambda x: x ** 0.5, DOMAINS, 0.5, 'MORE THAN CONSTANT'),
])
def test_the_exponent_tells_the_growth(cost, dimension, slope, words):
    found = growth.exponent([(x, cost(x)) for x in XS])
    assert found == pytest.approx(slope, abs=0.12)
    assert growth.verdict(dimension, found) == words


def row(scenario, cost, kind='mix', connections=16):
    return {'scenario': scenario, 'kind': kind, 'connections': connections,
            'runs': 1, 'messages': 10, 'rate': 1.0, 'p50_ms': 1.0,
            'p99_ms': 1.0, 'cpu_per_1000': cost, 'accept': 8, 'reject': 1,
            'defer': 0, 'failed': 1, 'wrong': 2}


def test_rounds_become_one_row_each():
    rows = [row('milter', 1), row('milter', 7, '4k'), row('rspamd', 4),
            row('milter', 9), row('milter', 2), row('milter', 8, '4k')]
    ones = measure.over_rounds(rows)
    assert [str(one['connections']) for one in ones] == ['16'] * 3
    assert [(one['scenario'], one['kind'], one['cpu_per_1000'], one['runs'])
            for one in ones] == [
        ('milter', 'mix', 2, 3), ('milter', '4k', 7.5, 2),
        ('rspamd', 'mix', 4, 1)]


def test_a_third_of_the_best_peer_of_each_size():
    rows = []
    for kind, ours, pair, other in (
            ('4k', 1, 6, 4), ('30k', 2, 6, 9), ('200k', 4, 9, 9.5),
            ('2m', 20, 60, 90)):
        rows += [row('milter', ours, kind),
                 row('opendkim', 0.1, kind),     # not the whole task
                 row('opendkim+opendmarc', pair, kind),
                 row('rspamd', other, kind)]
    results = report.Results(rows + [row('milter', 2)], {}, {})
    thirds = results.thirds('milter')
    assert [(one[0], one[1], one[2]) for one in thirds[:4]] == [
        ('4k', 'rspamd', 4), ('30k', 'opendkim+opendmarc', 6),
        ('200k', 'opendkim+opendmarc', 9), ('2m', 'opendkim+opendmarc', 60)]
    assert thirds[4][2] == pytest.approx(
        .60 * 4 + .25 * 6 + .12 * 9 + .03 * 60)
    words = report.against_peers(results).split('\n')
    assert [line.split(' | ')[-1] for line in words[2:7]] == [
        'yes |', 'yes |', 'no |', 'yes |', 'yes |']


def test_a_ratio_is_to_the_gateway_with_as_many_connections():
    results = report.Results(
        [row('milter', 2), row('milter', 5, connections=64),
         row('rspamd', 10, connections=64), row('rspamd', 3, connections=1)],
        {}, {})
    assert results.ratio(results.rows[2]) == 2
    assert results.ratio(results.rows[3]) is None
    assert results.ratio(results.rows[0]) is None


def test_what_peers_decide_is_shown():
    text = report.verdicts(report.Results([row('rspamd', 1)], {}, {}))
    assert '| rspamd | 8 | 1 | 0 | 1 | 2 of 10 |' in text


def test_a_later_run_replaces_only_its_scenarios(tmp_path):
    about = {'machine': 'm', 'messages': 10, 'dns': 'nsd', 'method': 'm',
             'ed25519': 'e', 'load_average': 1.0}
    report.write(tmp_path, report.Results(
        [row('milter', 1), row('rspamd', 9)], {'milter': 1, 'rspamd': 2},
        about))
    later = report.Results([row('milter', 3)], {'milter': 5}, about)
    report.merge(tmp_path, later)
    assert [one['cpu_per_1000'] for one in later.rows] == [3, 9]
    assert later.memory == {'milter': 5, 'rspamd': 2}
    report.write(tmp_path, later)
    assert '| rspamd | 1 | 1.0 / 1.0 | 9.000 | 3.0 | 2 |' in \
        (tmp_path / 'bench.md').read_text()


def test_the_plot_is_xml_with_every_point_inside(tmp_path):
    path = tmp_path / 'plot.svg'
    panels = [plot.Panel('A & B', 'x <', 'y', {
        'one': [(1, 0.3), (1500, 900)], 'two': [(3, 0.7), (1000, 0.8)]}, 1)]
    plot.write(path, 'Title', panels, 'guide')
    root = xml.etree.ElementTree.parse(path).getroot()
    name = '{http://www.w3.org/2000/svg}'
    lines = root.findall(f'.//{name}g/{name}polyline')
    assert len(lines) == 2
    for line in lines:
        for pair in line.get('points').split():
            x, y = map(float, pair.split(','))
            assert plot.LEFT <= x <= plot.WIDTH - plot.RIGHT
            assert plot.TOP <= y <= plot.HEIGHT - plot.BOTTOM


@pytest.mark.parametrize('grouped', [True, False])
def test_time_of_children_that_ended_is_counted(grouped, monkeypatch):
    if not grouped:
        monkeypatch.setattr(meter, 'cgroup_folder', lambda: None)
    program = 'import time\nwhile time.process_time() < 0.3: pass'
    with subprocess.Popen(
            ['sh', '-c', f'read go; {sys.executable} -c "{program}"; read end'],
            stdin=subprocess.PIPE, text=True) as shell:
        one = meter.Meter(f'test{os.getpid()}', shell.pid)
        before = one.cpu_seconds()
        shell.stdin.write('go\n')
        shell.stdin.flush()
        until = time.monotonic() + 10
        while one.cpu_seconds() - before < 0.25 or len(one.pids()) > 1:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert one.cpu_seconds() - before < 1.5
        assert one.memory_mib() > 0
        shell.stdin.close()
    one.close()
