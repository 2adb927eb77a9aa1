# SPDX-License-Identifier: Apache-2.0
"""What systemd does for a socket unit: binds, and execs with the socket as
descriptor 3.

    socket_activation.py PORT NAME COMMAND...
    socket_activation.py fd:NUMBER NAME COMMAND...

The second takes a socket that the caller has bound, and keeps: as systemd does
when the service is restarted.
"""
import os
import socket
import sys

if sys.argv[1].startswith('fd:'):
    listening = socket.socket(fileno=int(sys.argv[1][3:]))
else:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(('127.0.0.1', int(sys.argv[1])))
    listening.listen()
if listening.fileno() != 3:
    os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()),
                  LISTEN_FDNAMES=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
