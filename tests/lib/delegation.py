# SPDX-License-Identifier: Apache-2.0
"""Name servers from the root down, in a network that is nobody else's.

    done = subprocess.run([*INTERNET, program, 'argument', ...])

There every address is the machine's own, so that the addresses which each
resolver knows for the root are these servers'.  Who must not make a network
namespace cannot have it: CalledProcessError from check().
"""
import pathlib
import re
import selectors
import socket
import subprocess
import sys

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone

from net import DIES_WITH_US

ROOTS = pathlib.Path('/usr/share/dns/root.hints')
NETWORK = ['unshare', '--user', '--map-root-user', '--net', '--', 'sh', '-c',
           'ip link set lo up && ip route add local default dev lo && '
           'exec "$@"', 'sh']
INTERNET = [*NETWORK, sys.executable, __file__]

START = '$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n'

REFUSED = 'REFUSED'

# address -> [(origin, records)]; '': each of the root's
SERVERS = {
    '': [('.', '''
@ NS a.root-servers.net.
a.root-servers.net A 198.41.0.4
example NS ns.example.
ns.example A 198.51.100.1
''')],
    '198.51.100.1': [('example.', '''
ns A 198.51.100.1
near NS ns.near
ns.near A 198.51.100.2
far NS ns.provider
provider NS ns.provider
ns.provider A 198.51.100.3
nosoa NS ns.nosoa
ns.nosoa A 198.51.100.4
lame NS ns.lame
ns.lame A 198.51.100.5
silent NS ns.silent
ns.silent A 198.51.100.6
gone NS ns.gone
ns.gone A 198.51.100.7
ring NS ns.bell
bell NS ns.ring
half NS ns.lame
half NS ns.silent
half NS ns.gone
half NS ns.refusing
half NS ns.near
ns.refusing A 198.51.100.8
''')],
    '198.51.100.2': [('near.example.', '''
ns A 198.51.100.2
@ TXT "v=spf1 ip4:192.0.2.10 -all"
alias CNAME x.far.example.
'''), ('half.example.', '@ TXT "v=spf1 ip4:192.0.2.10 -all"\n')],
    '198.51.100.3': [('provider.example.', 'ns A 198.51.100.3\n'),
                     ('far.example.', '''
ns A 198.51.100.3
x TXT "v=spf1 ip4:192.0.2.10 -all"
''')],
    '198.51.100.4': [('nosoa.example.', 'ns A 198.51.100.4\n')],
    '198.51.100.5': [],
    '198.51.100.6': None,
    '198.51.100.8': REFUSED,
}


def check():
    """That it can be had here."""
    subprocess.run([*NETWORK, 'true'], check=True, capture_output=True)


def find(zone, name, kind):
    rrset = zone.get_rrset(name, kind)
    return [rrset] if rrset else []


def cut_above(zone, name):
    """The delegation that the name is at or below; nearest to the origin."""
    found = None
    while name != zone.origin:
        found = (find(zone, name, dns.rdatatype.NS) or [found])[0]
        name = name.parent()
    return found


def refer(zone, response, cut):
    response.authority.append(cut)
    for one in cut:
        response.additional += find(zone, one.target, dns.rdatatype.A)


def answer(zones, query):
    response = dns.message.make_response(query)
    question = query.question[0]
    if zones is REFUSED:
        response.set_rcode(dns.rcode.REFUSED)
        return response
    known = [zone for zone in zones if question.name.is_subdomain(zone.origin)]
    if not known:
        # A lame server, as many were: go and ask the root.
        refer(ROOT[0], response,
              find(ROOT[0], dns.name.root, dns.rdatatype.NS)[0])
        return response
    zone = max(known, key=lambda one: len(one.origin))
    cut = cut_above(zone, question.name)
    if cut:
        refer(zone, response, cut)
        return response
    response.flags |= dns.flags.AA
    response.answer += find(zone, question.name, question.rdtype) or \
        find(zone, question.name, dns.rdatatype.CNAME)
    if not response.answer:
        without = zone.origin == dns.name.from_text('nosoa.example')
        response.authority += find(
            zone, zone.origin,
            dns.rdatatype.NS if without else dns.rdatatype.SOA)
        if not any(name.is_subdomain(question.name) for name in zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
    return response


def read(zones):
    return [dns.zone.from_text(START + text, origin, relativize=False)
            for origin, text in zones]


ROOT = read(SERVERS[''])


def serve(selector):
    """Until the selector has something that is no name server's."""
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            octets, peer = key.fileobj.recvfrom(4096)
            query = dns.message.from_wire(octets)
            key.fileobj.sendto(answer(key.data, query).to_wire(), peer)


def main():
    selector = selectors.DefaultSelector()
    roots = re.findall(r'\sA\s+([\d.]+)', ROOTS.read_text())
    sockets = []
    for address, zones in SERVERS.items():
        for one in [address] if address else roots:
            sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sockets[-1].bind((one, 53))
            if zones is not None:
                selector.register(sockets[-1], selectors.EVENT_READ,
                                  zones if zones is REFUSED
                                  else read(zones))
    end, other_end = socket.socketpair()
    selector.register(end, selectors.EVENT_READ)
    # Its end of the pair closes when it ends.
    other_end.set_inheritable(True)
    child = subprocess.Popen([*DIES_WITH_US, *sys.argv[1:]], close_fds=False)
    other_end.close()
    serve(selector)
    return child.wait()


if __name__ == '__main__':
    sys.exit(main())
