# SPDX-License-Identifier: Apache-2.0
"""Lines of the log, as gatehouse-log(5) says: its grammar and its events."""
import pathlib
import re

PAGE = pathlib.Path(__file__).parents[2] / 'man/gatehouse-log.5'
LEVELS = ('error', 'warning', 'notice', 'info', 'debug')

WORD = r'[a-z][a-z0-9_-]*'
PLAIN = r'[\x21\x23-\x3c\x3e-\x5b\x5d-\x7e]+'
QUOTED = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]|\\x[0-9a-f]{2}|' \
    r'[^\x00-\x7f])*"'
FIELD = re.compile(rf' ([a-z][a-z0-9_]*)=({QUOTED}|{PLAIN})')
LINE = re.compile(
    r'(?:<[0-7]>)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z '
    rf'({"|".join(LEVELS)}) ({WORD}\.{WORD})((?:{FIELD.pattern})*)')
ENTRY = re.compile(
    r'^\.TP\n\.B ([a-z-]+\.[a-z_-]+)\n\(([a-z, ]+)\) (.*)\.\n\.br\n'
    r'Keys: (.*)\.$', re.M)


def events():
    """name -> (levels, what it means, keys): the documented ones."""
    text = PAGE.read_text().replace('\\-', '-')
    found = {name: (levels.split(', '), words, keys.split(', '))
             for name, levels, words, keys in ENTRY.findall(text)}
    assert len(found) == text.count('\nKeys: ')
    return found


def unquote(value):
    if not value.startswith('"'):
        return value
    return re.sub(r'\\(x[0-9a-f]{2}|.)', lambda match: chr(
        int(match[1][1:], 16)) if len(match[1]) == 3 else match[1],
        value[1:-1])


def parse(line):
    """(level, event, {key: value}), or None for what is no line."""
    match = LINE.fullmatch(line)
    if not match:
        return None
    fields = [(key, unquote(value))
              for key, value in FIELD.findall(match[3])]
    if len(dict(fields)) != len(fields):
        return None
    return match[1], match[2], dict(fields)


def problem(line, known):
    """What is wrong with a line of the log; None: nothing."""
    parsed = parse(line)
    if not parsed:
        return 'not of the grammar'
    level, event, fields = parsed
    if event not in known:
        return f'{event} is not documented'
    levels, _, keys = known[event]
    if level not in levels:
        return f'{event} has the level {level}'
    unknown = set(fields) - set(keys) - {'cut'}
    return f'{event} has {unknown}' if unknown else None
