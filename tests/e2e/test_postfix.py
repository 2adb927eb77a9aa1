# SPDX-License-Identifier: Apache-2.0
"""Postfix sends, Postfix receives, Gatehouse stands between them."""
import subprocess

import pytest

from mail import field, fields, message, message_id
from net import Smtp, free_port, wait_until
from postfix import Postfix
from world import PARTNER, SHOP, ZONE


def wait_for(postfix, text):
    return wait_until(lambda: next(
        (line for line in postfix.log().split('\n') if text in line), None),
        15, text)


@pytest.fixture
def between(folder, make_gate, next_hop):
    """(client Postfix, Gatehouse, next hop Postfix)"""
    gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{next_hop.port}')
    client = Postfix.client(folder / 'client', free_port(),
                            'mail.shop.example', gate.port).start()
    yield client, gate, next_hop
    client.stop()


def test_accepted_mail_arrives_unchanged(between):
    client, gate, hop = between
    sent = PARTNER.sign(message('orders@partner.example', body='\n'.join(
        ['A line.', '.', '..', '', 'trailing  ', 'ends'])))
    with Smtp(client.port) as smtp:
        assert smtp.mail('news@shop.example', 'user@agency.example',
                         sent).startswith('250')
    arrived, = hop.messages('user')
    arrived = arrived.replace(b'\n', b'\r\n')
    # Byte for byte below what the three systems put on top.
    position = arrived.index(b'DKIM-Signature:')
    assert arrived[position:] == sent
    assert PARTNER.verifies(arrived)
    top = arrived[:position].decode()
    results = field(arrived, 'Authentication-Results')
    assert results.startswith('mx1.agency.example;')
    assert 'dkim=pass' in results and 'dmarc=pass' in results
    assert 'spf=pass' in results
    received = fields(arrived, 'Received')
    assert len(received) == 3, received
    assert 'by mx1.agency.example' in received[1]
    assert 'mail.shop.example' in received[1]
    assert top.index('by mx1.agency.example') < \
        top.index('Authentication-Results')
    trace = gate.explain(message_id(sent), delivery=True)
    assert trace['verdict'] == 'accept'
    assert trace['delivery'].startswith('250 2.0.0')
    assert trace['dkim'][0]['result'] == 'pass'
    assert trace['spf']['result'] == 'pass'


def test_refused_mail_bounces_at_the_sender(between):
    """The sender's own server tells it, with our words."""
    client, gate, hop = between
    sent = message('service@bank.example')
    with Smtp(client.port) as smtp:
        assert smtp.mail('news@shop.example', 'user@agency.example',
                         sent).startswith('250')
    line = wait_for(client, 'status=bounced')
    assert '550 5.7.1' in line
    assert 'DMARC policy of bank.example' in line
    assert hop.messages('user', wanted=1, seconds=0.5) == []
    assert gate.explain(message_id(sent))['verdict'] == 'reject'


def test_bounce_carries_our_text(folder, make_gate, make_hop):
    """The non-delivery report that the sender's Postfix writes."""
    with_reports = make_hop()
    gate = make_gate(zone=ZONE, route=make_hop().route)
    client = Postfix.client(folder / 'client', free_port(),
                            'mail.shop.example', gate.port)
    transport = client.config / 'transport'
    transport.write_text(f'shop.example smtp:{with_reports.target}\n')
    with (client.config / 'main.cf').open('a') as config:
        config.write(f'transport_maps = texthash:{transport}\n')
    client.start()
    try:
        done = subprocess.run(
            ['swaks', '--server', f'127.0.0.1:{client.port}',
             '--from', 'news@shop.example', '--to', 'user@agency.example',
             '--header', 'From: service@bank.example'],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        wait_until(lambda: with_reports.messages, 15, 'the report')
        report, = with_reports.messages
        assert report.sender == ''
        assert report.recipients == ('news@shop.example',)
        assert b'DMARC policy of bank.example' in report.octets.replace(
            b'\r\n    ', b' ')
        assert b'Status: 5.7.1' in report.octets
    finally:
        client.stop()


def test_unknown_recipient_is_the_next_hops_answer(between):
    client, gate, hop = between
    with gate.client() as smtp:
        assert smtp.command('MAIL FROM:<news@shop.example>')[:3] == '250'
        answer = smtp.command('RCPT TO:<nobody@agency.example>')
        assert answer.startswith('550 5.1.1'), answer
        # The others of the transaction are not touched.
        assert smtp.command('RCPT TO:<user@agency.example>')[:3] == '250'
        sent = message()
        assert smtp.data(sent).startswith('250')
    assert len(hop.messages('user')) == 1


def test_slow_upload_outlasts_the_patience_of_postfix(make_gate, folder):
    """smtpd_timeout, as under stress: it closes while content comes in."""
    hop = Postfix.next_hop(folder / 'hop', free_port(), 'agency.example',
                           ['user'])
    settings = hop.config / 'main.cf'
    settings.write_text(settings.read_text() + '\nsmtpd_timeout = 1s\n')
    hop.start()
    try:
        gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{hop.port}')
        sent = message()
        with gate.client(SHOP) as client:
            client.command('MAIL FROM:<news@shop.example>')
            client.command('RCPT TO:<user@agency.example>')
            assert client.command('DATA')[:3] == '354'
            client.send(sent[:20])
            wait_for(hop, 'timeout after RCPT')
            client.send(sent[20:] + b'.\r\n')
            assert client.reply().startswith('250')
        arrived, = hop.messages('user')
        assert arrived.replace(b'\n', b'\r\n').endswith(sent)
    finally:
        hop.stop()


def limit_processes(hop, most):
    services = hop.config / 'master.cf'
    services.write_text(services.read_text().replace(
        'inet n - n - - smtpd', f'inet n - n - {most} smtpd'))


def test_silent_strangers_do_not_use_up_postfix(make_gate, folder):
    """It has six processes; twelve clients fall silent behind RCPT."""
    hop = Postfix.next_hop(folder / 'hop', free_port(), 'agency.example',
                           ['user'])
    limit_processes(hop, 6)
    hop.start()
    try:
        gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{hop.port}',
                         limits={'next_hop_waiting': 3,
                                 'next_hop_timeout': '5s'})
        silent = []
        for number in range(12):
            client = gate.client(SHOP)
            client.command('MAIL FROM:<news@shop.example>')
            reply = client.command('RCPT TO:<user@agency.example>')
            assert reply[:3] == '250', reply
            silent.append(client)
            gate.metric('gatehouse_connections_parked', number + 1)
        assert gate.mail(message(), ip=SHOP)[:3] == '250'
        for client in silent:
            assert client.data(message())[:3] == '250'
            client.close()
        assert len(hop.messages('user', 13)) == 13
    finally:
        hop.stop()


def test_strangers_do_not_route_mail_through_postfix(make_gate, folder):
    """It relays for us; so nobody else may have it pass mail on."""
    routed = ['x%foreign.example@agency.example',
              'foreign.example!x@agency.example',
              '"x@foreign.example"@agency.example',
              '"x%foreign.example"@agency.example']
    hop = Postfix(folder / 'hop', free_port(), 'hop.agency.example',
                  'permit_mynetworks, reject',
                  'mydestination = agency.example\n'
                  f'local_recipient_maps = texthash:{folder}/hop/etc/users\n')
    (hop.config / 'users').write_text('user x\n')
    hop.start()
    try:
        gate = make_gate(zone=ZONE, route=f'smtp:[127.0.0.1]:{hop.port}')
        with Smtp(hop.port) as direct, gate.client(SHOP) as stranger:
            for client in (direct, stranger):
                client.command('MAIL FROM:<news@shop.example>')
                for user, code in ('user', '250'), ('nobody', '550'):
                    assert client.command(
                        f'RCPT TO:<{user}@agency.example>')[:3] == code
            for address in routed:
                rcpt = f'RCPT TO:<{address}>'
                assert direct.command(rcpt)[:3] == '250'
                assert stranger.command(rcpt).startswith('550 5.7.1 relaying')
    finally:
        hop.stop()
