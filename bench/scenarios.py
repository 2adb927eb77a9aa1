# SPDX-License-Identifier: Apache-2.0
"""What can be measured.  Another scenario is another row."""
import dataclasses
from collections.abc import Callable

import peers
from gate import Gate
from subject import Alone


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    make: Callable          # of a Bench and an empty folder: the Subject
    protocol: str           # a row in load.c
    expect: str             # 'corpus', 'accept', or 'report': never wrong
    against: str = ''       # the scenario of the gateway with the same task
    whole: bool = False     # a peer that does all of that task

    @property
    def is_peer(self):
        return bool(self.against)


def gate(protocol, checks):
    return lambda bench, folder: Gate(
        folder, bench.build, bench.zone, protocol, checks, bench.nsd,
        bench.options.client)


def alone(name):
    return lambda bench, folder: Alone(bench.build, name)


def unpacked(kind):
    return lambda bench, folder: kind(
        folder / kind.__name__, bench.packages, bench.nsd)


def postfix(*kinds, proxy=False):
    def make(bench, folder):
        return peers.PostfixRelay(
            folder / 'postfix', bench.build,
            [kind(folder / kind.__name__, bench.packages, bench.nsd)
             for kind in kinds], proxy)
    return make


ROWS = (
    Scenario('null-milter', alone('null_milter'), 'milter', 'accept'),
    Scenario('milter', gate('milter', True), 'milter', 'corpus'),
    Scenario('opendkim', unpacked(peers.OpenDkim), 'milter', 'report',
             'milter'),
    Scenario('opendkim+opendmarc', unpacked(peers.OpenDkimAndDmarc), 'milter',
             'report', 'milter', True),
    Scenario('rspamd', unpacked(peers.Rspamd), 'milter', 'report', 'milter',
             True),
    Scenario('sink', alone('sink'), 'smtp', 'accept'),
    Scenario('pass-through', gate('smtp', False), 'smtp', 'accept'),
    Scenario('postfix-proxy', postfix(proxy=True), 'smtp', 'accept',
             'pass-through', True),
    Scenario('postfix-relay', postfix(), 'smtp', 'accept', 'pass-through',
             True),
    Scenario('all-checks', gate('smtp', True), 'smtp', 'corpus'),
    Scenario('postfix+dkim+dmarc', postfix(peers.OpenDkimAndDmarc), 'smtp',
             'report', 'all-checks', True),
    Scenario('postfix+rspamd', postfix(peers.Rspamd), 'smtp', 'report',
             'all-checks', True),
)
SCENARIOS = {row.name: row for row in ROWS}
