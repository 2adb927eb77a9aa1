# SPDX-License-Identifier: Apache-2.0
"""Fills the store of a gateway that runs with traces of earlier messages."""
import contextlib
import sqlite3

# Keys as they are in life: each Message-ID and each id once, many senders,
# some of them often, and the recipients of one organization.
FILL = '''
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n
                        WHERE i < :last),
 key(i, sender, domain) AS (
  SELECT i, abs(random()) % 2000,
   'd' || (20000 / (1 + abs(random()) % 20000)) || '.example' FROM n)
INSERT INTO trace (row, id, time_ms, message_id, listener, client_ip,
 client_name, helo, sender, sender_key, sender_domain, header_from, subject,
 size, verdict, policy, reply, delivery, own_domain_result, own_domain,
 spf_result, dkim_result, dmarc_result, connector, facts)
SELECT i, printf('%08d%08x', i, random() & 0xffffffff), i * 1000,
 printf('<%016x%08x@%s>', random(), i, domain), 'mx', '192.0.2.1',
 'mail.' || domain, 'mail.' || domain, 'user' || sender || '@' || domain,
 'user' || sender || '@' || domain, domain, 'user' || sender || '@' || domain,
 'A subject of some words', 4096, 'accept', '', '250 2.0.0 accepted', '250',
 'none', '', 'pass', 'pass', 'pass', '', '' FROM key
'''
RECIPIENTS = '''
INSERT INTO trace_recipient (parent, place, address, address_key, domain)
SELECT row, 0, 'user' || who || '@agency.example',
 'user' || who || '@agency.example', 'agency.example'
FROM (SELECT row, abs(random()) % 5000 AS who FROM trace
      WHERE row BETWEEN :first AND :last)
'''
CHUNKS = '''
INSERT OR IGNORE INTO trace_chunk SELECT DISTINCT chunk FROM trace
'''
STEP = 100000


def fill(path, wanted):
    """Until there are so many; behind those that are there."""
    with contextlib.closing(
            sqlite3.connect(path, timeout=60, isolation_level=None)) as store:
        store.execute('PRAGMA synchronous = OFF')
        there, first = store.execute(
            'SELECT count(*), ifnull(max(row), 0) + 1 FROM all_trace'
        ).fetchone()
        last = first + wanted - there - 1
        for start in range(first, last + 1, STEP):
            span = {'first': start, 'last': min(start + STEP - 1, last)}
            store.execute('BEGIN IMMEDIATE')
            store.execute(FILL, span)
            store.execute(RECIPIENTS, span)
            store.execute(CHUNKS)
            store.execute('COMMIT')
        store.execute('PRAGMA wal_checkpoint')
