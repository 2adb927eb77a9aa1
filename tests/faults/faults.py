# SPDX-License-Identifier: Apache-2.0
"""The driver's side of shim.c.

    faults = Faults(folder / 'faults')
    gate = Gatehouse(..., environment=faults.environment)
    faults.count()            # from now on
    faults.counts()           # calls of each function since
    with faults.armed('write', 3, errno.ENOSPC):
        ...                   # the third write fails
    faults.hits               # whether it was reached
"""
import contextlib
import mmap
import os
import struct

FUNCTIONS = ['write', 'send', 'sync', 'rename', 'open', 'truncate', 'map']
NUMBER, HITS, COUNTS = 4, 12, 16
SIZE = COUNTS + 4 * len(FUNCTIONS)


class Faults:
    def __init__(self, path, process='--child smtp'):
        path.write_bytes(bytes(SIZE))
        path.chmod(0o666)
        with path.open('r+b') as file:
            self.area = mmap.mmap(file.fileno(), SIZE)
        self.environment = {
            'LD_PRELOAD': os.path.abspath(os.environ['GATEHOUSE_FAULT_SHIM']),
            'GATEHOUSE_FAULTS': str(path),
            'GATEHOUSE_FAULTS_IN': process,
        }

    def count(self):
        """Ends what was armed, and begins at 0."""
        self.area[:] = bytes(SIZE)

    def counts(self):
        return dict(zip(FUNCTIONS, struct.unpack(
            f'={len(FUNCTIONS)}I', self.area[COUNTS:])))

    @property
    def hits(self):
        return struct.unpack('=I', self.area[HITS:HITS + 4])[0]

    @contextlib.contextmanager
    def armed(self, function, number, error):
        self.count()
        self.area[:HITS] = struct.pack(
            '=IIi', FUNCTIONS.index(function), number, error)
        try:
            yield
        finally:
            self.area[NUMBER:NUMBER + 4] = bytes(4)
