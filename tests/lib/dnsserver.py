# SPDX-License-Identifier: Apache-2.0
"""A DNS server for tests: answers from a table, over UDP and TCP.

    zone = Zone()
    zone.add('agency.example', 'TXT', 'v=spf1 -all')
    zone.add('agency.example', 'MX', (10, 'mx.agency.example'))
    zone.time_out('slow.example')            # any type, no answer at all
    zone.fail('broken.example', 'TXT')       # SERVFAIL
    with DnsServer(zone) as server:
        run('--dns-server', server.address)  # "127.0.0.1@PORT"
        server.queries                       # [('udp', 'agency.example', 'TXT')]

It answers as a forwarder does: CNAME chains are followed.  An answer that is
too long for the client's UDP size is truncated, and whole over TCP.
"""
import socket
import socketserver
import struct
import threading

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

CHAIN_MAX = 16


def name_of(text):
    """Any bytes may stand in a label; only "." separates."""
    labels = [label.encode() for label in text.rstrip('.').split('.') if label]
    return dns.name.Name(labels + [b''])


def text_wire(value):
    """Character-strings of a TXT: a list of them, or one text that is cut."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    strings = []
    for part in parts:
        octets = part if isinstance(part, bytes) else part.encode()
        strings += [octets[i:i + 255] for i in range(0, len(octets), 255)] \
            or [b'']
    return b''.join(bytes([len(s)]) + s for s in strings or [b''])


def rdata_of(kind, value):
    if kind in (dns.rdatatype.TXT, dns.rdatatype.SPF):
        wire = text_wire(value)
    elif kind == dns.rdatatype.MX:
        wire = struct.pack('!H', int(value[0])) + name_of(value[1]).to_wire()
    elif kind in (dns.rdatatype.CNAME, dns.rdatatype.PTR, dns.rdatatype.NS):
        wire = name_of(value).to_wire()
    elif kind == dns.rdatatype.A:
        wire = socket.inet_pton(socket.AF_INET, value)
    elif kind == dns.rdatatype.AAAA:
        wire = socket.inet_pton(socket.AF_INET6, value)
    else:
        return dns.rdata.from_text(dns.rdataclass.IN, kind, value)
    return dns.rdata.from_wire(dns.rdataclass.IN, kind, wire, 0, len(wire))


class Zone:
    def __init__(self, ttl=300):
        self.ttl = ttl
        self.records = {}   # name -> type -> [rdata]
        self.failures = {}  # (name, type or None) -> 'timeout' or 'servfail'

    def add(self, name, kind, value):
        kind = dns.rdatatype.from_text(kind)
        rdatas = self.records.setdefault(name_of(name), {}) \
            .setdefault(kind, [])
        rdata = rdata_of(kind, value)
        if rdata not in rdatas:
            rdatas.append(rdata)

    def _fail(self, how, name, kind):
        kind = kind and dns.rdatatype.from_text(kind)
        self.failures[name_of(name), kind] = how

    def time_out(self, name, kind=None):
        """Queries that find no record of their type get no answer."""
        self._fail('timeout', name, kind)

    def fail(self, name, kind=None):
        self._fail('servfail', name, kind)

    def failure(self, name, kind):
        if kind in self.records.get(name, {}):
            return None
        return self.failures.get((name, kind)) \
            or self.failures.get((name, None))

    def exists(self, name):
        return any(known.is_subdomain(name) for known in self.records)


def negative(zone, response, name):
    soa = dns.rrset.from_text(
        name if len(name) < 3 else dns.name.Name(name.labels[-2:]), 60, 'IN',
        'SOA', 'ns.invalid. root.invalid. 1 3600 600 86400 60')
    response.authority.append(soa)
    if not zone.exists(name):
        response.set_rcode(dns.rcode.NXDOMAIN)


def answer(zone, query):
    """The response; None is a timeout."""
    response = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    name, kind = question.name, question.rdtype
    for _ in range(CHAIN_MAX):
        failure = zone.failure(name, kind)
        if failure == 'timeout':
            return None
        if failure:
            break
        here = zone.records.get(name, {})
        if kind in here or dns.rdatatype.CNAME not in here:
            if kind in here:
                response.answer.append(dns.rrset.from_rdata_list(
                    name, zone.ttl, here[kind]))
            else:
                negative(zone, response, name)
            return response
        alias = here[dns.rdatatype.CNAME]
        response.answer.append(
            dns.rrset.from_rdata_list(name, zone.ttl, alias))
        name = alias[0].target
    response.answer = []
    response.set_rcode(dns.rcode.SERVFAIL)
    return response


class DnsServer:
    def __init__(self, zone, address='127.0.0.1'):
        self.zone = zone
        # (query, answer's octets, transport) -> list of what is sent instead
        self.distort = None
        self.queries = []   # (transport, name, type) in the order they came
        self._lock = threading.Lock()
        self._open(address)

    def _open(self, address):
        """The same free port for both transports."""
        server = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self):
                octets, sock = self.request
                for reply in server._replies(octets, 'udp'):
                    sock.sendto(reply, self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self):
                try:
                    while head := self.rfile.read(2):
                        octets = self.rfile.read(
                            struct.unpack('!H', head)[0])
                        replies = server._replies(octets, 'tcp')
                        if not replies:
                            return
                        for reply in replies:
                            self.wfile.write(
                                struct.pack('!H', len(reply)) + reply)
                except OSError:
                    pass

        class Udp(socketserver.ThreadingUDPServer):
            daemon_threads = True

        class Tcp(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        for _ in range(20):
            self._udp = Udp((address, 0), Datagram)
            self.port = self._udp.server_address[1]
            try:
                self._tcp = Tcp((address, self.port), Stream)
                break
            except OSError:
                self._udp.server_close()
        else:
            raise OSError('no port is free for both UDP and TCP')
        self.address = f'{address}@{self.port}'

    def _replies(self, octets, transport):
        reply = self._reply(octets, transport)
        if reply and self.distort:
            return self.distort(
                dns.message.from_wire(octets), reply, transport)
        return [reply] if reply else []

    def _reply(self, octets, transport):
        try:
            query = dns.message.from_wire(octets)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        with self._lock:
            self.queries.append(
                (transport, question.name.to_text(omit_final_dot=True).lower(),
                 dns.rdatatype.to_text(question.rdtype)))
        response = answer(self.zone, query)
        if response is None:
            return None
        size = 65535 if transport == 'tcp' else max(512, query.payload)
        try:
            return response.to_wire(max_size=size)
        except dns.exception.TooBig:
            response.answer = []
            response.flags |= dns.flags.TC
            return response.to_wire()

    def __enter__(self):
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.05,),
                             daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
