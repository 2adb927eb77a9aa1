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
FOREIGN = ('5.7.51', '5.7.68', '4.7.500', '5.4.1 Recipient', 'Service unavailable')
# What stands for something that varies.
VARIES = re.compile(r'NAME|\bN\b|\.\.\.|MESSAGE-ID')


def guide(name):
    return (SOURCE / 'docs' / name).read_text()


def literals():
    """Every string of the source, those that stand side by side joined."""
    text = ''
    for path in sorted((SOURCE / 'src').glob('*/*.c')):
        if not path.name.startswith(('test_', 'fuzz_', 'fake_')):
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


# An enhanced code, and the text that the same call gives it.
SAID = re.compile(r'"[45]\.\d+\.\d+"\)?,(?:\s|\w+\(|[\w>.-]+,)*?\s*'
                  r'"((?:[^"\\]|\\.)*)"')
# Given their code elsewhere.
CHOSEN = (
    'there is no From: field', 'there are several From: fields',
    'the header holds a NUL octet',
    'the header begins with a continuation line',
    'a field that some readers take for From:',
    'unauthenticated mail from ', 'is not accepted due to the DMARC policy of',
    'the sender is no address that all read alike',
    'the mail server takes the sender for one of its own',
    'the message cannot be changed', 'message too large', 'chunk too large',
    'an earlier chunk was refused: RSET', 'bare LF', 'bare CR',
    'the next hop is not available now:',
    'the next hop wants a login or TLS of us',
    'the next hop gave an unexpected reply',
    'too many connections from your network', 'syntax: ',
)


def test_every_reply_is_in_the_guide():
    """Whoever searches it for the words of a bounce finds what to do."""
    source = literals()
    guide_text = re.sub(r'\s+', ' ', guide('TROUBLESHOOTING.md'))
    texts = SAID.findall(source)
    assert len(texts) > 90
    for text in CHOSEN:
        assert text in source, text
    parts = {part.strip(' :(),')
             for text in (*texts, *CHOSEN)
             for part in re.split(r'\bN\b|\(limits[^)]*\)|\(id', text)}
    missing = sorted(part for part in parts
                     if len(part) > 5 and part not in guide_text)
    assert not missing, '\n'.join(missing)


def fields():
    """Of the configuration, without the brackets of lists."""
    described = subprocess.run(
        [os.environ['GATEHOUSE'], 'config', 'describe'], check=True,
        capture_output=True, text=True).stdout
    return set(re.findall(r'^[a-z]\S*', described.replace('[]', ''), re.M))


def pages():
    """(name, text) of each that quotes settings."""
    for path in [SOURCE / 'README.md', *sorted((SOURCE / 'docs').glob('*.md'))]:
        yield path.name, path.read_text()


@pytest.mark.parametrize('name', [name for name, _ in pages()])
def test_settings_and_metrics_exist(name):
    text = dict(pages())[name]
    known = fields() | set(logline.events())
    tops = {field for field in known if '.' not in field}
    for setting in re.findall(r'(?<![\w./-])[a-z_]+(?:\.[a-z_]+)+', text):
        if setting.split('.')[0] in tops and \
                not setting.endswith(('.c', '.h', '.example')):
            assert setting in known, setting
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


def loads(tmp_path, config):
    base = {'hostname': 'mx1.agency.example',
            'organization': {'accepted_domains': ['agency.example']},
            'listeners': [{'name': 'mx', 'address': '127.0.0.1:25',
                           'role': 'mx'}]}
    path = tmp_path / 'gatehouse.yaml'
    path.write_text(yaml.safe_dump({**base, **config}))
    done = subprocess.run([os.environ['GATEHOUSE'], 'config', 'check', '-c',
                           str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done


@pytest.mark.parametrize('name, count', [
    ('MICROSOFT365.md', 2), ('MILTER.md', 2)])
def test_configurations_load(tmp_path, name, count):
    """One on top of the other; with certificates where the guide has them."""
    pair = Authority(tmp_path / 'ca').issue('mx1.agency.example')
    blocks = re.findall(r'```yaml\n(.*?)```', guide(name), re.S)
    assert len(blocks) == count
    config = {}
    for block in blocks:
        text = block.replace('/etc/gatehouse/mx1.pem', pair[0]) \
            .replace('/etc/gatehouse/mx1.key', pair[1])
        config.update(yaml.safe_load(text))
        loads(tmp_path, config)


def test_no_other_page_has_a_configuration():
    assert {name for name, text in pages() if '```yaml' in text} == \
        {'MICROSOFT365.md', 'MILTER.md'}


def test_next_hops_load(tmp_path):
    table = guide('CONFIGURATION.md').split('| `next_hop` |')[1].split('\n\n')[0]
    hops = re.findall(r'^\| `([^`]+)` \|', table, re.M)
    assert len(hops) > 6
    loads(tmp_path, {'routes': [
        {'domains': [f'{number}.example'], 'next_hop': yaml.safe_load(hop)}
        for number, hop in enumerate(hops)]})


def quoted_settings():
    """`log.trace: [smtp]`, `admin: {...}`: what may stand in a file so."""
    tops = {field for field in fields() if '.' not in field}
    for name, text in pages():
        for setting, value in re.findall(r'`([a-z_.]+): ([^`\n]+)`', text):
            if setting.split('.')[0] in tops and \
                    ('.' in setting or value[0] == '{'):
                yield name, setting, value


def test_quoted_settings_load(tmp_path):
    found = set(quoted_settings())
    assert len(found) > 8
    for _, setting, value in found:
        config = yaml.safe_load(value)
        for word in reversed(setting.split('.')):
            config = {word: config}
        loads(tmp_path, config)


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
