# SPDX-License-Identifier: Apache-2.0
"""Runs the load generator against a subject, with CPU time and memory."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

import peers
from meter import PeakMemory
from scenarios import SCENARIOS
from subject import ROOT, Failure, start_nsd

MESSAGES_OF_KIND = {'4k': 3000, '30k': 2000, '200k': 1000, '2m': 200}
PROGRAMS = ('load', 'sink', 'null_milter', 'limit')
WARM_UP = 2000          # every name and key of the corpus
AT = 16                 # connections of what is measured at one number only


def build(folder):
    if not (folder / 'build.ninja').exists():
        subprocess.run(
            ['meson', 'setup', str(folder), str(ROOT), '-Dbench=true',
             '-Dbuildtype=release', '-Doptimization=2', '-Ddebug=true'],
            check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        ['ninja', '-C', str(folder), 'src/cli/gatehouse',
         *(f'bench/{name}' for name in PROGRAMS)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Failure(done.stdout)
    subprocess.run([str(ROOT / 'bench/make-corpus'), str(folder / 'corpus')],
                   check=True)


def medians(runs):
    return {key: statistics.median(run[key] for run in runs)
            for key in runs[0]}


def over_rounds(rows):
    """One row for each thing that was measured, in the order of the first."""
    same = {}
    for row in rows:
        key = row['scenario'], row['kind'], row['connections']
        same.setdefault(key, []).append(row)
    return [{**group[0],
             **medians([{name: value for name, value in row.items()
                         if isinstance(value, (int, float))
                         and name != 'connections'}
                        for row in group]),
             'runs': group[0]['runs'] * len(group)}
            for group in same.values()]


def start_perf(path, subject):
    recorder = subprocess.Popen(
        ['perf', 'record', '-q', '-F', '997', '-g', '-o', path, '-p',
         ','.join(map(str, subject.meter.pids()))], stderr=subprocess.DEVNULL)
    time.sleep(1)
    return recorder


class Bench:
    """rows and memory are what was measured; shown(row) is called for each.

    with Bench(...): the name server runs, if there is one.
    """

    def __init__(self, options, shown):
        self.options, self.shown = options, shown
        self.build = options.build.resolve()
        self.corpus = self.build / 'corpus'
        self.zone = (self.corpus / 'zone').read_text()
        self.state = self.build / f'bench-state-{os.getpid()}'
        self.rows, self.memory = [], {}
        self.methods = set()
        self.ed25519 = ''
        self.nsd = self.packages = None

    def __enter__(self):
        self.state.mkdir(parents=True)
        if self.options.peers:
            self.packages = peers.fetch(self.build / 'peers')
        if self.options.dns == 'nsd':
            self.nsd = start_nsd(self.state / 'nsd', self.zone,
                                 self.options.peers)
        return self

    def __exit__(self, kind, *_):
        if self.nsd:
            self.nsd.stop()
        if not kind:
            shutil.rmtree(self.state)   # else its logs may say why

    def load(self, subject, scenario, connections, messages, kind='',
             corpus=None):
        """One run of the load generator; what was accepted has arrived."""
        command = [str(self.build / 'bench/load'),
                   '--corpus', str(corpus or self.corpus),
                   '--to', ','.join(map(str, subject.ports)),
                   '--protocol', scenario.protocol,
                   '--client', subject.client,
                   '--connections', str(connections),
                   '--messages', str(messages),
                   '--per-connection', str(self.options.per_connection),
                   '--expect', scenario.expect]
        if kind:
            command += ['--kind', kind]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f'{" ".join(command)}\n{done.stderr}{done.stdout}')
        result = json.loads(done.stdout)
        subject.passed_on(result['accept'])
        return result

    def one_run(self, subject, *what, **more):
        """With its CPU time, until what comes behind it is done too."""
        subject.settle()
        before = subject.meter.cpu_seconds()
        result = self.load(subject, *what, **more)
        subject.settle()
        result['cpu_per_1000'] = 1000 / result['messages'] * (
            subject.meter.cpu_seconds() - before)
        return result

    def measure(self, subject, scenario, connections, messages, kind=''):
        self.add(scenario.name, kind or 'mix', connections, medians([
            self.one_run(subject, scenario, connections, messages, kind)
            for _ in range(self.options.runs)]))

    def add(self, name, kind, connections, result):
        row = {'scenario': name, 'kind': kind, 'connections': connections,
               'runs': self.options.runs, **result}
        self.rows.append(row)
        self.shown(row)

    def measure_all(self, subject, scenario):
        messages = self.options.messages
        for connections in self.options.connections:
            self.measure(subject, scenario, connections, messages)
        for kind in self.options.kinds:
            self.measure(subject, scenario, AT,
                         min(MESSAGES_OF_KIND[kind], messages), kind)
        with PeakMemory(subject.meter) as peak:
            self.load(subject, scenario, max(self.options.connections),
                      messages)
        self.memory[scenario.name] = peak.mib

    def run(self, name):
        scenario = SCENARIOS[name]
        folder = self.state / 'subject'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        subject = scenario.make(self, folder)
        self.methods.add(subject.meter.method)
        recorder = None
        try:
            self.load(subject, scenario, AT, WARM_UP)
            if self.options.perf:
                recorder = start_perf(self.options.perf, subject)
            self.measure_all(subject, scenario)
        finally:
            if recorder:
                recorder.send_signal(signal.SIGINT)
                recorder.wait()
            subject.stop()

    def limit(self):
        """The work that cannot be avoided, of the mix and of each class."""
        for kind in ('', *self.options.kinds):
            runs = [json.loads(subprocess.run(
                [str(self.build / 'bench/limit'), '--corpus',
                 str(self.corpus)] + ([kind] if kind else []),
                check=True, capture_output=True, text=True).stdout)
                for _ in range(self.options.runs)]
            self.ed25519 = runs[0].pop('ed25519')
            self.add('limit', kind or 'mix', 0, medians(runs))
