# SPDX-License-Identifier: Apache-2.0
"""Folders and servers of the end-to-end tests, ended with their test."""
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'lib'))

from gatehouse import Gatehouse  # noqa: E402
from hop import Hop  # noqa: E402
from net import free_port  # noqa: E402
from postfix import Postfix  # noqa: E402


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix='gatehouse-e2e-', dir='/tmp'))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_gate(folder):
    """Gatehouse(...), started; each must end with exit code 0."""
    made = []

    def make(start=True, **changes):
        gate = Gatehouse(folder / f'gate{len(made)}', **changes)
        made.append(gate)
        if start:
            gate.start()
        return gate

    yield make
    problems = []
    for gate in made:
        try:
            gate.stop()
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, problems


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
