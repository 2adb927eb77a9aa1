# SPDX-License-Identifier: Apache-2.0
"""SMTP smuggling: line ends that servers disagree about end the session.

Each attempt hides a second message in the data of the first.  Whatever the
next hop would have made of it: nothing may reach it.
"""
import pytest

from mail import message
from world import SHOP, ZONE

HIDDEN = (b'MAIL FROM:<director@agency.example>\r\n'
          b'RCPT TO:<user@agency.example>\r\nDATA\r\n'
          b'From: director@agency.example\r\n\r\nsmuggled\r\n.\r\n')

ENDS = [b'\n.\n', b'\r\n.\n', b'\n.\r\n', b'\r.\r', b'\r\n.\r', b'\r.\r\n',
        b'\n.\r', b'\r\n\r.\r\n', b'\r.\n', b'\n\n.\n\n', b'\r\r\n.\r\n',
        b'\r\n.\r\r\n', b'\n', b'\r', b'x\ny', b'x\ry', b'\n\r\n']


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """(Gatehouse, next hop)"""
    from gatehouse import Gatehouse
    from hop import Hop
    with Hop() as hop:
        gate = Gatehouse(tmp_path_factory.mktemp('gate'), zone=ZONE,
                         route=hop.route).start()
        yield gate, hop
        gate.stop()


@pytest.mark.parametrize('end', ENDS, ids=repr)
def test_odd_ends_of_data(world, end):
    gate, hop = world
    taken = len(hop.messages)
    with gate.client(SHOP) as client:
        client.command('MAIL FROM:<news@shop.example>')
        client.command('RCPT TO:<user@agency.example>')
        assert client.command('DATA')[:3] == '354'
        client.send(message()[:-2] + end + HIDDEN)
        reply = client.reply()
        assert reply.startswith('550 5.5.2'), reply
        assert 'smuggling' in reply
        assert client.is_closed()
    assert len(hop.messages) == taken
    # No data came to the next hop at all.
    assert hop.lines[-1] != '.'


@pytest.mark.parametrize('where', ['header', 'last octet', 'before the dot'])
def test_bare_line_ends_elsewhere(world, where):
    gate, hop = world
    taken = len(hop.messages)
    octets = {
        'header': b'From: news@shop.example\nSubject: x\r\n\r\nx\r\n.\r\n',
        'last octet': message() + b'x\n.\r\n',
        'before the dot': message() + b'\r\n\n.\r\n',
    }[where]
    with gate.client(SHOP) as client:
        client.command('MAIL FROM:<news@shop.example>')
        client.command('RCPT TO:<user@agency.example>')
        client.command('DATA')
        client.send(octets)
        assert client.reply().startswith('550 5.5.2')
        assert client.is_closed()
    assert len(hop.messages) == taken


def test_the_same_in_chunks(world):
    """BDAT passes octets, but the next hop may know DATA only."""
    gate, hop = world
    taken = len(hop.messages)
    for octets in (message() + b'\n.\n', message() + b'x\r',
                   message() + b'x\ry\r\n'):
        with gate.client(SHOP) as client:
            client.command('MAIL FROM:<news@shop.example>')
            client.command('RCPT TO:<user@agency.example>')
            client.send(b'BDAT %d LAST\r\n' % len(octets) + octets)
            reply = client.reply()
            assert reply.startswith('550 5.5.2'), reply
            assert client.is_closed()
    assert len(hop.messages) == taken


@pytest.mark.parametrize('line', [b'NOOP\n', b'NOOP\r', b'NO\rOP\r\n',
                                  b'NOOP\n\r\n'], ids=repr)
def test_bare_line_ends_in_commands(world, line):
    gate, _ = world
    with gate.client() as client:
        client.send(line + b'NOOP\r\n')
        assert client.reply().startswith('550 5.5.2')
        assert client.is_closed()


def test_split_over_packets(world):
    """The same when CR and LF come one at a time."""
    gate, hop = world
    sent = message(body='.\n.x\nend')
    with gate.client(SHOP) as client:
        client.command('MAIL FROM:<news@shop.example>')
        client.command('RCPT TO:<user@agency.example>')
        client.command('DATA')
        octets = sent.replace(b'\r\n.', b'\r\n..') + b'.\r\n'
        for start in range(len(octets)):
            client.send(octets[start:start + 1])
        assert client.reply()[:3] == '250'
    assert hop.messages[-1].octets.endswith(sent)


def test_it_is_counted_and_traced(world):
    gate, _ = world
    before = gate.metrics()['gatehouse_smuggling_attempts_total']
    with gate.client() as client:
        client.send(b'NOOP\n')
        client.reply()
    gate.metric('gatehouse_smuggling_attempts_total', before + 1)
    assert 'reason=smuggling' in gate.log()
