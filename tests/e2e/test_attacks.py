# SPDX-License-Identifier: Apache-2.0
"""What hostile clients and hasty administrators do to a running gateway."""
import os
import signal
import time

from net import wait_until


def test_reloads_while_a_child_starts(make_gate):
    """A child that does not listen to signals yet is not lost to one."""
    gate = make_gate()
    gate.may_crash = True
    os.kill(gate.children()['smtp'], signal.SIGKILL)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        gate.process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    wait_until(lambda: len(gate.children()) == 2, 5, 'both children')
    assert ' signal=1' not in gate.log()
    gate.wait_for_log('supervisor.reload result=loaded')
