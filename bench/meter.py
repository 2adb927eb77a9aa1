# SPDX-License-Identifier: Apache-2.0
"""CPU time and memory of a process and everything that it starts."""
import os
import pathlib
import threading
import time

TICKS = os.sysconf('SC_CLK_TCK')


def stat_of(pid):
    """(parent, CPU seconds with those of children that ended) or None."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return None
    fields = text.rsplit(')', 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def tree(root):
    """pid -> CPU seconds of a process and its descendants that run."""
    found = {int(path.name): stat_of(path.name)
             for path in pathlib.Path('/proc').glob('[0-9]*')}
    children = {}
    for pid, stat in found.items():
        if stat:
            children.setdefault(stat[0], []).append(pid)
    pids, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if found.get(pid):
            pids[pid] = found[pid][1]
            todo += children.get(pid, [])
    return pids


def pss_kib(pid):
    """Its memory, what is shared divided among those who share it."""
    try:
        rollup = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in rollup.split('\n')
                 if line.startswith('Pss:')), 0)


def cgroup_folder():
    """Where we may make a control group, if this system has version 2."""
    mounts = [line.split() for line in
              pathlib.Path('/proc/self/mounts').read_text().split('\n')]
    root = next((mount[1] for mount in mounts
                 if mount[2:3] == ['cgroup2']), None)
    own = [line[3:] for line in
           pathlib.Path('/proc/self/cgroup').read_text().split('\n')
           if line.startswith('0::')]
    return pathlib.Path(root + own[0]) if root and own else None


class Meter:
    """In a control group of its own (version 2), whose cpu.stat counts every
    process to its end, in microseconds.  Where none can be made, times from
    /proc, in which a process that ended is counted by the one that waited.
    """

    def __init__(self, name, *pids):
        self.roots = pids
        self.group = None
        try:
            group = cgroup_folder() / f'gatehouse-bench-{os.getpid()}-{name}'
            group.mkdir()
            self.group = group
            self._move_in()
            self.cpu_seconds()
        except (OSError, TypeError, StopIteration):
            self.close()

    def _move_in(self):
        """Until nothing is outside that was started meanwhile."""
        outside = True
        while outside:
            inside = set(self.pids())
            outside = [pid for root in self.roots for pid in tree(root)
                       if pid not in inside]
            for pid in outside:
                try:
                    (self.group / 'cgroup.procs').write_text(f'{pid}\n')
                except ProcessLookupError:
                    pass

    @property
    def method(self):
        return 'cgroup cpu.stat' if self.group else '/proc/PID/stat'

    def pids(self):
        if self.group:
            return list(map(int, (self.group / 'cgroup.procs').read_text()
                            .split()))
        return [pid for root in self.roots for pid in tree(root)]

    def cpu_seconds(self):
        if not self.group:
            return sum(sum(tree(root).values()) for root in self.roots)
        lines = (self.group / 'cpu.stat').read_text().split('\n')
        return next(int(line.split()[1]) for line in lines
                    if line.startswith('usage_usec')) / 1e6

    def memory_mib(self):
        return sum(map(pss_kib, self.pids())) / 1024

    def close(self):
        """When its processes have ended."""
        group, self.group = self.group, None
        for _ in range(50 if group else 0):
            try:
                group.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.1)     # some are still on their way out


class PeakMemory:
    """with PeakMemory(meter) as peak: ...; peak.mib

    Looks several times a second, which costs CPU time: not for a run that is
    timed.
    """

    def __init__(self, meter):
        self.meter = meter
        self.mib = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.over.is_set():
            self.mib = max(self.mib, self.meter.memory_mib())
            self.over.wait(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
