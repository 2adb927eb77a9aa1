# SPDX-License-Identifier: Apache-2.0
"""Where the modules are."""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'lib')]
