# SPDX-License-Identifier: Apache-2.0
"""What the guides quote is what the program says: replies, settings, metrics,
commands and events of the log."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()
sys.path.insert(0, str(SOURCE / 'tests/lib'))

import logline  # noqa: E402
from certificates import Authority  # noqa: E402

GUIDES = ('TROUBLESHOOTING.md', 'MICROSOFT365.md', 'MILTER.md', 'LOGGING.md')
QUOTE = re.compile(r'`([^`\n]+)`')
# Said by systems of others.
FOREIGN = ('5.7.51', '4.7.500', '5.4.1 Recipient', 'Service unavailable')
# What stands for something that varies.
VARIES = re.compile(r'NAME|\bN\b|\.\.\.|MESSAGE-ID')


def guide(name):
    return (SOURCE / 'docs' / name).read_text()


def literals():
    """Every string of the source, those that stand side by side joined."""
    text = ''
    for path in sorted((SOURCE / 'src').glob('*/*.c')):
        if not path.name.startswith(('test_', 'fuzz_')):
            text += path.read_text()
    text = re.sub(r'"\s*"', '', text)
    text = re.sub(r'%(?:\.\*s|llu|zu|s|d)', 'N', text)
    return text


def replies():
    for quote in QUOTE.findall(guide('TROUBLESHOOTING.md')):
        match = re.match(r'[245]\d\d (?:\d\.\d\.\d+ )?(.*)', quote)
        if match and not any(word in quote for word in FOREIGN):
            yield match[1]


def test_replies_are_the_programs():
    source = literals()
    checked = 0
    for reply in replies():
        for part in VARIES.split(reply):
            part = part.strip(' :')
            # Said by one function for what stands before the colon.
            for half in ('bare LF in a command', 'bare CR in a command'):
                part = part.removeprefix(half + ': ')
            # A setting in brackets is filled in at run time.
            part = re.sub(r'\(?limits\.[a-z_]+.*$', '', part).strip(' (')
            if len(part) < 6:
                continue
            checked += 1
            assert part in source, part
    assert checked > 12


@pytest.mark.parametrize('name', GUIDES + ('THREAT-MODEL.md',))
def test_limits_and_metrics_exist(name):
    text = guide(name)
    described = subprocess.run(
        [os.environ['GATEHOUSE'], 'config', 'describe'], check=True,
        capture_output=True, text=True).stdout
    fields = set(re.findall(r'^[a-z]\S*', described, re.M))
    for setting in re.findall(r'\blimits\.[a-z_]+', text):
        assert setting in fields, setting
    metrics = set(re.findall(
        r'gatehouse_\w+', (SOURCE / 'docs/METRICS.md').read_text()))
    for metric in re.findall(r'gatehouse_\w+', text):
        assert metric in metrics, metric


@pytest.mark.parametrize('name', GUIDES)
def test_commands_and_events_exist(name):
    text = guide(name)
    done = subprocess.run([os.environ['GATEHOUSE'], '--help'],
                          capture_output=True, text=True, check=True)
    commands = {word.split()[0] for word in
                re.findall(r'^  ([a-z]+)', done.stdout, re.M)}
    for command in re.findall(r'`gatehouse ([a-z]+)', text):
        assert command in commands, command
    known = logline.events()
    groups = {event.split('.')[0] for event in known} - \
        {'config', 'dns', 'store', 'auth', 'admin'}
    for quote in QUOTE.findall(text):
        event = quote.split()[0].rstrip(',')
        if re.fullmatch(r'[a-z-]+\.[a-z_]+', event) and \
                event.split('.')[0] in groups:
            assert event in known, event


def blocks():
    return re.findall(r'```yaml\n(.*?)```', guide('MICROSOFT365.md'), re.S)


@pytest.mark.parametrize('number', range(2))
def test_configurations_load(tmp_path, number):
    """With certificates where the guide has them."""
    assert len(blocks()) == 2
    pair = Authority(tmp_path / 'ca').issue('mx1.agency.example')
    config = {'hostname': 'mx1.agency.example',
              'organization': {'accepted_domains': ['agency.example']}}
    text = blocks()[number].replace('/etc/gatehouse/mx1.pem', pair[0]) \
        .replace('/etc/gatehouse/mx1.key', pair[1])
    config.update(yaml.safe_load(text))
    path = tmp_path / 'gatehouse.yaml'
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run([os.environ['GATEHOUSE'], 'config', 'check', '-c',
                           str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done


def installed():
    """Below the folder of the documents, what `make install` puts there."""
    build = pathlib.Path(os.environ['GATEHOUSE']).parents[2]
    done = subprocess.run(['meson', 'introspect', '--installed', str(build)],
                          check=True, capture_output=True, text=True)
    # Folders are one entry.
    found = set()
    for source, place in json.loads(done.stdout).items():
        _, _, below = place.partition('/share/doc/gatehouse/')
        if not below:
            continue
        source = pathlib.Path(source)
        found |= {f'{below}/{path.relative_to(source)}'
                  for path in source.rglob('*')} if source.is_dir() \
            else {below}
    return found


def test_what_the_readme_names_is_installed():
    there = installed()
    text = (SOURCE / 'README.md').read_text()
    named = set(re.findall(r'`((?:docs|contrib)/[\w.-]*)`', text))
    assert len(named) > 8
    for name in named:
        assert name.rstrip('/') in {path[:len(name.rstrip('/'))]
                                    for path in there}, name
    for path in (SOURCE / 'contrib').iterdir():
        assert f'contrib/{path.name}' in there
    assert set(re.findall(r'/usr/share/doc/gatehouse/([\w./-]+\w)',
                          text + guide('TROUBLESHOOTING.md'))) <= there


def test_links_lead_somewhere():
    for path in [SOURCE / 'README.md', *(SOURCE / 'docs').glob('*.md')]:
        for name in re.findall(r'`((?:docs/)?[A-Z][A-Z0-9-]+\.md)`',
                               path.read_text()):
            assert (SOURCE / name).exists() or \
                (SOURCE / 'docs' / name).exists(), (path, name)
