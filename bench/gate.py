# SPDX-License-Identifier: Apache-2.0
"""The gateway under load, started for a scenario."""
import os

from subject import Failure, Server, Subject

from gatehouse import Gatehouse, listener

LOOPBACK = ['127.0.0.0/8']
EVERYBODY = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'] + LOOPBACK

# For a load that comes from one machine.
LIMITS = {'connection_rate': 1000000, 'message_rate': 1000000,
          'connections_per_network': 10000, 'tarpit_delay': 0}


class Gate(Subject):
    """Speaks 'smtp' or 'milter'; nsd: its name server, else the zone is
    answered inside the process.  changes are of its configuration.
    """

    def __init__(self, folder, build, zone, protocol='smtp', checks=True,
                 nsd=None, client='proxy', **changes):
        os.environ['GATEHOUSE_BINARY'] = str(build / 'src/cli/gatehouse')
        sink = Server(build, 'sink')
        if protocol == 'smtp':
            self.sink = sink
        self._sink = sink
        if nsd:
            changes['dns'] = {'servers': [nsd.address], 'zone': ''}
        if not checks:
            changes['connectors'] = [{
                'name': 'inside', 'networks': EVERYBODY,
                'treat_as': 'internal'}]
        listeners = [listener('proxy', proxy_protocol=LOOPBACK),
                     listener('xclient', xclient=LOOPBACK),
                     listener('milter', 'milter')]
        changes['limits'] = {**LIMITS, **changes.get('limits', {})}
        self.gate = Gatehouse(folder, sink.route, zone, listeners=listeners,
                              **changes)
        self.gate.start()
        self.client = client
        self.database = folder / 'state/gatehouse.db'
        self.ports = (self.gate.ports[
            client if protocol == 'smtp' else 'milter'],)
        self.measure('gatehouse', self.gate.process)

    def end(self):
        try:
            self.gate.stop()
        except AssertionError as error:
            raise Failure(str(error)[:4000]) from None
        if not self.sink:
            self._sink.stop()
