# SPDX-License-Identifier: Apache-2.0
"""Where the modules and fixtures are."""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'lib')]

from fixtures import folder, make_gate  # noqa: E402, F401
