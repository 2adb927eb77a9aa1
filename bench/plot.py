# SPDX-License-Identifier: Apache-2.0
"""Line charts with logarithmic axes, as SVG.

    write(path, 'Title', [Panel('Size', 'octets', 'ms', {'smtp': [(x, y)]})])
"""
import dataclasses
import math
from html import escape

WIDTH, HEIGHT = 400, 300                # of a panel
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 40, 48
HEAD, COLUMNS = 74, 3
COLOURS = ('#1b5e9e', '#c8540a', '#2f7d32', '#7b3fa0')
MARKS = ('circle', 'square', 'triangle', 'diamond')
FONT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'


@dataclasses.dataclass
class Panel:
    title: str
    x_label: str
    y_label: str
    series: dict                        # name: [(x, y), ...]
    slope: int | None = None            # of a line to compare with
    note: str = ''
    binary: bool = False                # x is in octets


def short(value, binary=False):
    """1500000 as "1.5 M"; octets with powers of 1024."""
    step, units = (1024, ('', ' KiB', ' MiB', ' GiB')) if binary else \
        (1000, ('', ' k', ' M', ' G'))
    unit = 0
    while value >= step and unit < len(units) - 1:
        value, unit = value / step, unit + 1
    return f'{value:g}{units[unit]}'


class Axis:
    """Logarithmic, from whole steps below the least to above the greatest."""

    def __init__(self, values, start, end, base=10.0):
        # A short axis is labelled at 1, 2 and 5 too.
        self.ticks = self._ticks(min(values), max(values), base)
        self.low, self.high = self.ticks[0], self.ticks[-1]
        self.start, self.end = start, end

    @staticmethod
    def _ticks(least, most, base):
        if base != 10:
            first = math.floor(math.log(least, base) + 1e-9)
            last = math.ceil(math.log(most, base) - 1e-9)
            return [base ** n for n in range(first, last + 1)]
        first, last = math.floor(math.log10(least)), math.ceil(
            math.log10(most))
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        ticks = [step * 10.0 ** n for n in range(first, last + 1)
                 for step in steps]
        low = max((t for t in ticks if t <= least * 1.0001),
                  default=ticks[0])
        high = min((t for t in ticks if t >= most * 0.9999),
                   default=ticks[-1])
        return [t for t in ticks if low <= t <= high] if low < high else \
            [low / 2, low, low * 2]

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def text(x, y, words, size=12, anchor='middle', colour='#222', more=''):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" {FONT} '
            f'text-anchor="{anchor}" fill="{colour}" {more}>{escape(words)}'
            '</text>')


def line(x1, y1, x2, y2, colour, more=''):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" {more}/>')


def mark(number, x, y):
    """A shape of its own for each series: colours alone are not enough."""
    colour, shape = COLOURS[number], MARKS[number]
    if shape == 'circle':
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    points = {'square': ((-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)),
              'triangle': ((0, -4.6), (4.6, 3.8), (-4.6, 3.8)),
              'diamond': ((0, -5), (5, 0), (0, 5), (-5, 0))}[shape]
    where = ' '.join(f'{x + dx:.1f},{y + dy:.1f}' for dx, dy in points)
    return f'<polygon points="{where}" fill="{colour}"/>'


def draw_axes(panel, x_axis, y_axis):
    parts = []
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        parts.append(line(x_axis.start, y, x_axis.end, y, '#ddd'))
        parts.append(text(x_axis.start - 7, y + 4, f'{tick:g}', 11, 'end'))
    for tick in x_axis.ticks:
        x = x_axis.at(tick)
        parts.append(line(x, y_axis.start, x, y_axis.end, '#eee'))
        parts.append(text(x, y_axis.start + 17, short(tick, panel.binary), 11))
    parts.append(line(x_axis.start, y_axis.start, x_axis.end, y_axis.start,
                      '#444'))
    parts.append(line(x_axis.start, y_axis.start, x_axis.start, y_axis.end,
                      '#444'))
    middle = (y_axis.start + y_axis.end) / 2
    parts.append(text((x_axis.start + x_axis.end) / 2, y_axis.start + 38,
                      panel.x_label))
    parts.append(text(16, middle, panel.y_label,
                      more=f'transform="rotate(-90 16 {middle:.1f})"'))
    return parts


def draw_guide(panel, x_axis, y_axis, points):
    """Through the greatest point, as steep as what is expected."""
    if panel.slope is None:
        return []
    x, y = max(points)
    least = min(point[0] for point in points)
    begin_x, begin_y = least, y * (least / x) ** panel.slope
    if begin_y < y_axis.low:
        begin_x = x * (y_axis.low / y) ** (1 / panel.slope)
        begin_y = y_axis.low
    return [line(x_axis.at(begin_x), y_axis.at(begin_y), x_axis.at(x),
                 y_axis.at(y), '#888',
                 'stroke-width="1.2" stroke-dasharray="5 4"')]


def draw_panel(panel):
    points = [point for one in panel.series.values() for point in one]
    x_axis = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT,
                  32.0 if panel.binary else 10.0)
    costs = [y for _, y in points]
    # At least a decade: noise is not to look like a trend.
    y_axis = Axis([min(*costs, max(costs) / 10), *costs], HEIGHT - BOTTOM,
                  TOP)
    parts = [text(LEFT, 18, panel.title, 14, 'start',
                  more='font-weight="bold"'),
             text(LEFT, 34, panel.note, 11, 'start', '#555')]
    parts += draw_axes(panel, x_axis, y_axis)
    for number, one in enumerate(panel.series.values()):
        parts += draw_guide(panel, x_axis, y_axis, one)
        where = [(x_axis.at(x), y_axis.at(y)) for x, y in sorted(one)]
        path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in where)
        parts.append(f'<polyline points="{path}" fill="none" '
                     f'stroke="{COLOURS[number]}" stroke-width="2"/>')
        parts += [mark(number, x, y) for x, y in where]
    return '\n'.join(parts)


def draw_legend(names, guide):
    parts, x = [], LEFT
    for number, name in enumerate(names):
        parts.append(line(x, 50, x + 34, 50, COLOURS[number],
                          'stroke-width="2"'))
        parts.append(mark(number, x + 17, 50))
        parts.append(text(x + 42, 54, name, 12, 'start'))
        x += 70 + 7.4 * len(name)
    if guide:
        parts.append(line(x, 50, x + 34, 50, '#888',
                          'stroke-width="1.2" stroke-dasharray="5 4"'))
        parts.append(text(x + 42, 54, guide, 12, 'start'))
    return parts


def write(path, title, panels, guide=''):
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * WIDTH, HEAD + rows * HEIGHT
    names = list(panels[0].series)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
             f'height="{height}" viewBox="0 0 {width} {height}" role="img">',
             f'<title>{escape(title)}</title>',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             text(LEFT, 28, title, 17, 'start', more='font-weight="bold"'),
             *draw_legend(names, guide)]
    for number, panel in enumerate(panels):
        x = number % COLUMNS * WIDTH
        y = HEAD + number // COLUMNS * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">\n'
                     f'{draw_panel(panel)}\n</g>')
    path.write_text('\n'.join(parts) + '\n</svg>\n')
