# SPDX-License-Identifier: Apache-2.0
"""The tables: on the terminal, in Markdown, and as JSON."""
import json
import os
import pathlib
import platform

import corpus
from measure import AT
from scenarios import SCENARIOS

COLUMNS = ('scenario', 'size', 'conn.', 'msgs/s', 'p50 ms', 'p99 ms',
           'CPU s/1,000', 'times ours')
WIDTHS = (20, 6, 6, 9, 9, 9, 13, 12)


# Words, scenario, size, must, aim: CPU seconds of 1,000, or ms of one.
TARGETS = (
    ('milter, mix, CPU s/1,000', 'milter', 'mix', 0.23, 0.12),
    ('milter, 4 KB message, CPU ms', 'milter', '4k', 0.11, 0.07),
    ('milter, 2 MB message, CPU ms', 'milter', '2m', 1.64, 1.4),
    ('SMTP pass-through, CPU s/1,000', 'pass-through', 'mix', 0.15, 0.10),
    ('SMTP all checks, CPU s/1,000', 'all-checks', 'mix', 0.35, 0.22),
)
RATE = ('milter, 64 connections, msgs/s', 'milter', 'mix', 64,
        '6000, p99 20 ms', '9000')


def number(value, digits=3):
    return '-' if value is None else f'{value:.{digits}f}'


class Results:
    """Rows of one or several runs, and what follows from them."""

    def __init__(self, rows, memory, about):
        self.rows, self.memory, self.about = rows, memory, about

    def cost(self, scenario, kind='mix', connections=AT):
        """CPU seconds of 1,000 messages, or None."""
        for row in self.rows:
            if (row['scenario'], row['kind']) == (scenario, kind) and \
                    row['connections'] in (connections, 0):
                return row['cpu_per_1000']
        return None

    def ratio(self, row):
        """How many times what the gateway needs for the same."""
        scenario = SCENARIOS.get(row['scenario'])
        if not scenario or not scenario.is_peer:
            return None
        ours = self.cost(scenario.against, row['kind'], row['connections'])
        return row['cpu_per_1000'] / ours if ours else None

    def kinds(self):
        return [name for name, _ in corpus.CLASSES
                if any(row['kind'] == name for row in self.rows)]

    def best_peer(self, against, kind):
        """(cost, name) of the cheapest that does the whole task, or None."""
        costs = [(self.cost(name, kind), name)
                 for name, scenario in SCENARIOS.items()
                 if scenario.against == against and scenario.whole]
        return min((cost for cost in costs if cost[0]), default=None)

    def thirds(self, against):
        """(size, best peer, its cost, a third of it, ours): each size class,
        and the mix of the best of each class.
        """
        rows = []
        for kind in self.kinds():
            best = self.best_peer(against, kind)
            ours = self.cost(against, kind)
            if best and ours:
                rows.append((kind, best[1], best[0], best[0] / 3, ours))
        ours = self.cost(against)
        if ours and len(rows) == len(corpus.CLASSES):
            shares = dict(corpus.CLASSES)
            best = sum(row[2] * shares[row[0]] for row in rows) / 100
            rows.append(('mix', 'the best of each size', best, best / 3, ours))
        return rows


def cells(row, results):
    return (row['scenario'], row['kind'], str(row['connections'] or '-'),
            number(row.get('rate'), 0), number(row.get('p50_ms'), 1),
            number(row.get('p99_ms'), 1), number(row['cpu_per_1000']),
            number(results.ratio(row), 1))


def text_line(values):
    return ''.join(f'{value:<{width}}' if i < 2 else f'{value:>{width}}'
                   for i, (value, width) in enumerate(zip(values, WIDTHS)))


def table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |', '|---' * len(head) + '|']
    lines += ['| ' + ' | '.join(map(str, row)) + ' |' for row in rows]
    return '\n'.join(lines) + '\n'


def targets(results):
    """What the reference machine must and should reach, and what it is here."""
    rows = []
    for words, scenario, kind, must, aim in TARGETS:
        cost = results.cost(scenario, kind)
        if cost:
            limit = results.cost('limit', kind)
            rows.append((words, must, aim, number(cost),
                         number(cost / limit if limit else None, 1)))
    for row in results.rows:
        if (row['scenario'], row['kind'], row['connections']) == RATE[1:4]:
            rows.append((RATE[0], *RATE[4:], f'{row["rate"]:.0f}, p99 '
                         f'{row["p99_ms"]:.0f} ms', '-'))
    return table(('target, on the reference machine', 'must', 'aim',
                  'measured here', 'times the limit'), rows) if rows else ''


def against_peers(results):
    parts = []
    for name, scenario in SCENARIOS.items():
        rows = [] if scenario.is_peer else results.thirds(name)
        if rows:
            parts.append(table(
                (f'{name}: size', 'best peer', 'its CPU s/1,000', 'a third',
                 'ours', 'peer / ours', 'a third is met'),
                [(kind, peer, number(cost), number(third), number(ours),
                  number(cost / ours, 1), 'yes' if ours <= third else 'no')
                 for kind, peer, cost, third, ours in rows]))
    return '\n'.join(parts)


def verdicts(results):
    """What became of the mix at 16 connections."""
    rows = [(row['scenario'], *(f'{row[verdict]:.0f}' for verdict in (
                'accept', 'reject', 'defer', 'failed')),
             'everything is to be accepted'
             if SCENARIOS[row['scenario']].expect == 'accept'
             else f'{row["wrong"]:.0f} of {row["messages"]:.0f}')
            for row in results.rows if row['scenario'] in SCENARIOS
            and row['kind'] == 'mix' and row['connections'] == AT]
    return table(('scenario', 'accepted', 'refused', 'deferred', 'no reply',
                  'other than it must be'), rows) if rows else ''


def rows_of(results, kind):
    """scenario -> {connections: row}"""
    found = {}
    for row in results.rows:
        if row['kind'] == kind:
            found.setdefault(row['scenario'], {})[row['connections']] = row
    return found


def overview(results):
    """The mix: a line for each scenario."""
    lines = []
    for name, by_number in rows_of(results, 'mix').items():
        at = by_number.get(AT) or next(iter(by_number.values()))
        rates = [f'{row["rate"]:.0f}' for row in by_number.values()
                 if 'rate' in row]
        times = f'{at["p50_ms"]:.1f} / {at["p99_ms"]:.1f}' if rates else '-'
        lines.append((
            name, ' / '.join(rates) or '-', times,
            ' / '.join(number(row['cpu_per_1000'])
                       for row in by_number.values()),
            number(results.ratio(at), 1),
            number(results.memory.get(name), 0)))
    numbers = ' / '.join(str(number) for number in sorted(
        {row['connections'] for row in results.rows if row['connections']}))
    return table(('the mix', f'msgs/s at {numbers}',
                  f'p50 / p99 ms at {AT}', f'CPU s/1,000 at {numbers}',
                  f'times ours at {AT}', 'peak MiB'), lines)


def by_size(results):
    kinds = results.kinds()
    lines = []
    for name in {row['scenario']: 0 for row in results.rows}:
        costs = [results.cost(name, kind) for kind in kinds]
        if any(costs):
            lines.append((name, *map(number, costs)))
    return table((f'CPU ms a message, {AT} connections', *kinds), lines) \
        if lines else ''


def memory(results):
    return table(('scenario', 'peak memory MiB, all processes'),
                 [(name, number(mib, 0))
                  for name, mib in results.memory.items()])


def machine():
    text = pathlib.Path('/proc/cpuinfo').read_text()
    model = next((line.split(':', 1)[1].strip() for line in text.split('\n')
                  if line.startswith('model name')), platform.machine())
    return f'{os.cpu_count()} x {model}, Linux {platform.release()}'


def markdown(results):
    about = results.about
    runs = sorted({row['runs'] for row in results.rows})
    parts = [
        f'{about["machine"]}.  {about["messages"]} messages a run, medians of '
        f'{" or ".join(map(str, runs))} runs, DNS: {about["dns"]}, CPU time from '
        f'{about["method"]}, Ed25519 of the limit by {about["ed25519"]}, load '
        f'average at the end {about["load_average"]:.1f}.\n',
        overview(results), by_size(results), targets(results),
        against_peers(results), verdicts(results)]
    return '\n'.join(part for part in parts if part)


def merge(folder, results):
    """Rows of an earlier run, except of scenarios that were run again."""
    path = folder / 'bench.json'
    if not path.exists():
        return
    old = json.loads(path.read_text())
    again = {row['scenario'] for row in results.rows}
    rows = [row for row in old['rows'] if row['scenario'] not in again]
    rows += results.rows
    order = ['limit', *SCENARIOS]
    results.rows = sorted(rows, key=lambda row: order.index(row['scenario']))
    found = {**old['peak_mib'], **results.memory}
    results.memory = {name: found[name] for name in order if name in found}


def write(folder, results):
    (folder / 'bench.json').write_text(json.dumps({
        'rows': results.rows, 'peak_mib': results.memory,
        'thirds': {name: results.thirds(name) for name in SCENARIOS
                   if results.thirds(name)},
        **results.about}, indent=1) + '\n')
    (folder / 'bench.md').write_text(markdown(results))
