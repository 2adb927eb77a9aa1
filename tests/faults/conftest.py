# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the end-to-end tests, and what keeps these from running."""
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'lib'))
sys.path.insert(0, str(HERE))

from gatehouse import Gatehouse, binary  # noqa: E402

SANITIZED = b'__asan_init' in pathlib.Path(binary()).read_bytes()


def pytest_collection_modifyitems(items):
    if SANITIZED:
        for item in items:
            item.add_marker(pytest.mark.skip(
                reason='a sanitizer wants to be loaded first'))


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

    def make(**changes):
        made.append(Gatehouse(folder / f'gate{len(made)}', **changes).start())
        return made[-1]

    yield make
    for gate in made:
        gate.stop()
