# SPDX-License-Identifier: Apache-2.0
"""Public messages with what other parsers make of them, beside ours.

mail-parser-rfc: parts, types, names, decoded content; mime4j-mimetools: the
order of fields, preambles, bodies and epilogues; python-email (and the others
again): types, compared with Python's own parser.  Each message with LF and
with CR LF.  Where ours differs on purpose, DEVIATIONS says why; a deviation
that is listed and does not occur is a failure too.

Needs MIME_TREE (the program) and GATEHOUSE_TESTDATA in the environment, as
`meson test` sets them.
"""
import base64
import email
import html
import json
import os
import pathlib
import re
import subprocess

import pytest

PROGRAM = os.environ.get('MIME_TREE', 'build/tests/suites/mime_tree')
FOLDER = pathlib.Path(os.environ.get('GATEHOUSE_TESTDATA', '')) / 'mime'
RFC = sorted((FOLDER / 'mail-parser-rfc').glob('*.eml'))
MIME4J = sorted((FOLDER / 'mime4j-mimetools').glob('*.msg'))
PYTHON = sorted((FOLDER / 'python-email').glob('*.txt'))
FIELDS = json.loads(
    (FOLDER / 'mail-parser-json/content_type.json').read_text('utf-8'))
WORDS = json.loads(
    (FOLDER / 'mail-parser-json/unstructured.json').read_text('utf-8'))

# What is found: 10, 48, 47 messages; 103 and 30 values.
COUNTS = (10, 48, 47, 103, 30)

ENCODED_MESSAGE = 'an encoded message/rfc822 stays a leaf, with a fault'
AT_END = 'the line end after the last boundary is no epilogue'
REPORT_BLOCKS = 'Python makes a part of each block of a delivery status'
EXTERNAL = 'message/external-body is a leaf: its content is elsewhere'
EMPTY = 'two boundaries in a row are an empty part (RFC 2046, 5.1.1), not one'
FOLDED = 'Python does not unfold the quoted boundary and finds no part'
REUSED = 'a boundary used again inside: the inner has it till it is closed'
TYPE_ALONE = 'a type that is no token is empty, and a fault'
SUBTYPE = '"text/plain/format" is text/plain, and a fault'
FOLDING = 'white space of folding is kept (RFC 5322, 2.2.3)'
NO_BLANK = 'no blank is put beside an encoded word'

DEVIATIONS = {
    'mail-parser 000.eml':
        'what is not base64 is skipped, with a fault; there: left undecoded',
    'mail-parser 008.eml': ENCODED_MESSAGE,
    'mime4j attachment-filename-encoding-Latin1.msg': AT_END,
    'mime4j attachment-filename-encoding-UTF8.msg': AT_END,
    'mime4j badbound.msg': 'a multipart without its boundary is a leaf',
    'mime4j empty-preamble.msg': AT_END,
    'mime4j multi-2gifs-base64.msg': ENCODED_MESSAGE,
    'mime4j ticket-60931.msg': AT_END,
    'mime4j twopart.msg': AT_END,
    'python msg_15.txt': REUSED,
    'python msg_16.txt': REPORT_BLOCKS,
    'python msg_36.txt': EXTERNAL,
    'python msg_37.txt': EMPTY,
    'python msg_39.txt': REUSED,
    'python msg_43.txt': REPORT_BLOCKS,
    'python 001.eml': EXTERNAL,
    'python 008.eml': ENCODED_MESSAGE,
    'python 2002_06_12_doublebound.msg': EMPTY,
    'python double-bound.msg': EMPTY,
    'python multi-2gifs-base64.msg': ENCODED_MESSAGE,
    'python multi-badnames.msg': FOLDED,
    'python multi-clen.msg': FOLDED,
    'python multi-digest.msg': FOLDED,
    'python multi-simple.msg': FOLDED,
    'field 31': 'a charset in a later section is content (RFC 2231, 4.1)',
    'field 34': 'no blank between encoded words (RFC 2047, 6.2)',
    'field 47': TYPE_ALONE,
    'field 48': TYPE_ALONE,
    'field 58': TYPE_ALONE,
    'field 59': 'sections end at the first gap; NUL becomes U+FFFD',
    'field 61': 'names with stars in odd places are no sections',
    'field 76': SUBTYPE,
    'field 77': SUBTYPE,
    'field 78': SUBTYPE,
    'words 2': FOLDING,
    'words 3': FOLDING,
    'words 4': FOLDING,
    'words 19': FOLDING,
    'words 21': NO_BLANK,
    'words 22': NO_BLANK,
    'words 24': FOLDING,
    'words 25': FOLDING,
    'words 26': FOLDING,
    'words 27': NO_BLANK,
    'words 28': NO_BLANK,
}


SEEN = set()


def ours(mode, path):
    done = subprocess.run([PROGRAM, mode, str(path)], capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b''
    return json.loads(done.stdout)


def octets(text):
    return base64.b64decode(text)


def with_ends(path, ends, tmp_path):
    """A copy of the file with all line ends the same."""
    content = path.read_bytes().replace(b'\r\n', b'\n')
    if ends == 'crlf':
        content = content.replace(b'\n', b'\r\n')
    copy = tmp_path / path.name
    copy.write_bytes(content)
    return copy


def judge(case, found, expected):
    """Equal, or listed as different."""
    reason = DEVIATIONS.get(case)
    if reason is None:
        assert found == expected
        return
    assert found != expected, f'{case} deviates no more: {reason}'
    SEEN.add(case)


def test_the_files_are_there():
    found = tuple(map(len, (RFC, MIME4J, PYTHON, FIELDS, WORDS)))
    assert found == COUNTS


# mail-parser

def mail_parser_name(part):
    found = {}
    for field in part['headers']:
        value = field['value']
        if isinstance(value, dict) and 'ContentType' in value:
            for attribute in value['ContentType']['attributes'] or []:
                found[field['name'], attribute['name']] = attribute['value']
    return found.get(('content_disposition', 'filename'),
                     found.get(('content_type', 'name'), ''))


def mail_parser_type(part):
    for field in part['headers']:
        if field['name'] == 'content_type':
            value = field['value']['ContentType']
            return f'{value["c_type"]}/{value["c_subtype"]}'.lower()
    return None


def mail_parser_parts(message):
    """In the order of the message: (type or None, name, kind, content)."""
    parts = []
    for part in message['parts']:
        (kind, content), = part['body'].items()
        inner = []
        if kind == 'Message':
            inner = mail_parser_parts(content)
            content = None
        elif kind == 'Multipart':
            content = None
        elif kind in ('Binary', 'InlineBinary'):
            content = bytes(content)
        parts.append((mail_parser_type(part), mail_parser_name(part),
                      content))
        parts += inner
    return parts


def our_parts(tree, expected):
    """The same; a type that is the default is left out as there."""
    parts = []
    for number, part in enumerate(tree['parts']):
        default = not any(octets(field).lower().startswith(b'content-type')
                          for field in part['fields'])
        content = None
        if part['kind'] == 'leaf':
            content = octets(part['octets'])
            if number < len(expected) and \
                    isinstance(expected[number][2], str):
                content = part['text']
        parts.append((None if default else part['type'], part['name'],
                      content))
    return parts


@pytest.mark.parametrize('ends', ['lf', 'crlf'])
@pytest.mark.parametrize('path', RFC, ids=lambda path: path.name)
def test_mail_parser(path, ends, tmp_path):
    suffix = '.crlf.json' if ends == 'crlf' else '.json'
    expected = mail_parser_parts(
        json.loads(path.with_suffix(suffix).read_text('utf-8')))
    tree = ours('tree', with_ends(path, ends, tmp_path))
    judge(f'mail-parser {path.name}', our_parts(tree, expected),
          expected)


# mime4j

TOKEN = re.compile(r'<(/?)(message|header|field|body|multipart|preamble|'
                   r'epilogue|body-part)>(?:\r?\n)?')


def mime4j_events(path):
    """(tag, text) of every field, body, preamble and epilogue, and a (tag,
    None) for the others."""
    text = path.with_suffix('.xml').read_bytes().decode('utf-8', 'replace')
    text = text.replace('\r', '')
    events, begin = [], None
    for token in TOKEN.finditer(text):
        close, tag = token.groups()
        if tag in ('field', 'body', 'preamble', 'epilogue'):
            if close:
                events.append((tag, html.unescape(text[begin:token.start()])))
            begin = token.end()
        elif tag != 'header':
            events.append((close + tag, None))
    # An empty preamble is none: as ranges the two are the same.
    return [event for event in events if event != ('preamble', '')]


def our_events(tree):
    events = []
    parts = tree['parts']
    children = {}
    for number, part in enumerate(parts[1:], 1):
        children.setdefault(part['parent'], []).append(number)

    def text(value):
        return octets(value).decode('utf-8', 'replace').replace('\r', '')

    def entity(number, tag):
        part = parts[number]
        events.append((tag, None))
        for field in part['fields']:
            events.append(('field', re.sub(r'\n\Z', '', text(field))))
        if part['kind'] == 'multipart':
            events.append(('multipart', None))
            if part['preamble']:
                events.append(('preamble', text(part['preamble'])))
            for child in children.get(number, []):
                entity(child, 'body-part')
            if part['epilogue']:
                events.append(('epilogue', text(part['epilogue'])))
            events.append(('/multipart', None))
        elif part['kind'] == 'message':
            entity(children[number][0], 'message')
        else:
            events.append(('body', text(part['body'])))
        events.append(('/' + tag, None))

    entity(0, 'message')
    return events


@pytest.mark.parametrize('ends', ['lf', 'crlf'])
@pytest.mark.parametrize('path', MIME4J, ids=lambda path: path.name)
def test_mime4j(path, ends, tmp_path):
    tree = ours('tree', with_ends(path, ends, tmp_path))
    judge(f'mime4j {path.name}', our_events(tree), mime4j_events(path))


# Python

@pytest.mark.parametrize('ends', ['lf', 'crlf'])
@pytest.mark.parametrize('path', PYTHON + RFC + MIME4J,
                         ids=lambda path: path.name)
def test_python(path, ends, tmp_path):
    copy = with_ends(path, ends, tmp_path)
    tree = ours('tree', copy)
    message = email.message_from_bytes(copy.read_bytes())
    expected = [part.get_content_type() for part in message.walk()]
    judge(f'python {path.name}', [part['type'] for part in tree['parts']],
          expected)


# Values of fields

@pytest.mark.parametrize('number', range(len(FIELDS)))
def test_field(number, tmp_path):
    case = FIELDS[number]
    expected = None
    if case['expected']:
        kind, subtype = case['expected']['c_type'], \
            case['expected']['c_subtype']
        expected = (f'{kind}/{subtype}' if subtype else kind,
                    {name: value for name, value
                     in case['expected'].get('attributes') or []
                     if not name.endswith('-language')})
    copy = tmp_path / 'value'
    copy.write_bytes(case['header'].encode('utf-8'))
    value = ours('field', copy)
    # "text/" is "text" without a subtype there.
    found = (re.sub(r'(?<=.)/\Z', '', value['word']), {name: text for name, text
                             in value['parameters'].items() if text})
    if value['word'] in ('', '/') or value['word'].startswith('/'):
        found = None
    judge(f'field {number}', found, expected)


@pytest.mark.parametrize('number', range(len(WORDS)))
def test_words(number, tmp_path):
    case = WORDS[number]
    copy = tmp_path / 'value'
    # Only the first field of the sample.
    first = re.split(r'\r?\n(?![ \t])', case['header'])[0]
    copy.write_bytes(first.encode('utf-8'))
    judge(f'words {number}', ours('words', copy)['text'], case['expected'])


def test_deviations(capsys, request):
    """Each is met, when all tests run."""
    with capsys.disabled():
        for case in sorted(SEEN):
            print(f'\ndeviates: {case}: {DEVIATIONS[case]}', end='')
        print(f'\n{len(SEEN)} cases deviate, as listed')
    if not request.config.option.keyword:
        assert SEEN == set(DEVIATIONS)
