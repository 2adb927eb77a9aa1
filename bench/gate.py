# SPDX-License-Identifier: Apache-2.0
"""The gateway under load: started for a scenario, its CPU time and memory."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'lib'))

from gatehouse import Gatehouse, listener  # noqa: E402
from net import DIES_WITH_US, free_port, wait_until  # noqa: E402
from nsd import Nsd  # noqa: E402

TICKS = os.sysconf('SC_CLK_TCK')
LOOPBACK = ['127.0.0.0/8']
EVERYBODY = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'] + LOOPBACK

# For a load that comes from one machine.
LIMITS = {'connection_rate': 1000000, 'message_rate': 1000000,
          'connections_per_network': 10000, 'tarpit_delay': 0}


def cpu_seconds(pid):
    """User and system time of a process and of its children that ended."""
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
    return sum(int(n) for n in stat.rsplit(')', 1)[1].split()[11:15]) / TICKS


class Sink:
    """The next hop of our own."""

    def __init__(self, build):
        self.port = free_port()
        self.route = f'smtp:[127.0.0.1]:{self.port}'
        self.process = subprocess.Popen(
            DIES_WITH_US + [str(build / 'bench/sink'), str(self.port)],
            stdout=subprocess.PIPE, text=True)
        wait_until(self._listens, what='the sink')

    def _listens(self):
        with socket.socket() as client:
            return client.connect_ex(('127.0.0.1', self.port)) == 0

    def stop(self):
        """How many messages and octets it took."""
        self.process.terminate()
        return json.loads(self.process.communicate(timeout=10)[0])


def start_nsd(folder, zone):
    """Our zone on a name server: forward names and reverse ones."""
    lines = [line for line in zone.split('\n') if not line.startswith('$')]
    reverse = [line for line in lines if '.in-addr.arpa.' in line]
    forward = [line for line in lines if line and line not in reverse]
    return Nsd(folder, {'example': '\n'.join(forward) + '\n',
                        '192.in-addr.arpa': '\n'.join(reverse) + '\n'},
               sign=False).start()


class Gate:
    """One scenario's gateway, with its sink and its name server."""

    def __init__(self, folder, build, zone, checks, dns='zone', **changes):
        os.environ['GATEHOUSE_BINARY'] = str(build / 'src/cli/gatehouse')
        self.sink = Sink(build)
        self.nsd = None
        if dns == 'nsd':
            self.nsd = start_nsd(folder / 'nsd', zone)
            changes['dns'] = {'servers': [self.nsd.address], 'zone': ''}
        if not checks:
            changes['connectors'] = [{
                'name': 'inside', 'networks': EVERYBODY,
                'treat_as': 'internal'}]
        listeners = [listener('proxy', proxy_protocol=LOOPBACK),
                     listener('xclient', xclient=LOOPBACK),
                     listener('milter', 'milter')]
        self.gate = Gatehouse(folder, self.sink.route, zone,
                              listeners=listeners, limits=LIMITS, **changes)
        self.gate.start()
        self.ports = self.gate.ports

    def port(self, protocol, client):
        """Where a protocol is spoken; SMTP's listeners differ by client."""
        return self.ports[client if protocol == 'smtp' else protocol]

    def pids(self):
        return [self.gate.process.pid, *self.gate.children().values()]

    def cpu_seconds(self):
        return sum(cpu_seconds(pid) for pid in self.pids())

    def settle(self):
        """Until what comes after the last reply is done."""
        before = self.cpu_seconds()
        for _ in range(20):
            time.sleep(0.2)
            now = self.cpu_seconds()
            if now - before < 0.02:
                return
            before = now

    def _status(self, pid, key):
        for line in pathlib.Path(f'/proc/{pid}/status').read_text().split('\n'):
            if line.startswith(key + ':'):
                return int(line.split()[1])
        return 0

    def peak_mib(self):
        return sum(self._status(pid, 'VmHWM') for pid in self.pids()) / 1024

    def metrics(self):
        return self.gate.metrics()

    def stop(self):
        """What the sink took."""
        self.gate.stop()
        if self.nsd:
            self.nsd.stop()
        return self.sink.stop()
