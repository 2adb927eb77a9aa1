# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the end-to-end tests."""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'lib'))
sys.path.insert(0, str(HERE))
