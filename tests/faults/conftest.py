# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the end-to-end tests, and what keeps these from running."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'lib'))
sys.path.insert(0, str(HERE))

from gatehouse import binary  # noqa: E402

SANITIZED = b'__asan_init' in pathlib.Path(binary()).read_bytes()


def pytest_collection_modifyitems(items):
    if SANITIZED:
        for item in items:
            item.add_marker(pytest.mark.skip(
                reason='a sanitizer wants to be loaded first'))
