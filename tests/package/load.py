# SPDX-License-Identifier: Apache-2.0
"""Clients that send until their time is over, each message with a name of its
own, each in a connection of its own; what they saw is printed as JSON.

421 before a message, or a connection that ends with 421, is an answer that a
client may get at any time: it connects again.  A connection that is refused,
or that ends without a word, is not.
"""
import argparse
import json
import pathlib
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'lib'))

from net import Smtp  # noqa: E402

SENDER, USER = 'news@shop.example', 'user@agency.example'
lock = threading.Lock()
seen = {'accepted': 0, 'refused': 0, 'put_off': 0, 'problems': [],
        'names': []}


def send(name):
    message = (f'From: {SENDER}\r\nTo: {USER}\r\nSubject: {name}\r\n'
               'Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n'
               f'Message-ID: <{name}@shop.example>\r\n\r\ntext\r\n').encode()
    with Smtp(25, seconds=60) as client:
        if client.greeting.startswith('421'):
            return client.greeting
        reply = client.mail(SENDER, USER, message)
        if reply.startswith('250'):
            client.command('QUIT')
        return reply


def note(name, reply):
    with lock:
        if reply.startswith('250'):
            seen['accepted'] += 1
            seen['names'].append(name)
        elif reply.startswith('421'):
            seen['put_off'] += 1
        else:
            seen['problems'].append(reply or 'closed without a word')


def work(goes_on):
    while goes_on():
        name = uuid.uuid4().hex
        try:
            note(name, send(name))
        except ConnectionRefusedError:
            with lock:
                seen['refused'] += 1
        except OSError as error:
            note(name, f'{type(error).__name__}: {error}')
        time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--clients', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=0)
    parser.add_argument('--messages', type=int, default=0)
    args = parser.parse_args()
    until = time.monotonic() + args.seconds
    if args.messages:
        for number in range(args.messages):
            once = iter([True])
            work(lambda: next(once, False))
    else:
        threads = [threading.Thread(
            target=work, args=[lambda: time.monotonic() < until])
            for _ in range(args.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(json.dumps(seen))


main()
