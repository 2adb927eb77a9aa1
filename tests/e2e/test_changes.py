# SPDX-License-Identifier: Apache-2.0
"""Recipients added and removed, bodies replaced: what Postfix, Sendmail and
libmilter's own peer make of our answers.  The milter is ours, its verdict
stands in the message (tests/lib/fakemilter.py)."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import sendmail
from fakemilter import FakeMilter
from mail import message
from net import Smtp, free_port
from pair import Pair, make_postfix
from sendmail import Sendmail

BUILD = pathlib.Path(os.environ.get(
    'GATEHOUSE_BINARY', 'build/src/cli/gatehouse')).resolve().parents[2]
USER, OTHER = 'user@agency.example', 'other@agency.example'
LINE = 'x' * 76


@pytest.fixture
def milter():
    with FakeMilter(BUILD) as made:
        yield made


def asks(*fields, body='The old body.'):
    return message(fields=''.join(f'{one}\n' for one in fields), body=body)


def body_of(octets):
    return octets.split(b'\r\n\r\n', 1)[1]


# What is asked for, and who gets it with which body; None: the old one.
CHANGES = [
    ('add', [USER], [f'X-Add: {OTHER}'], {USER, OTHER}, None),
    ('add without reports', [USER], [f'X-Add: {OTHER} NOTIFY=NEVER'],
     {USER, OTHER}, None),
    ('remove', [USER, OTHER], [f'X-Remove: {USER}'], {OTHER}, None),
    ('redirect', [USER], [f'X-Remove: {USER}', f'X-Add: {OTHER}'], {OTHER},
     None),
    # Said twice, and one of the two is to go: the MTA takes both for one.
    ('one of two', [USER, USER], ['X-Remove: 0'], {USER}, None),
    ('the other of two', [USER, OTHER, USER], ['X-Remove: 2'], {USER, OTHER},
     None),
    ('both of two', [USER, USER, OTHER], [f'X-Remove: {USER}'], {OTHER}, None),
    ('comes back', [USER], [f'X-Remove: {USER}', f'X-Add: {USER}'], {USER},
     None),
    ('without reports', [USER],
     [f'X-Remove: {USER}', f'X-Add: {USER} NOTIFY=NEVER'], {USER}, None),
    ('body', [USER], ['X-Body: 2 new line'], {USER}, b'new line\r\n' * 2),
    ('empty body', [USER], ['X-Body: 0 x'], {USER}, b''),
    ('dots', [USER], ['X-Body: 3 .'], {USER}, b'.\r\n' * 3),
    ('pieces', [USER], [f'X-Body: 30000 {LINE}'], {USER},
     (LINE.encode() + b'\r\n') * 30000),
    ('all at once', [USER],
     ['X-Edit: yes', f'X-Remove: {USER}', f'X-Add: {OTHER}',
      'X-Body: 1 new line'], {OTHER}, b'new line\r\n'),
]


@pytest.fixture
def make_mta(folder, milter):
    made = []

    def make(more):
        mta = make_postfix(
            folder / 'mta', f'inet:127.0.0.1:{milter.port}', more).start()
        made.append(mta)
        return Pair(None, mta)

    yield make
    for mta in made:
        mta.stop()


def check(octets, asked, body):
    assert body_of(octets) == (
        b'The old body.\r\n' if body is None else body)
    edited = any(one.startswith('X-Edit') for one in asked)
    assert (b'\nX-Low: 1' in octets) == edited, octets[:2000]
    assert (b'\nX-Edit:' in octets) is False


@pytest.mark.parametrize('version', [2, 6])
def test_postfix(make_mta, version):
    """One after the other over one connection: nothing stays behind."""
    pair = make_mta(f'milter_protocol = {version}\n')
    boxes = {USER: [], OTHER: []}
    with pair.client() as smtp:
        for name, to, asked, gets, body in CHANGES:
            reply = smtp.mail('news@shop.example', to, asks(*asked))
            assert reply.startswith('250'), (name, reply)
            for who in gets:
                box = pair.arrived(who.split('@')[0], seconds=20,
                                   wanted=len(boxes[who]) + 1)
                new = [one for one in box if one not in boxes[who]]
                assert len(new) == 1, (name, who, len(new))
                check(new[0], asked, body)
                boxes[who] = box
    for who, box in boxes.items():
        assert len(pair.arrived(who.split('@')[0], wanted=len(box))) == \
            len(box)


@pytest.fixture
def safe():
    """Sendmail uses no file below a folder that everybody may write to."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='gatehouse-e2e-', dir='/run'))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_sendmail(milter, safe, make_hop):
    try:
        root = sendmail.unpack(BUILD)
    except sendmail.Missing as reason:
        pytest.skip(f'no Sendmail: {reason}')
    hop = make_hop()
    mta = Sendmail(root, safe / 'mta', free_port(), hop.port,
                   f'inet:{milter.port}@127.0.0.1').start()
    try:
        with Smtp(mta.port, helo='mail.shop.example') as smtp:
            for name, to, asked, gets, body in CHANGES:
                before = len(hop.messages)
                reply = smtp.mail('news@shop.example', to, asks(*asked))
                assert reply.startswith('250'), (name, reply, milter.log())
                taken = hop.messages[before:]
                assert {who for one in taken for who in one.recipients} == \
                    gets, (name, taken)
                for one in taken:
                    check(one.octets, asked, body)
    finally:
        mta.stop()


# Whatever its manual says, mt.negotiate() takes steps before actions.
MILTERTEST = r'''
conn = mt.connect("inet:PORT@127.0.0.1")
assert(conn ~= nil, "connect")
assert(mt.negotiate(conn, 6, 0x1fffff, 0x1ff) == nil, "negotiate")
for _, action in ipairs({SMFIF_ADDRCPT, SMFIF_DELRCPT, SMFIF_CHGBODY,
                         SMFIF_ADDRCPT_PAR}) do
    assert(mt.test_action(conn, action), "action")
end
assert(mt.conninfo(conn, "mail.shop.example", "192.0.2.10") == nil)
assert(mt.helo(conn, "mail.shop.example") == nil)

function message(name, value, body, answer)
    assert(mt.mailfrom(conn, "<news@shop.example>") == nil)
    assert(mt.rcptto(conn, "<user@agency.example>") == nil)
    assert(mt.rcptto(conn, "<second@agency.example>") == nil)
    assert(mt.header(conn, name, value) == nil)
    assert(mt.eoh(conn) == nil)
    assert(mt.bodystring(conn, body) == nil)
    assert(mt.eom(conn) == nil, "end of message")
    assert(mt.getreply(conn) == (answer or SMFIR_CONTINUE), "answer")
end

message("X-Add", "new@agency.example", "old\r\n")
assert(mt.eom_check(conn, MT_RCPTADD, "<new@agency.example>"), "added")
assert(not mt.eom_check(conn, MT_RCPTDELETE, "<user@agency.example>"))
assert(not mt.eom_check(conn, MT_BODYCHANGE), "body as it was")
message("X-Remove", "user@agency.example", "old\r\n")
assert(mt.eom_check(conn, MT_RCPTDELETE, "<user@agency.example>"), "removed")
assert(not mt.eom_check(conn, MT_RCPTADD, "<new@agency.example>"))
message("X-Body", "2 new", "old\r\n")
assert(mt.eom_check(conn, MT_BODYCHANGE, "new\r\nnew\r\n"), "new body")
message("X-Body", "2 new", "new\r\nnew\r\n")
assert(not mt.eom_check(conn, MT_BODYCHANGE), "the same is not sent")
mt.disconnect(conn)

-- One that does not allow all: the client keeps what it cannot do.
conn = mt.connect("inet:PORT@127.0.0.1")
assert(mt.negotiate(conn, 6, 0x1fffff, 0x35) == nil, "negotiate")
assert(mt.conninfo(conn, "mail.shop.example", "192.0.2.10") == nil)
assert(mt.helo(conn, "mail.shop.example") == nil)
message("X-Remove", "user@agency.example", "old\r\n", SMFIR_REPLYCODE)
message("X-Body", "2 new", "old\r\n", SMFIR_REPLYCODE)
message("X-Add", "a@b.example NOTIFY=NEVER", "old\r\n", SMFIR_REPLYCODE)
message("X-Add", "new@agency.example", "old\r\n")
assert(mt.eom_check(conn, MT_RCPTADD, "<new@agency.example>"), "added")
mt.disconnect(conn)
mt.echo("well")
'''


def test_libmilters_own_peer(milter, folder):
    assert shutil.which('miltertest'), 'apt-get install miltertest'
    script = folder / 'script'
    script.write_text(MILTERTEST.replace('PORT', str(milter.port)))
    done = subprocess.run(['miltertest', '-s', script], capture_output=True,
                          text=True, timeout=60)
    assert 'well' in done.stdout, (done, milter.log())
    assert milter.log().count('milter.not_allowed') == 3, milter.log()
