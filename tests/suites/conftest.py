# SPDX-License-Identifier: Apache-2.0
"""Without the public suites' files nothing here can run: Meson's "skipped"."""
import os
import sys

import pytest


def pytest_sessionstart(session):
    folder = os.environ.get('GATEHOUSE_TESTDATA', '')
    if not os.path.isdir(folder):
        print(f'MISSING TEST DATA: {folder}', file=sys.stderr)
        pytest.exit(f'MISSING TEST DATA: {folder}', returncode=77)
