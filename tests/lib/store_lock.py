# SPDX-License-Identifier: Apache-2.0
"""Another process has the database."""
import contextlib
import sqlite3


@contextlib.contextmanager
def lock(path):
    """Nobody else can write to it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute('PRAGMA busy_timeout = 5000')
    connection.execute('BEGIN IMMEDIATE')
    try:
        yield
    finally:
        connection.execute('ROLLBACK')
        connection.close()
