# SPDX-License-Identifier: Apache-2.0
"""packaging/gatehouse.service: what no start of it shows."""
import configparser
import os
import pathlib

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()


class Values(dict):
    """A key may come several times."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def unit():
    parser = configparser.RawConfigParser(strict=False, dict_type=Values)
    parser.optionxform = str
    parser.read(SOURCE / 'packaging/gatehouse.service')
    return parser


def test_no_line_of_the_log_is_dropped():
    """journald would drop those of a flood without a word to us."""
    assert unit()['Service']['LogRateLimitIntervalSec'] == '0'
