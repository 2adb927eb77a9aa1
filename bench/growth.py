# SPDX-License-Identifier: Apache-2.0
"""CPU time of a message as the work grows: a table, a plot, and a verdict."""
import dataclasses
import json
import math
import shutil

import growth_corpus
import growth_store
import plot
import report
from gate import Gate
from measure import AT, Bench
from scenarios import SCENARIOS

KIB, MIB = 1 << 10, 1 << 20

# Raised where the defaults would refuse the largest points.
LIMITS = {'message_size': '256M', 'content_memory': '8G',
          'transactions': 100000}

PROTOCOLS = {'SMTP, all checks': 'all-checks', 'milter': 'milter'}


@dataclasses.dataclass(frozen=True)
class Dimension:
    name: str
    title: str
    label: str
    points: tuple
    slope: int          # of cost over work that is linear: 1; 0: constant
    allowed: float      # an exponent up to this counts as such
    connections: int = AT


DIMENSIONS = (
    Dimension('size', 'Size of the message', 'octets (log)',
              (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB,
               16 * MIB, 64 * MIB, 150 * MIB), 1, 1.1, 4),
    Dimension('recipients', 'Recipients', 'recipients of a message (log)',
              (1, 2, 5, 10, 20, 50, 100), 1, 1.1),
    Dimension('signatures', 'DKIM signatures', 'signatures of a message (log)',
              (1, 2, 3, 4, 5, 6, 8, 10), 1, 1.1),
    Dimension('fields', 'Header fields', 'fields of a message (log)',
              (10, 20, 50, 100, 200, 500, 1000, 2000), 1, 1.1),
    Dimension('domains', 'Sender domains', 'domains that take turns (log)',
              (1, 10, 50, 100, 200, 500, 1000, 1500), 0, 0.2),
    Dimension('connections', 'Connections at a time', 'connections (log)',
              (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000), 0, 0.2),
    Dimension('traces', 'Traces in the store', 'traces (log)',
              (1000, 10000, 100000, 300000, 1000000), 0, 0.2),
)


def count(dimension, x, quick):
    """Enough for a figure, and not for a coffee."""
    if dimension.name == 'size':
        most = 60 * MIB if quick else 300 * MIB
        return max(2, min(2000, most // x))
    if dimension.name == 'connections':
        return max(500 if quick else 2000, 4 * x)
    if dimension.name == 'domains':
        return max(500 if quick else 1500, x)
    if dimension.name == 'traces':
        return 3000
    return max(200, (40000 if quick else 200000) // (100 + x))


def connections(dimension, x):
    return x if dimension.name == 'connections' else dimension.connections


def label(dimension, x):
    return plot.short(x, True) if dimension.name == 'size' else str(x)


def exponent(points):
    """Of cost over x, by least squares over the upper half of both as
    logarithms: 1 is linear, 0 constant.
    """
    upper = sorted(points)[len(points) // 2:]
    logs = [(math.log(x), math.log(y)) for x, y in upper]
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    return (sum((x - mean_x) * (y - mean_y) for x, y in logs)
            / sum((x - mean_x) ** 2 for x, _ in logs))


def verdict(dimension, slope):
    if slope <= dimension.allowed:
        return 'linear or less' if dimension.slope else 'constant'
    return 'MORE THAN ' + ('LINEAR' if dimension.slope else 'CONSTANT')


def one_more(dimension, points):
    """What a MiB, a recipient... costs: from the first point to the last."""
    points = sorted(points)
    (x1, y1), (x2, y2) = points[0], points[-1]
    if not dimension.slope:
        return '-'
    each = (y2 - y1) / (x2 - x1)
    if dimension.name == 'size':
        return f'{each * MIB:.2f} ms a MiB'
    return f'{each * 1000:.1f} µs'


class Growth:
    def __init__(self, bench, points):
        self.bench, self.points = bench, points
        self.rows = []

    def run_protocol(self, name):
        scenario = dataclasses.replace(SCENARIOS[PROTOCOLS[name]],
                                       expect='accept')
        folder = self.bench.state / 'subject'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        subject = Gate(folder, self.bench.build, self.bench.zone,
                       scenario.protocol, True, self.bench.nsd,
                       limits=LIMITS)
        try:
            for dimension, x in self.points:
                self.measure(subject, scenario, name, dimension, x)
        finally:
            subject.stop()

    def measure(self, subject, scenario, name, dimension, x):
        options = self.bench.options
        if dimension.name == 'traces':
            growth_store.fill(subject.database, x)
        corpus = self.bench.build / 'growth' / f'{dimension.name}-{x}'
        total = count(dimension, x, options.quick)
        what = (subject, scenario, connections(dimension, x), total)
        # Caches: once each, where it is cheap.
        if x < 16 * MIB:
            self.bench.load(*what[:3], min(total, max(50, x)), corpus=corpus)
        runs = [self.bench.one_run(*what, corpus=corpus)
                for _ in range(options.runs)]
        best = min(runs, key=lambda run: run['cpu_per_1000'])
        row = {'dimension': dimension.name, 'x': x, 'protocol': name,
               'messages': total, 'cpu_ms': best['cpu_per_1000'],
               'p50_ms': best['p50_ms']}
        self.rows.append(row)
        print(f'{dimension.name:14}{label(dimension, x):>10}  {name:18}'
              f'{row["cpu_ms"]:12.3f}', flush=True)

    def series(self, dimension):
        return {name: [(row['x'], row['cpu_ms']) for row in self.rows
                       if (row['dimension'], row['protocol'])
                       == (dimension.name, name)] for name in PROTOCOLS}


def tables(growth, dimensions):
    parts, verdicts = [], []
    for dimension in dimensions:
        series = growth.series(dimension)
        parts.append(report.table(
            (dimension.title, *(f'{name}, CPU ms' for name in series)),
            [(label(dimension, one[0][0]),
              *(f'{y:.3f}' for _, y in one))
             for one in zip(*series.values())]))
        for name, points in series.items():
            slope = exponent(points)
            verdicts.append((dimension.title, name,
                             one_more(dimension, points), f'{slope:.2f}',
                             f'at most {dimension.allowed}',
                             verdict(dimension, slope)))
    parts.insert(0, report.table(
        ('CPU time of a message over', 'protocol', 'one more costs',
         'exponent', 'expected', 'so it is'), verdicts))
    return '\n'.join(parts)


def draw(path, growth, dimensions):
    panels = []
    for dimension in dimensions:
        series = growth.series(dimension)
        slopes = ', '.join(f'{exponent(points):.2f}'
                           for points in series.values())
        panels.append(plot.Panel(
            dimension.title, dimension.label, 'CPU ms a message (log)',
            series, dimension.slope,
            f'exponent of the upper half: {slopes}',
            dimension.name == 'size'))
    plot.write(path, 'Gatehouse: CPU time of a message as the work grows',
               panels, 'linear; constant for domains, connections, traces')


def run(options):
    dimensions = DIMENSIONS
    if options.quick:
        dimensions = [dataclasses.replace(one, points=one.points[::3])
                      for one in DIMENSIONS]
    points = [(dimension, x) for dimension in dimensions
              for x in dimension.points]
    build = options.build.resolve()
    zone = growth_corpus.make(build / 'growth', [
        (dimension.name, x) for dimension, x in points])
    with Bench(options, print) as bench:
        bench.zone = zone
        growth = Growth(bench, points)
        for name in PROTOCOLS:
            growth.run_protocol(name)
    text = tables(growth, dimensions)
    (build / 'growth.json').write_text(json.dumps(growth.rows, indent=1)
                                       + '\n')
    (build / 'growth.md').write_text(text)
    draw(build / 'growth.svg', growth, dimensions)
    print('\n' + text + f'\n{build}/growth.svg')
