# SPDX-License-Identifier: Apache-2.0
"""The clock of the day jumps; deadlines, names and order do not care.

Only the clock of the day does: the monotonic one, which deadlines are measured
by, never jumps.
"""
import json
import time

import pytest

from dnsserver import DnsServer, Zone
from mail import message
from net import stuff, wait_until
from places import open_places
from world import SHOP, STRANGER

HOUR, DAY = 3600, 86400
JUMPS = [-DAY, -HOUR, HOUR, DAY]
KINDS = ['hop', 'maildir', 'quarantine']


@pytest.mark.parametrize('seconds', JUMPS)
def test_sessions_that_wait(seconds):
    """Neither cut off at once nor kept for longer."""
    with open_places(True, limits={'command_timeout': '2s',
                                   'data_timeout': '2s'}) as (places, faults):
        idle, amid, alive = (places.gate.client(SHOP) for _ in range(3))
        for client in (amid, alive):
            client.command('MAIL FROM:<news@shop.example>')
            client.command('RCPT TO:<user@agency.example>')
            assert client.command('DATA')[:3] == '354'
            client.send(b'From: news@shop.example\r\n')
        begin = time.monotonic()
        faults.jump(seconds)
        time.sleep(1)
        # This one goes on in time, and is taken.
        alive.send(stuff(message())[25:])
        assert alive.reply()[:3] == '250'
        alive.close()
        assert idle.line().startswith('421')
        assert 1.5 < time.monotonic() - begin < 5
        assert amid.line().startswith('421')
        assert time.monotonic() - begin < 6
        for kind in KINDS:
            assert places.send(kind)[:3] == '250'
        faults.jump(0)


@pytest.mark.parametrize('seconds', JUMPS)
def test_names_stay_unique(seconds):
    """Mail of the same moment, twice: before and after the clock was set."""
    with open_places(True) as (places, faults):
        for offset in (0, seconds, 0, seconds):
            faults.jump(offset)
            for _ in range(5):
                for kind in KINDS:
                    assert places.send(kind)[:3] == '250'
        faults.jump(0)
        counts = places.check(f'clock {seconds:+} s')
        assert counts['found'] == 60 and counts['duplicates'] == 0
        ids = [row['id'] for row in places.gate.quarantine()]
        names = [path.name for path in
                 (places.gate.maildir / 'new').iterdir()]
        assert len(set(ids)) == len(ids) == 20
        assert len(set(names)) == len(names) == 20


@pytest.mark.parametrize('seconds', JUMPS)
def test_dns_deadlines(make_gate, folder, seconds):
    """A question that nobody answers ends in time; then there are answers."""
    from faults import Faults
    zone = Zone()
    for name in ('bank', 'late'):
        zone.add(f'{name}.example', 'TXT', 'v=spf1 -all')
        zone.add(f'_dmarc.{name}.example', 'TXT', 'v=DMARC1; p=reject')
    faults = Faults(folder / 'faults')
    with DnsServer(zone) as server:
        gate = make_gate(dns={'zone': '', 'servers': [server.address]},
                         environment=faults.environment,
                         limits={'dns_query_timeout': '1s',
                                 'dns_time': '2s'})
        server.distort = lambda query, octets, transport: []
        with gate.client(STRANGER) as client:
            client.command('MAIL FROM:<x@late.example>')
            client.command('RCPT TO:<user@agency.example>')
            client.command('DATA')
            begin = time.monotonic()
            client.send(stuff(message('x@late.example')))
            time.sleep(0.3)
            faults.jump(seconds)
            assert client.reply().startswith('451 4.7.0')
            assert time.monotonic() - begin < 4
        server.distort = None
        begin = time.monotonic()
        while (reply := gate.mail(message('x@bank.example'),
                                  'x@bank.example', ip=STRANGER))[0] == '4':
            assert time.monotonic() - begin < 40, reply
            time.sleep(0.2)
        assert reply.startswith('550 5.7.1'), reply


def test_a_locked_store_is_waited_for_as_long_as_ever():
    """The wait for a commit is no matter of the clock of the day."""
    with open_places(True) as (places, faults):
        with faults.armed('sync', 1, 2000, effect='slow',
                          only='gatehouse.db'):
            import threading
            replies = []
            thread = threading.Thread(
                target=lambda: replies.append(places.send('quarantine')))
            thread.start()
            time.sleep(0.5)
            faults.jump(DAY)
            thread.join()
        assert replies[0][:3] == '250'
        faults.jump(0)
        places.check('clock while a commit waits')


def warnings(gate):
    text = gate.run('status', '-c', str(gate.path), '--json', '--seconds', '0')
    return [line for line in json.loads(text)['warnings'] if 'clock' in line]


PUT_OFF = 'gatehouse_store_expiry_put_off_seconds'


def test_the_quarantine_does_not_expire_at_once():
    """What is in it is nowhere else."""
    with open_places(True) as (places, faults):
        gate = places.gate

        def pass_time(seconds):
            seen = len(gate.log())
            faults.sleep(seconds)
            return seen

        assert places.send('quarantine')[:3] == '250'
        # The service knows what time it is.
        time.sleep(3)
        pass_time(601)
        time.sleep(3)
        faults.jump(60 * DAY)
        seen = pass_time(601)
        line = gate.wait_for_log('warning store.clock result=ahead', after=seen)
        assert 'put_off_seconds=86400' in line, line
        gate.metric(PUT_OFF, DAY)
        assert '24 hours more' in warnings(gate)[0]
        # Nor does a restart make it right.
        gate.stop()
        gate.start()
        time.sleep(3)
        seen = pass_time(601)
        gate.wait_for_log('store.clock result=ahead', after=seen)
        assert len(gate.quarantine()) == 1
        # Somebody sets it.
        faults.jump(-HOUR)
        seen = pass_time(601)
        gate.wait_for_log('notice store.clock result=back', after=seen)
        gate.metric(PUT_OFF, 0)
        assert warnings(gate) == []
        # Nobody does: it is true.
        faults.jump(60 * DAY)
        seen = pass_time(601)
        gate.wait_for_log('store.clock result=ahead', after=seen)
        pass_time(DAY - HOUR)
        wait_until(lambda: HOUR - 60 < gate.metrics()[PUT_OFF] <= HOUR)
        assert len(gate.quarantine()) == 1
        seen = pass_time(HOUR)
        gate.wait_for_log('store.clock result=believed', after=seen)
        gate.wait_for_log('store.expire removed=', after=seen)
        assert gate.quarantine() == []
        faults.jump(0)
