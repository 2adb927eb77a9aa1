# SPDX-License-Identifier: Apache-2.0
"""Folders and servers of the end-to-end tests, ended with their test."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'lib'))

from fixtures import folder, make_gate  # noqa: E402, F401
from hop import Hop  # noqa: E402
from net import free_port  # noqa: E402
from postfix import Postfix  # noqa: E402


@pytest.fixture
def make_hop():
    """Hop(...), listening."""
    made = []

    def make(*args, **more):
        hop = Hop(*args, **more).__enter__()
        made.append(hop)
        return hop

    yield make
    for hop in made:
        hop.__exit__()


@pytest.fixture
def next_hop(folder):
    """A Postfix with the mailboxes user and other."""
    hop = Postfix.next_hop(folder / 'hop', free_port(), 'agency.example',
                           ['user', 'other']).start()
    yield hop
    hop.stop()
