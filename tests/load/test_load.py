# SPDX-License-Identifier: Apache-2.0
"""A short version of each attack; make load is the long one."""
import pytest

from attacks import ATTACKS, broken, measure
from place import Place

SHORT = [attack for attack in ATTACKS if attack.short]


@pytest.mark.parametrize('attack', SHORT, ids=lambda attack: attack.name)
def test_attack(attack):
    limits = dict(attack.limits)
    if attack.name == 'too many connections':
        limits['connections'] = attack.short // 2
    with Place(limits=limits) as place:
        figures = measure(attack, place, short=True)
    assert not broken(attack, *figures, short=True), figures
