# SPDX-License-Identifier: Apache-2.0
"""The driver's side of shim.c.

    faults = Faults(folder / 'faults')
    gate = Gatehouse(..., environment=faults.environment)
    faults.count()            # from now on
    faults.counts()           # calls of each function since
    with faults.armed('write', 3, 'ENOSPC'):
        ...                   # the third write fails
    with faults.armed('sync', 1, 4000, effect='slow', only='gatehouse.db'):
        ...                   # the first of that file takes four seconds
    with faults.failing('write', 'EROFS', only='gatehouse.db'):
        ...                   # all of them fail
    faults.hits               # how often one did
    faults.jump(-3600)        # the clock of the day, not the monotonic one
    faults.sleep(3600)        # the machine slept: the clock of its start alone
"""
import contextlib
import errno
import mmap
import os
import re
import struct
import subprocess

from gatehouse import binary

FUNCTIONS = ['read', 'write', 'recv', 'send', 'sync', 'rename', 'unlink',
             'open', 'truncate', 'map', 'socket', 'accept']
EFFECTS = ['fail', 'short', 'slow']
HEAD = struct.Struct('=IIIIiIqq64s')   # struct control
NUMBER, HITS, OFFSET, SLEPT = 4, 20, 24, 32
ENDLESS = 2 ** 32 - 1
SIZE = HEAD.size + 4 * len(FUNCTIONS)


def preloaded():
    """The shim, behind the runtime of the sanitizer that the program was built
    with: it wants to be the first, and calls the shim as it would call libc."""
    libraries = subprocess.run(['ldd', binary()], capture_output=True,
                               text=True, check=True).stdout
    runtime = re.findall(r'=> (\S+/lib[at]san\.so\S*)', libraries)
    return ' '.join(runtime + [os.path.abspath(
        os.environ['GATEHOUSE_FAULT_SHIM'])])


class Faults:
    def __init__(self, path, process='--child smtp'):
        path.write_bytes(bytes(SIZE))
        path.chmod(0o666)
        with path.open('r+b') as file:
            self.area = mmap.mmap(file.fileno(), SIZE)
        self.offset = self.slept = 0
        self.environment = {
            'LD_PRELOAD': preloaded(),
            'GATEHOUSE_FAULTS': str(path),
            'GATEHOUSE_FAULTS_IN': process,
        }

    def _set(self, function, number, many, effect, error, only):
        self.area[NUMBER:NUMBER + 4] = bytes(4)
        self.area[HEAD.size:] = bytes(SIZE - HEAD.size)
        head = HEAD.pack(
            FUNCTIONS.index(function), 0, many, EFFECTS.index(effect), error,
            0, self.offset, self.slept, only.encode())
        self.area[:HEAD.size] = head
        self.area[NUMBER:NUMBER + 4] = struct.pack('=I', number)

    def count(self):
        """Ends what was armed, and begins at 0."""
        self._set('read', 0, 0, 'fail', 0, '')

    def counts(self):
        return dict(zip(FUNCTIONS, struct.unpack(
            f'={len(FUNCTIONS)}I', self.area[HEAD.size:])))

    @property
    def hits(self):
        return struct.unpack('=I', self.area[HITS:HITS + 4])[0]

    @contextlib.contextmanager
    def armed(self, function, number, error=0, many=1, effect='fail', only=''):
        """error: the name of an errno; with 'slow' milliseconds."""
        if isinstance(error, str):
            error = getattr(errno, error)
        self._set(function, number, many, effect, error, only)
        try:
            yield
        finally:
            self.area[NUMBER:NUMBER + 4] = bytes(4)

    def failing(self, function, error, **more):
        return self.armed(function, 1, error, many=ENDLESS, **more)

    def jump(self, seconds):
        """So far from the true time."""
        self.offset = seconds
        self.area[OFFSET:OFFSET + 8] = struct.pack('=q', seconds)

    def sleep(self, seconds):
        """So much longer than before."""
        self.slept += seconds
        self.area[SLEPT:SLEPT + 8] = struct.pack('=q', self.slept)
