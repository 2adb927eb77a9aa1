# SPDX-License-Identifier: Apache-2.0
"""packaging/gatehouse.service: what no start of it shows."""
import configparser
import os
import pathlib
import re
import subprocess

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


def test_the_clock_is_right_first():
    """Only ordered: systemd.special(7) has nobody else pull the target in."""
    after = unit()['Unit']['After'].split()
    assert {'network-online.target', 'time-sync.target'} <= set(after)
    assert 'time-sync.target' not in unit()['Unit']['Wants'].split()


def test_a_container_may_drain():
    """limits.drain_timeout, and 5 s for those that have to be killed."""
    text = (SOURCE / 'packaging/Containerfile').read_text()
    described = subprocess.run(
        [os.environ['GATEHOUSE'], 'config', 'describe',
         'limits.drain_timeout'],
        capture_output=True, text=True, check=True).stdout
    drain = int(re.search(r'default: +(\d+)s\n', described)[1])
    assert int(re.search(r'--stop-timeout (\d+)', text)[1]) > drain + 5
