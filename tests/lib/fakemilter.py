# SPDX-License-Identifier: Apache-2.0
"""A milter whose verdict stands in the message (src/gate/fake_gate.c):

    with FakeMilter(build) as milter: ... milter.port, milter.log()

    X-Add: a@b.example              a recipient, "... NOTIFY=NEVER" too
    X-Remove: a@b.example           or its number in the envelope: 0
    X-Body: 3 a line                a body of three such lines
    X-Edit: yes                     two fields more, this one less
"""
import pathlib
import socket
import subprocess
import tempfile

from net import DIES_WITH_US, free_port, wait_until


def _answers(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


class FakeMilter:
    def __init__(self, build):
        self.program = pathlib.Path(build) / 'src/milter/fake_milter'
        self.port = free_port()

    def __enter__(self):
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*DIES_WITH_US, self.program, str(self.port)],
            stderr=self.output)
        wait_until(lambda: _answers(self.port), 10, 'the milter listens')
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(15)
        log = self.log()
        self.output.close()
        assert code == 0, log

    def log(self):
        self.output.seek(0)
        return self.output.read().decode()
