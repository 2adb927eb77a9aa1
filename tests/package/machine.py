# SPDX-License-Identifier: Apache-2.0
"""A Debian system in a folder, with systemd as its first process: what a
package does there is what it does on a server.

Needs root, mmdebstrap and systemd-nspawn.  The network inside is loopback
alone.  The system is unpacked from an archive that is made once (from Debian's
packages, with the dependencies of the package under test).
"""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

BASE = ['systemd', 'systemd-sysv', 'dbus', 'procps', 'man-db']


def dependencies(package):
    text = subprocess.run(['dpkg-deb', '-f', package, 'Depends'], check=True,
                          capture_output=True, text=True).stdout
    return sorted(one.split('|')[0].split()[0] for one in text.split(','))


def archive(package, cache):
    """The system without the package, as a tar file."""
    wanted = BASE + dependencies(package)
    name = hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:12]
    path = pathlib.Path(cache) / f'system-{name}.tar'
    if not path.exists():
        fresh = path.with_suffix('.new.tar')
        subprocess.run(
            ['mmdebstrap', '--quiet', '--variant=minbase',
             '--include=' + ','.join(wanted), 'bookworm', str(fresh)],
            check=True)
        fresh.rename(path)
    return path


class Machine:
    def __init__(self, folder, package, cache):
        self.root = pathlib.Path(folder) / 'root'
        self.package = package
        self.root.mkdir()
        subprocess.run(['tar', '-xf', str(archive(package, cache)), '-C',
                        str(self.root)], check=True)
        self.nspawn = self.leader = None

    def boot(self):
        log = (self.root.parent / 'console').open('wb')
        self.nspawn = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'TERM', 'systemd-nspawn', '--quiet',
             '--boot', '--register=no', '--keep-unit', '--private-network',
             '--link-journal=no', f'--machine=gatehouse-{os.getpid()}',
             f'--directory={self.root}'],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while not self._is_up():
            assert self.nspawn.poll() is None and time.monotonic() < until, \
                (self.root.parent / 'console').read_text(errors='replace')
            time.sleep(0.2)
        return self

    def _is_up(self):
        path = pathlib.Path(
            f'/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children')
        children = path.read_text().split()
        if not children:
            return False
        self.leader = int(children[0])
        state = self.run('systemctl', 'is-system-running', code=None)
        return state.stdout.strip() in ('running', 'degraded')

    def run(self, *command, code=0, **more):
        """Inside, as root."""
        done = subprocess.run(
            ['nsenter', '--target', str(self.leader), '--all', '--',
             *map(str, command)], capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL, **more)
        assert code is None or done.returncode == code, \
            (command, done, self.journal())
        return done

    def path(self, name):
        """A path inside, seen from here."""
        return self.root / name.lstrip('/')

    def journal(self, unit='gatehouse'):
        done = subprocess.run(
            ['nsenter', '--target', str(self.leader), '--all', '--',
             'journalctl', '-u', unit, '-o', 'cat', '--no-pager'],
            capture_output=True, text=True)
        return done.stdout

    def show(self, name, unit='gatehouse'):
        return self.run('systemctl', 'show', '-P', name, unit).stdout.strip()

    def wait(self, condition, what, seconds=15):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, (what, self.journal())
            time.sleep(0.1)

    def stop(self):
        if self.nspawn and self.nspawn.poll() is None:
            # What systemd takes for "halt".
            os.kill(self.leader, signal.SIGRTMIN + 3)
            try:
                self.nspawn.wait(40)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        shutil.rmtree(self.root, ignore_errors=True)
