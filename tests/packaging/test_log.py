# SPDX-License-Identifier: Apache-2.0
"""gatehouse-log(5) has every event that the source writes, with its keys and
levels, and no other; docs/LOGGING.md has the same table (run this with
GATEHOUSE_WRITE_DOCS=1 to write it again).  The end-to-end tests hold every
line that they see against the page."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()
sys.path.insert(0, str(SOURCE / 'tests/lib'))

import logline  # noqa: E402

DOCUMENT = SOURCE / 'docs/LOGGING.md'
CALL = re.compile(r'\blog_(error|warning|notice|info|event|trace)\s*\(')
EVENT = re.compile(r'"([a-z-]+\.[a-z_-]+)"')
KEY = re.compile(r'LOG_[STI]\(\s*"(\w+)"')
# The log's own, which is not written with the others' calls.
OWN = 'base/log.c', 'warning', 'log.dropped', {'lines'}
ON_EVERY_TRACE = {'client', 'port'}
# Called with the event's name by a function of theirs.
PASSED_ON = {
    ('cli/trace_rules.c', 'notice'): ['trace.begun', 'trace.ended'],
}


def arguments(text, at):
    """The text between the bracket before `at` and its partner."""
    depth, end = 1, at
    while depth:
        depth += {'(': 1, ')': -1}.get(text[end], 0)
        end += 1
    return text[at:end - 1]


def calls():
    """(file, level, event, keys) of each call."""
    yield OWN
    for path in sorted((SOURCE / 'src').glob('*/*.c')):
        name = str(path.relative_to(SOURCE / 'src'))
        if path.name.startswith(('test_', 'fuzz_', 'fake_', 'bench_')) or \
                name == OWN[0]:
            continue
        text = path.read_text()
        for match in CALL.finditer(text):
            inside = arguments(text, match.end())
            keys = set(KEY.findall(inside))
            if 'LOG_ERR(' in inside:
                keys |= {'kind', 'error'}
            level = {'trace': 'debug'}.get(match[1], match[1])
            events = EVENT.findall(inside)[:1] or \
                PASSED_ON[name, match[1]]
            for event in events:
                yield name, level, event, keys


def written():
    """event -> (levels, keys)"""
    found = {}
    for _, level, event, keys in calls():
        levels, all_keys = found.setdefault(event, (set(), set()))
        levels.add(level)
        all_keys |= keys
    assert len(found) > 40
    return found


def test_every_event_is_documented():
    assert set(written()) == set(logline.events())


@pytest.mark.parametrize('event', sorted(written()))
def test_levels_and_keys(event):
    levels, keys = written()[event]
    documented_levels, _, documented = logline.events()[event]
    # Chosen at run time.
    if 'event' in levels:
        levels = set(documented_levels)
    assert levels == set(documented_levels)
    if 'debug' in levels:
        keys |= ON_EVERY_TRACE & set(documented)
    assert keys == set(documented)


def table():
    rows = ['| event | level | when | keys |', '|---|---|---|---|']
    rows += [f'| `{name}` | {", ".join(levels)} | {words} | `{" ".join(keys)}` |'
             for name, (levels, words, keys) in logline.events().items()]
    return '\n'.join(rows)


def test_the_document_has_the_same():
    text = DOCUMENT.read_text()
    begin = text.index('| event |')
    end = text.index('\n\n', begin)
    if os.environ.get('GATEHOUSE_WRITE_DOCS'):
        DOCUMENT.write_text(text[:begin] + table() + text[end:])
    else:
        assert text[begin:end] == table()


TIME = '2027-01-31T10:00:00.123Z '


@pytest.mark.parametrize('line, fields', [
    ('info smtp.refused id=4Xb code=550 reply="a \\"b\\" \\\\ \\x0a ü"',
     {'id': '4Xb', 'code': '550', 'reply': 'a "b" \\ \n ü'}),
    ('debug smtp.reply text=""', {'text': ''}),
    ('info smtp.refused id=a=b', None),
    ('info smtp.refused id=a"b', None),
    ('info smtp.refused id="a', None),
    ('info smtp.refused id=a  code=1', None),
    ('info smtp.refused id=a id=b', None),
    ('info smtp.refused Id=a', None),
    ('loud smtp.refused id=a', None),
    ('info refused id=a', None),
    ('info smtp.refused id="a\\q"', None),
    ('info smtp.refused id=a\x7f', None),
])
def test_grammar(line, fields):
    parsed = logline.parse(TIME + line)
    assert (parsed and parsed[2]) == fields


@pytest.mark.parametrize('line, words', [
    ('info smtp.refused id=a', None),
    ('info smtp.unheard id=a', 'documented'),
    ('error smtp.refused id=a', 'level'),
    ('info smtp.refused colour=a', 'colour'),
])
def test_the_check_finds(line, words):
    found = logline.problem(TIME + line, logline.events())
    assert found is None if words is None else words in found


@pytest.mark.parametrize('page', sorted(
    path.name for path in (SOURCE / 'man').iterdir()))
def test_pages_by_hand_render(page):
    renders(SOURCE / 'man' / page)


def test_pages_of_the_program_render(tmp_path):
    subprocess.run([os.environ['GATEHOUSE'], 'manual', str(tmp_path)],
                   check=True)
    pages = sorted(tmp_path.iterdir())
    assert len(pages) > 8
    for page in pages:
        renders(page)


def renders(page):
    """Without a word from groff or mandoc.  There is no date: the same source
    makes the same page on any day."""
    for command in (['groff', '-man', '-ww', '-z', '-Tutf8'],
                    ['mandoc', '-T', 'lint', '-W', 'warning']):
        assert shutil.which(command[0]), command
        done = subprocess.run([*command, str(page)], capture_output=True,
                              text=True)
        lines = [line for line in (done.stdout + done.stderr).split('\n')
                 if line and 'missing date' not in line]
        assert not lines, lines
