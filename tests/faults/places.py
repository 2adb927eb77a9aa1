# SPDX-License-Identifier: Apache-2.0
"""A gateway, the places where it puts mail, and what its clients were told.

    with open_places() as places:
        places.send('maildir')    # one message; the reply, '' if it was lost
        places.check('title')     # all that was acknowledged is there

A kind is a way that a message goes: 'hop', 'maildir', 'quarantine' over SMTP,
'milter' (accepted) and 'held' (quarantined) as a milter, and 'spoof' and
'milter-spoof', which nothing may ever let pass.
"""
import collections
import contextlib
import os
import pathlib
import shutil
import sqlite3
import tempfile
import threading

from faults import Faults
from gatehouse import Gatehouse, listener
from hop import Hop
from mail import message, message_id
from milter import Milter
from world import SHOP, STRANGER, ZONE

LONG = os.environ.get('FAULTS_LONG') == '1'
BODY = ('0123456789' * 7 + '\n') * 100 + '.end'

# kind: header From, envelope sender, client, recipient, over the milter
Way = collections.namedtuple('Way', 'author sender ip to milter')
SHOP_MAIL = ('news@shop.example', 'news@shop.example', SHOP)
# SPF of the sender in the envelope decides nothing for a quarantine.
HELD_MAIL = ('x@quarantine.example', 'x@plain.example', STRANGER)
SPOOF_MAIL = ('service@bank.example', 'x@plain.example', STRANGER)
HOP, BOX = 'user@agency.example', 'user@box.example'
WAYS = {
    'hop': Way(*SHOP_MAIL, HOP, False),
    'maildir': Way(*SHOP_MAIL, BOX, False),
    'quarantine': Way(*HELD_MAIL, HOP, False),
    'spoof': Way(*SPOOF_MAIL, HOP, False),
    'milter': Way(*SHOP_MAIL, HOP, True),
    'held': Way(*HELD_MAIL, HOP, True),
    'milter-spoof': Way(*SPOOF_MAIL, HOP, True),
}
# As SMTP says it; an MTA's own words for what a milter tells it.
WORDS = {'accept': '250 accepted', 'discard': '250 discarded',
         'tempfail': '451 4.7.1 try again later', 'reject': '550 5.7.1'}


class Places:
    def __init__(self, folder, hop, faults=None, limits=None, **changes):
        self.hop = hop
        self.folder = folder
        self.gate = Gatehouse(
            folder / 'gate', zone=ZONE,
            environment=faults and faults.environment, limits=limits or {},
            organization={'accepted_domains':
                          ['agency.example', 'box.example']},
            listeners=[listener(xclient=['127.0.0.1']),
                       listener('mta', 'milter')],
            routes=[{'domains': ['agency.example'], 'next_hop': hop.route},
                    {'domains': ['box.example'],
                     'next_hop': f'maildir:{folder}/gate/Maildir'}], **changes)
        self.sent = {}      # message id -> kind, octets
        self.replies = {}   # message id -> all replies
        self.last_error = None   # why a reply was lost
        self._lock = threading.Lock()

    @property
    def reply_count(self):
        with self._lock:
            return sum(map(len, self.replies.values()))

    def _say(self, way, octets):
        if not way.milter:
            return self.gate.mail(octets, way.sender, way.to, ip=way.ip)
        with Milter(self.gate.ports['mta'], way.ip) as mta:
            answer = mta.mail(octets, way.sender, way.to)
            return answer.text or WORDS[answer.word]

    def send(self, kind, identity=None):
        """One message; its reply, '' if the connection ended."""
        way = WAYS[kind]
        octets = message(way.author, way.to, body=BODY, message_id=identity)
        identity = message_id(octets)
        reply = ''
        with self._lock:
            self.sent[identity] = kind, octets
        try:
            reply = self._say(way, octets)
        except (OSError, AssertionError) as error:
            self.last_error = error
        with self._lock:
            self.replies.setdefault(identity, []).append(reply)
        return reply

    def held(self):
        config = ('-c', str(self.gate.path))
        for row in self.gate.json('quarantine', 'list', '--limit', '100000'):
            out = self.gate.command(
                'quarantine', 'show', '--raw', row['id'], *config)
            assert out.returncode == 0, out
            yield out.stdout

    def held_ids(self):
        return {message_id(octets) for octets in self.held()}

    def acknowledged(self):
        return {one for one, replies in self.replies.items()
                if any(reply[:3] == '250' for reply in replies)}

    def traced(self):
        """The message ids of which there is a trace."""
        path = self.gate.folder / 'state' / 'gatehouse.db'
        with contextlib.closing(sqlite3.connect(path)) as store:
            return {row[0].strip('<>') for row in
                    store.execute('SELECT message_id FROM recent_trace'
                                  ' UNION SELECT message_id FROM trace')}

    def find(self):
        """How often each message is there; each complete, at its place."""
        found = collections.Counter()
        for kinds, all_of_it in (
                (['hop'], [taken.octets for taken in self.hop.messages]),
                (['maildir'], self.gate.delivered()),
                (['quarantine', 'held'], self.held())):
            for octets in all_of_it:
                identity = message_id(octets)
                kind, sent = self.sent[identity]
                assert kind in kinds, (kind, kinds, identity)
                assert octets.endswith(sent), (kind, octets, sent)
                found[identity] += 1
        return found

    def check(self, title, hop_may_lose=False, **more):
        """Everything acknowledged is there, once for each time that the
        client heard so or heard nothing; and has a trace.

        hop_may_lose: the next hop's own 250 was lost, so the client is told
        to try again though the message is there (RFC 5321 section 4.5.3.2.6).
        """
        found, traced = self.find(), self.traced()
        counts = collections.Counter()
        wrong = []
        for name in ('acknowledged', 'found', 'missing', 'duplicates',
                     'replies lost'):
            counts[name] = 0
        for one, replies in self.replies.items():
            kind = self.sent[one][0]
            good = sum(reply[:3] == '250' for reply in replies)
            lost = replies.count('')
            counts['replies lost'] += lost
            if good and 'spoof' in kind:
                wrong.append(f'{one}: a spoof passed: {replies}')
            if not good:
                counts['there without a 250'] += bool(found[one])
                if found[one] and not lost:
                    counts[f'of them after a 4xx, {kind}'] += 1
                    if kind != 'hop' or not hop_may_lose:
                        wrong.append(f'{one}: there in spite of {replies}')
                continue
            counts['acknowledged'] += 1
            if kind != 'milter':
                counts['found'] += bool(found[one])
                counts['missing'] += not found[one]
            else:
                counts['left to the MTA'] += 1
            counts['duplicates'] += max(found[one] - 1, 0)
            counts['without a trace'] += one not in traced
            if found[one] > good + lost:
                wrong.append(f'{one}: {found[one]} times: {replies}')
        print(f'\n{title}:', ', '.join(
            f'{value} {name}' for name, value in (more | counts).items()),
            flush=True)
        assert wrong == []
        assert counts['missing'] == 0
        assert counts['without a trace'] == 0
        return counts


@contextlib.contextmanager
def open_places(with_faults=False, process='--child smtp', **more):
    """(Places, Faults or None), running."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='gatehouse-e2e-'))
    folder.chmod(0o755)
    faults = Faults(folder / 'faults', process) if with_faults else None
    with Hop() as hop:
        places = Places(folder, hop, faults, **more)
        try:
            places.gate.start()
            yield places, faults
            places.gate.stop()
        finally:
            places.gate.kill()
            shutil.rmtree(folder, ignore_errors=True)
