# SPDX-License-Identifier: Apache-2.0
"""Dashboard and alerts name only what /metrics has: docs/METRICS.md, which
test_admin.c holds against the program's rows."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()
RULES = SOURCE / 'contrib/prometheus-rules.yml'
DASHBOARD = SOURCE / 'contrib/grafana-dashboard.json'
ROW = re.compile(r'^\| `(\w+)` \| (\w+) \| ([^|]*)\|', re.M)
SELECTOR = re.compile(r'(gatehouse_\w+|\bup(?=\{))(\{[^}]*\})?')
BY = re.compile(r'\bby \(([^)]*)\)')
PAIRS = {')': '(', ']': '[', '}': '{'}
OF_THE_SCRAPE = {'instance', 'job', 'le'}


def known():
    """series -> {label: values}"""
    names = {}
    for name, kind, labels in ROW.findall(
            (SOURCE / 'docs/METRICS.md').read_text()):
        label, _, values = labels.strip().partition(':')
        of = {label: set(re.findall(r'`([^`]+)`', values))} if label else {}
        ends = ('_bucket', '_sum', '_count') if kind == 'histogram' else ('',)
        names.update({name + end: of for end in ends})
    assert len(names) > 30
    # Prometheus's own, for what does not answer; contrib/README.md names it.
    names['up'] = {'job': {'gatehouse'}}
    return names


def balanced(text):
    opened = []
    for sign in text:
        if sign in PAIRS.values():
            opened.append(sign)
        elif sign in PAIRS and (not opened or opened.pop() != PAIRS[sign]):
            return False
    return not opened


def problem(expression, names):
    """Why an expression is wrong; None if it is not."""
    if not balanced(expression):
        return 'brackets'
    used = SELECTOR.findall(expression)
    if not used:
        return 'no metric'
    labels = set(OF_THE_SCRAPE)
    for name, selector in used:
        if name not in names:
            return name
        labels |= set(names[name])
        for label, value in re.findall(r'(\w+)="([^"]*)"', selector):
            values = names[name].get(label)
            if values is None or values and value not in values:
                return f'{name}{selector}'
    for group in BY.findall(expression):
        for label in group.split(','):
            if label.strip() not in labels:
                return f'by {label}'
    return None


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())['groups']
            for rule in group['rules']]


def expressions():
    for rule in rules():
        yield rule['alert'], rule['expr']
    for panel in json.loads(DASHBOARD.read_text())['panels']:
        for target in panel['targets']:
            yield panel['title'], target['expr']


@pytest.mark.parametrize('where, expression', list(expressions()))
def test_expression(where, expression):
    assert problem(expression, known()) is None, where


@pytest.mark.parametrize('expression, why', [
    ('rate(gatehouse_messages_total[5m]', 'brackets'),
    ('rate(gatehouse_messages_total[5m)]', 'brackets'),
    ('gatehouse_message_total', 'gatehouse_message_total'),
    ('gatehouse_message_size_bytes', 'gatehouse_message_size_bytes'),
    ('gatehouse_messages_total{verdict="lost"}',
     'gatehouse_messages_total{verdict="lost"}'),
    ('sum by (colour) (gatehouse_connections)', 'by colour'),
    ('1 > 0', 'no metric'),
    ('up{job="mail"} == 0', 'up{job="mail"}'),
])
def test_the_check_finds(expression, why):
    assert problem(expression, known()) == why


def test_alerts_are_complete():
    names = [rule['alert'] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule['labels']['severity'] in ('warning', 'critical')
        assert balanced(rule['annotations']['summary'])
        assert rule['annotations']['description']


def test_the_readme_scrapes_what_the_rules_ask_for():
    example = re.search(r'```yaml\n(.*?)```',
                        (SOURCE / 'contrib/README.md').read_text(), re.S)[1]
    scrape, = yaml.safe_load(example)['scrape_configs']
    assert {scrape['job_name']} == known()['up']['job']


def test_panels_are_distinct():
    panels = json.loads(DASHBOARD.read_text())['panels']
    for key in ('id', 'title'):
        assert len({panel[key] for panel in panels}) == len(panels)
    places = {(p['gridPos']['x'], p['gridPos']['y']) for p in panels}
    assert len(places) == len(panels)


def promtool(*args, **more):
    assert shutil.which('promtool'), "Debian's package prometheus"
    done = subprocess.run(['promtool', *map(str, args)], capture_output=True,
                          text=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_parse():
    promtool('check', 'rules', RULES)


def test_alerts_fire():
    """And stay quiet: alerts.test.yml tells a story of each."""
    promtool('test', 'rules', SOURCE / 'tests/packaging/alerts.test.yml',
             cwd=SOURCE / 'tests/packaging')


def test_dashboard_parses(tmp_path):
    """Each expression as if it were a rule, with Grafana's variable set."""
    rules = [{'record': f'panel:{number}', 'expr':
              expression.replace('$__rate_interval', '5m')}
             for number, (_, expression) in enumerate(expressions())]
    path = tmp_path / 'panels.yml'
    path.write_text(yaml.dump({'groups': [
        {'name': 'dashboard', 'rules': rules}]}))
    promtool('check', 'rules', path)
