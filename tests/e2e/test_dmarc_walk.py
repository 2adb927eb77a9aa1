# SPDX-License-Identifier: Apache-2.0
"""DMARC discovery and alignment against a second reading of RFC 9989.

Made-up trees of names with policy records, the same ones in every run.  What
applies to a message is worked out here from the words of sections 4.10.1 and
4.10.2, without a glance at the program's way of doing it.
"""
import json
import random

from mail import message

CLIENT = '192.0.2.9'
POLICIES = ('none', 'quarantine', 'reject')
CASES = 250


def make_record(rng, domain):
    tags = []
    if rng.random() < .95:
        tags.append('p=' + rng.choice(POLICIES + ('reject', 'wrong')))
    for tag, values, share in (('sp', POLICIES, .4), ('np', POLICIES, .3),
                               ('psd', 'yynnux', .25), ('aspf', 'sr', .3),
                               ('rua', ['mailto:x@' + domain], .3)):
        if rng.random() < share:
            tags.append(f'{tag}={rng.choice(values)}')
    rng.shuffle(tags)
    return 'v=DMARC1; ' + '; '.join(tags)


def suffixes(domain):
    labels = domain.split('.')
    return ['.'.join(labels[i:]) for i in range(len(labels))]


def make_relative(rng, author):
    """A domain of at least two labels with something in common."""
    above = rng.choice(suffixes(author))
    below = [rng.choice('abc') for _ in range(rng.choice((0, 1, 2, 3, 8)))]
    if '.' not in above and not below:
        below = ['a']
    return '.'.join(below + [above])


class Case:
    """An author, a sender for which SPF passes, and the DNS they see."""

    def __init__(self, number):
        rng = random.Random(number)
        depth = rng.choice((1, 2, 2, 3, 3, 4, 6, 7, 8, 10))
        self.author = '.'.join([rng.choice('ab') for _ in range(depth)]
                               + [f't{number}'])
        self.sender = rng.choice((self.author,
                                  make_relative(rng, self.author),
                                  make_relative(rng, self.author)))
        self.records = {}   # domain -> texts at _dmarc below it
        for domain in sorted({*suffixes(self.author),
                              *suffixes(self.sender)}):
            if rng.random() < .35:
                self.records[domain] = {make_record(rng, domain) for _ in
                                        range(rng.choice((1,) * 12 + (2,)))}
        self.others = {self.sender}     # names with records of other kinds
        if rng.random() < .5:
            self.others.add('x.' * rng.randint(0, 1) + self.author)

    def zone(self):
        return ''.join(
            [f'_dmarc.{domain}. TXT "{text}"\n'
             for domain, texts in self.records.items()
             for text in sorted(texts)]
            + [f'{name}. A {CLIENT}\n' for name in sorted(self.others)]
            + [f'{self.sender}. TXT "v=spf1 ip4:{CLIENT} -all"\n'])

    def record(self, domain):
        """Several are none."""
        texts = self.records.get(domain, ())
        if len(texts) != 1:
            return None
        tags, = texts
        return dict(tag.strip().split('=') for tag in tags.split(';')
                    if '=' in tag)

    def walk(self, start):
        """Section 4.10: [(domain, record)], the longest name first."""
        parents = suffixes(start)[1:]
        found = []
        for domain in [start] + parents[-7:]:
            record = self.record(domain)
            if record is None:
                continue
            found.append((domain, record))
            if record.get('psd') in ('y', 'n'):
                break
        return found

    def organizational(self, start):
        """Section 4.10.2."""
        found = self.walk(start)
        for domain, record in found:
            if record.get('psd') == 'n':
                return domain
            if record.get('psd') == 'y' and domain != start:
                return suffixes(start)[-domain.count('.') - 2]
        return found[-1][0] if found else start

    def exists(self, domain):
        names = self.others | {'_dmarc.' + name for name in self.records}
        return any(f'.{name}'.endswith(f'.{domain}') for name in names)

    def wanted(self):
        """Result, where the record stands, organizational domain, policy."""
        found = dict(self.walk(self.author))
        organizational = self.organizational(self.author)
        at = [domain for domain in (self.author, organizational)
              if domain in found]
        at += [domain for domain, record in found.items()
               if record.get('psd') == 'y']
        nothing = ('none', '', organizational, 'none')
        if not at:
            return nothing
        record = found[at[0]]
        policies = [record[tag] for tag in ('p', 'sp', 'np') if tag in record]
        if 'p' not in record or not set(policies) <= set(POLICIES):
            if 'rua' not in record:
                return nothing
            policy = 'none'
        elif at[0] == self.author:
            policy = record['p']
        else:
            policy = record.get('sp', record['p'])
            if not self.exists(self.author):
                policy = record.get('np', policy)
        aligned = self.author == self.sender or (
            record.get('aspf') != 's'
            and self.organizational(self.sender) == organizational)
        return ('pass' if aligned else 'fail', at[0], organizational, policy)


def test_second_reading(make_gate):
    cases = [Case(number) for number in range(CASES)]
    assert {case.wanted()[0] for case in cases} == {'pass', 'fail', 'none'}
    gate = make_gate(start=False, zone=''.join(case.zone() for case in cases))
    for case in cases:
        outcome = json.loads(gate.run(
            'check', '-c', str(gate.path), '--client-ip', CLIENT,
            '--helo', 'client.example', '--mail-from', 'x@' + case.sender,
            '--rcpt-to', 'user@agency.example', '--json', '-',
            octets=message(f'x@{case.author}'), code=0))
        dmarc = outcome['dmarc']
        assert outcome['spf']['result'] == 'pass'
        assert (dmarc['result'], dmarc['policy_domain'],
                dmarc['organizational_domain'], dmarc['policy']) \
            == case.wanted(), (case.sender, case.zone())
