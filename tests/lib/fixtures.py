# SPDX-License-Identifier: Apache-2.0
"""Fixtures of more than one folder; their conftest.py imports them."""
import pathlib
import shutil
import tempfile

import pytest

from gatehouse import Gatehouse


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
