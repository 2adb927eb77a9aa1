# SPDX-License-Identifier: Apache-2.0
"""SMTP smuggling: line ends that servers disagree about end the session.

Each attempt hides a second message behind something that looks like the end
of the first.  The table is made, not written: every line end before and behind
every kind of dot, in every way that content can come.  An oracle says what
RFC 5321 makes of the octets.  Either the session is refused and closed, or
the next hop has exactly what the oracle says; and what comes to the next hop
never has a line end that it could read in two ways.  SMUGGLING_LONG=1 walks
the whole table for slow ways too.
"""
import concurrent.futures
import itertools
import os
import re
import time

import pytest

from certificates import Authority
from gatehouse import Gatehouse, listener
from hop import Hop
from mail import message, message_id
from net import wait_until
from world import ZONE

LINE_ENDS = [b'\r\n', b'\n', b'\r', b'', b'\0', b'\0\r\n', b'\r\0\n',
             b'\r\n\0', b'\r\r\n', b'\n\r', b'\n\n', b'\r\r', b'\r\n\r\n']
LONG = os.environ.get('SMUGGLING_LONG') == '1'
DOTS = [b'.', b'..', b'.\0'] if LONG else [b'.', b'..']
# Of the ways that cost a handshake or a pause.
FEW = LINE_ENDS if LONG else LINE_ENDS[:6]
BARE = re.compile(rb'\r(?!\n)|(?<!\r)\n')
CLIENTS = 6
START = (b'MAIL FROM:<news@shop.example>\r\n'
         b'RCPT TO:<user@agency.example>\r\n')


class Attempt:
    """What is sent as content, and what must come of it."""

    def __init__(self, before, dot, after):
        self.title = before, dot, after
        outer, hidden = message(), message(subject='hidden')
        self.seam = len(outer) - 2
        self.end = before + dot + after
        self.commands = START + b'DATA\r\n' + hidden + b'.\r\n'
        self.octets = outer[:-2] + self.end + self.commands
        self.outer, self.hidden = message_id(outer), message_id(hidden)
        self.hidden_content = hidden

    def meant(self, chunks=False):
        """(refused, {message id: content}): RFC 5321, 4.1.1.4 and 4.5.2;
        RFC 3030 for chunks, of which nothing ends the content."""
        if chunks:
            if BARE.search(self.octets):
                return True, {}
            return False, {self.outer: self.octets}
        end = (b'\r\n' + self.octets).index(b'\r\n.\r\n')
        content, rest = self.octets[:end], self.octets[end + 3:]
        if BARE.search(content):
            return True, {}
        messages = {self.outer: re.sub(rb'(^|\r\n)\.', rb'\1', content)}
        # The client's own commands behind a true end are commands.
        junk = rest.removesuffix(self.commands)
        if BARE.search(junk):
            return True, messages
        if rest.endswith(self.commands) and \
                (junk == b'' or junk.endswith(b'\r\n')):
            messages[self.hidden] = self.hidden_content
        return False, messages


class Way:
    """How content comes."""

    chunks = False
    tls = False

    def send(self, client, attempt):
        client.send(START + b'DATA\r\n')
        for _ in range(3):
            client.reply()
        client.send(attempt.octets)


class Pipelined(Way):
    """Everything in one segment, without waiting for 354."""

    def send(self, client, attempt):
        client.send(START + b'DATA\r\n' + attempt.octets)


class AfterStartTls(Pipelined):
    tls = True


class Chunk(Way):
    chunks = True

    def send(self, client, attempt):
        client.send(START + b'BDAT %d LAST\r\n' % len(attempt.octets) +
                    attempt.octets)


class TwoChunks(Chunk):
    """Cut inside the false end."""

    def send(self, client, attempt):
        cut = attempt.seam + len(attempt.end) // 2
        first, second = attempt.octets[:cut], attempt.octets[cut:]
        client.send(START + b'BDAT %d\r\n' % len(first) + first +
                    b'BDAT %d LAST\r\n' % len(second) + second)


class Cut(Way):
    """In two segments; the server has the first before the second comes."""

    def __init__(self, way, at):
        self.chunks = way.chunks
        self.at = at

    def send(self, client, attempt):
        start = START + (b'BDAT %d LAST\r\n' % len(attempt.octets)
                         if self.chunks else b'DATA\r\n')
        cut = attempt.seam + self.at
        client.send(start + attempt.octets[:cut])
        time.sleep(0.003)
        client.send(attempt.octets[cut:])


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """(Gatehouse, next hop)"""
    authority = Authority(tmp_path_factory.mktemp('ca'))
    certificate, key = authority.issue('mx1.agency.example')
    with Hop() as hop:
        gate = Gatehouse(
            tmp_path_factory.mktemp('gate'), zone=ZONE, route=hop.route,
            listeners=[listener(tls={'certificate': certificate,
                                     'key': key})]).start()
        yield gate, hop
        gate.stop()


def replies_to(gate, attempt, way):
    """All of them until the connection ends."""
    with gate.client() as client:
        if way.tls:
            client.starttls()
        replies = []
        try:
            way.send(client, attempt)
            client.send(b'QUIT\r\n')
        except OSError:
            pass    # closed already: its replies are there
        while reply := client.reply():
            replies.append(reply)
        return replies


def fault_of(world, attempt, way):
    """What is wrong with what became of it; None: nothing."""
    gate, hop = world
    refused, expected = attempt.meant(way.chunks)
    replies = replies_to(gate, attempt, way)
    taken = [one for one in list(hop.messages)
             if message_id(one.octets) in (attempt.outer, attempt.hidden)]
    if refused and not replies[-1].startswith('550 5.5.2'):
        return f'not refused: {replies}'
    if not refused and not replies[-1].startswith('221'):
        return f'refused: {replies}'
    if sorted(expected) != sorted(message_id(one.octets) for one in taken):
        return f'{len(taken)} messages, not {len(expected)}: {replies}'
    for one in taken:
        content = expected[message_id(one.octets)]
        if not one.octets.endswith(content):
            return f'another content: {one.octets}'
        if BARE.search(one.octets):
            return f'a bare line end went on: {one.octets}'
    return None


def check(world, trials):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        faults = pool.map(lambda trial: fault_of(world, *trial), trials)
        wrong = [f'{attempt.title} {type(way).__name__}: {fault}'
                 for (attempt, way), fault in zip(trials, faults) if fault]
    assert not wrong, f'{len(wrong)} of {len(trials)}:\n' + \
        '\n'.join(wrong[:20])


@pytest.mark.parametrize(
    'way', [Way(), Pipelined(), AfterStartTls(), Chunk(), TwoChunks()],
    ids=lambda way: type(way).__name__)
def test_every_end(world, way):
    ends = FEW if way.tls else LINE_ENDS
    check(world, [(Attempt(before, dot, after), way) for before, dot, after
                  in itertools.product(ends, DOTS, ends)])


@pytest.mark.parametrize('way', [Way(), Chunk()],
                         ids=lambda way: type(way).__name__)
def test_every_end_cut_everywhere(world, way):
    """The same in two segments, cut at each octet around the false end."""
    trials = []
    for before, after in itertools.product(FEW, FEW):
        for at in range(len(before) + len(after) + 2):
            trials.append((Attempt(before, b'.', after), Cut(way, at)))
    check(world, trials)


@pytest.mark.parametrize('end', LINE_ENDS, ids=repr)
@pytest.mark.parametrize('where', ['header', 'between fields and body',
                                   'in a line'])
def test_line_ends_elsewhere(world, where, end):
    """In the header and inside a line."""
    gate, hop = world
    taken = len(hop.messages)
    octets = message()
    at = {'header': octets.index(b'\r\nTo:'),
          'between fields and body': octets.index(b'\r\n\r\n'),
          'in a line': len(octets) - 4}[where]
    octets = octets[:at] + end + octets[at:]
    with gate.client() as client:
        client.send(START + b'DATA\r\n' + octets + b'.\r\n')
        replies = [client.reply() for _ in range(4)]
        if BARE.search(octets):
            assert replies[-1].startswith('550 5.5.2'), replies
            assert client.is_closed()
            assert len(hop.messages) == taken
        elif replies[-1].startswith('250'):
            assert not BARE.search(hop.messages[-1].octets)
        else:
            # Not a line end, but nothing that a header may hold.
            assert replies[-1].startswith('550 5.7.1'), replies
            assert len(hop.messages) == taken


@pytest.mark.parametrize('end', LINE_ENDS, ids=repr)
def test_line_ends_of_commands(world, end):
    gate, _ = world
    line = b'NOOP' + end + b'NOOP\r\n'
    with gate.client() as client:
        client.send(line)
        reply = client.reply()
        if BARE.search(line.removesuffix(b'NOOP\r\n')):
            while reply.startswith('250'):
                reply = client.reply()
            assert reply.startswith('550 5.5.2')
            assert client.is_closed()
        else:
            assert reply[:3] in ('250', '500', '501'), reply


def test_split_over_packets(world):
    """A message whose octets come one at a time."""
    gate, hop = world
    sent = message(body='.\n.x\nend')
    with gate.client() as client:
        client.send(START + b'DATA\r\n')
        for _ in range(3):
            client.reply()
        octets = sent.replace(b'\r\n.', b'\r\n..') + b'.\r\n'
        for start in range(len(octets)):
            client.send(octets[start:start + 1])
        assert client.reply()[:3] == '250'
    wait_until(lambda: message_id(hop.messages[-1].octets) ==
               message_id(sent), 5, 'the message')
    assert hop.messages[-1].octets.endswith(sent)


def test_it_is_counted_and_traced(world):
    gate, _ = world
    before = gate.metrics()['gatehouse_smuggling_attempts_total']
    with gate.client() as client:
        client.send(b'NOOP\n')
        client.reply()
    gate.metric('gatehouse_smuggling_attempts_total', before + 1)
    assert 'reason=smuggling' in gate.log()
