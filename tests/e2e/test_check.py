# SPDX-License-Identifier: Apache-2.0
"""`gatehouse check`: exit codes and the JSON that scripts rely on."""
import json
import re
import shutil
import subprocess

import pytest

from certificates import Authority

from dnsserver import DnsServer, Zone
from gatehouse import binary, listener
from mail import message
from world import PARTNER, SHOP, STRANGER, ZONE

# Every key of the contract, with its type.
KEYS = {
    'verdict': str, 'smtp_reply': str, 'reason': str,
    'spf': {'result': str, 'domain': str, 'identity': str,
            'explanation': str, 'dns_lookups': int},
    'dkim': [{'result': str, 'domain': str, 'selector': str,
              'algorithm': str, 'identity': str, 'reason': str,
              'body_length_limited': bool}],
    'arc': {'result': str, 'oldest_pass': int, 'sealer': str},
    'dmarc': {'result': str, 'from_domain': str, 'policy': str,
              'applied_policy': str, 'policy_domain': str,
              'organizational_domain': str, 'spf_aligned': bool,
              'dkim_aligned': bool, 'record': str,
              'override': (str, type(None))},
    'own_domain': {'result': str},
    'authentication_results': str,
    'message': {'malformed': [str], 'from': [str], 'size': int,
                'parts': [dict]},
    'markings': [dict], 'labels': [str], 'sensitive_information': [dict],
    'rules': [dict],
    'recipients': [{'address': str, 'verdict': str}],
    'headers': {'added': [str], 'removed': [str]},
    'dns_queries': [{'name': str, 'type': str, 'rcode': str}],
}


def compare(contract, value, path='$'):
    if isinstance(contract, dict):
        assert isinstance(value, dict), path
        for key, inner in contract.items():
            assert key in value, f'{path}.{key} is missing'
            compare(inner, value[key], f'{path}.{key}')
    elif isinstance(contract, list):
        assert isinstance(value, list), path
        for number, item in enumerate(value):
            compare(contract[0], item, f'{path}[{number}]')
    else:
        assert isinstance(value, contract), (path, value)


@pytest.fixture
def gate(make_gate):
    """The commands alone: nothing is started."""
    return make_gate(start=False, zone=ZONE)


def check(gate, octets, *more, code=0, ip=STRANGER, helo='client.example',
          sender='x@plain.example', to='user@agency.example'):
    out = gate.run('check', '-c', str(gate.path), '--client-ip', ip,
                   '--helo', helo, '--mail-from', sender, '--rcpt-to', to,
                   '--json', *more, '-', octets=octets, code=code)
    return json.loads(out) if out else None


CASES = [
    # From, sender, client, verdict
    ('news@shop.example', 'news@shop.example', SHOP, 'accept'),
    ('x@bank.example', 'x@plain.example', STRANGER, 'reject'),
    ('x@quarantine.example', 'x@plain.example', STRANGER, 'quarantine'),
    ('x@testing.example', 'x@plain.example', STRANGER, 'quarantine'),
    ('x@none.example', 'x@plain.example', STRANGER, 'accept'),
    ('x@agency.example', 'x@plain.example', STRANGER, 'reject'),
    ('x@agency.example', '', STRANGER, 'reject'),
]


@pytest.mark.parametrize('author, sender, ip, verdict', CASES)
def test_every_key_is_there(gate, author, sender, ip, verdict):
    facts = check(gate, PARTNER.sign(message(author)), sender=sender, ip=ip)
    compare(KEYS, facts)
    assert facts['verdict'] == verdict
    assert facts['recipients'] == [
        {'address': 'user@agency.example', 'verdict': verdict}]
    if verdict == 'reject':
        assert facts['smtp_reply'].startswith('550 5.7.1')
        assert facts['reason']
    assert facts['authentication_results'].startswith('mx1.agency.example;')
    assert facts['message']['from'] == [author]
    assert facts['message']['malformed'] == []


def test_check_says_what_the_live_path_says(gate):
    gate.start()
    for author, sender, ip, verdict in CASES:
        sent = message(author)
        checked = check(gate, sent, sender=sender, ip=ip)
        reply = gate.mail(sent, sender, ip=ip)
        assert reply[0] == checked['smtp_reply'][0] or \
            verdict == 'quarantine', (reply, checked['smtp_reply'])
        told = reply.split(' (id')[0]
        if verdict == 'reject':
            assert told == checked['smtp_reply'].split(' (id')[0]


def test_check_has_no_side_effects(gate):
    check(gate, message('x@quarantine.example'))
    check(gate, message())
    assert gate.delivered() == []
    assert list((gate.folder / 'state').iterdir()) == []


def test_malformed_messages_are_described(gate):
    facts = check(gate, message(None))
    assert facts['message']['malformed'], facts['message']
    assert facts['verdict'] == 'reject'
    bare = check(gate, message().replace(b'Hello.\r\n', b'Hello.\n'))
    assert bare['smtp_reply'].startswith('550 5.5.2')
    end = check(gate, message() + b'no line end\r')
    assert end['message']['malformed'] == ['bare-cr']
    assert end['smtp_reply'].startswith('550 5.5.2')


def test_dns_options(gate):
    facts = check(gate, message('x@bank.example'), '--dns-fail',
                  '_dmarc.bank.example/TXT=servfail')
    assert facts['verdict'] == 'defer'
    assert facts['smtp_reply'].startswith('451 4.')
    queries = {(one['name'], one['rcode']) for one in facts['dns_queries']}
    assert ('_dmarc.bank.example', 'SERVFAIL') in queries
    facts = check(gate, message('x@bank.example'), '--dns-fail',
                  '_dmarc.bank.example=timeout')
    assert facts['verdict'] == 'defer'
    zone = Zone()
    zone.add('plain.example', 'TXT', f'v=spf1 ip4:{STRANGER} -all')
    with DnsServer(zone) as server:
        facts = check(gate, message(), '--dns-server', server.address)
    assert facts['spf']['result'] == 'pass'
    facts = check(gate, message(), '--hostname', 'mx9.agency.example')
    assert facts['authentication_results'].startswith('mx9.agency.example;')


def test_the_clock_can_be_set(gate):
    gate.write(connectors=[{
        'name': 'Scanner', 'addresses': [STRANGER], 'expires': '2027-01-31',
        'may_send_as': ['agency.example'], 'owner': 'facilities',
        'reason': 'scanner'}])
    for now, verdict in (('2027-01-31T12:00:00Z', 'accept'),
                         ('2027-02-02T12:00:00Z', 'reject')):
        facts = check(gate, message('x@agency.example'), '--now', now)
        assert facts['verdict'] == verdict, now


def as_on_a_host(etc, *args, octets=b''):
    """With this folder as the only one in /etc."""
    script = 'mount -t tmpfs none /etc && cp -r "$1" /etc && shift && "$@"'
    done = subprocess.run(
        ['unshare', '-rm', 'sh', '-c', script, 'sh', str(etc), binary(),
         *args], input=octets, capture_output=True)
    if b'unshare' in done.stderr or b'mount' in done.stderr:
        pytest.skip('no namespaces here')
    return done


def test_the_services_file_judges(gate, folder):
    """Without -c; and which configuration it was is said."""
    etc = folder / 'gatehouse'
    etc.mkdir()
    wanted = ['check', '--client-ip', STRANGER, '--helo', 'h.example',
              '--mail-from', '', '--rcpt-to', 'user@agency.example',
              '--zone', str(gate.folder / 'zone'), '--json', '-']
    forged = message('x@agency.example')
    done = as_on_a_host(etc, *wanted, octets=forged)
    assert done.returncode == 0 and b'built-in defaults' in done.stderr
    assert json.loads(done.stdout)['own_domain']['result'] == 'none'
    shutil.copy(gate.path, etc / 'gatehouse.yaml')
    done = as_on_a_host(etc, *wanted, octets=forged)
    assert b'/etc/gatehouse/gatehouse.yaml judges' in done.stderr
    assert json.loads(done.stdout)['verdict'] == 'reject'
    # One that is wrong is no reason to judge by another.
    (etc / 'gatehouse.yaml').write_text('hostnam: x\n')
    assert as_on_a_host(etc, *wanted, octets=forged).returncode == 78
    # With -c there is nothing to say.
    done = gate.command(*wanted, '-c', str(gate.path), octets=forged)
    assert done.stderr == b''


def test_exit_codes(gate, tmp_path):
    sent = tmp_path / 'message.eml'
    sent.write_bytes(message())
    right = ['check', '-c', str(gate.path), '--client-ip', SHOP, '--helo',
             'h.example', '--mail-from', '', '--rcpt-to',
             'user@agency.example']
    gate.run(*right, str(sent))
    gate.run(*right, str(tmp_path / 'none.eml'), code=66)
    gate.run(*right, '--client-ip', 'nonsense', str(sent), code=2)
    gate.run('check', str(sent), code=2)
    gate.run(*right, '--unknown', str(sent), code=2)
    gate.run('nonsense', code=2)
    help_text = gate.run('check', '--help')
    assert gate.run('check', '-h') == gate.run('help', 'check') == help_text
    assert ' 70 ' in help_text
    assert 'config dump' in gate.run('help', 'config')
    assert gate.run('config', '--help') == gate.run('help', 'config')
    assert 'gatehouse COMMAND' in gate.run('help')
    gate.run('help', 'nonsense', code=2)
    gate.run('nonsense', '--help', code=2)
    gate.path.write_text('hostnam: x\n')
    gate.run(*right, str(sent), code=78)
    gate.run('config', 'check', '-c', str(gate.path), code=78)
    gate.run('explain', 'x', '--store', f'sqlite:{tmp_path}/none.db',
             code=66)


def obeyed(text):
    """Characters that a terminal may obey."""
    return [hex(ord(c)) for c in text if
            (ord(c) < 0x20 and c not in '\t\n') or 0x7f <= ord(c) < 0xa0 or
            c in '\u061c\u200e\u200f' or '\u2028' <= c <= '\u202e' or
            '\u2066' <= c <= '\u2069']


def test_a_terminal_obeys_no_stranger(make_gate, tmp_path):
    """What stands in messages and DNS is printed, but not as it is."""
    evil = '\u009b31m \u202e \u200f \u061c \u2066 \x7f \x1b[2J caf\u00e9'
    record = ''.join(c if c.isascii() and c.isprintable() else
                     ''.join(f'\\{octet:03d}' for octet in c.encode())
                     for c in evil)
    gate = make_gate(zone=ZONE + f"""
evil.example.        TXT "v=spf1 exp=x.evil.example -all"
x.evil.example.      TXT "go {record}"
_dmarc.evil.example. TXT "v=DMARC1; p=none; rua=mailto:a@x; {record}"
""")
    sent = (f'From: "{evil}" <a\u009bb@evil.example>\r\n'
            f'Subject: {evil}\r\nMessage-ID: <1{evil}@x.example>\r\n'
            'DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=\u009bx;'
            ' h=from; bh=AAAA; b=AAAA; i=\u009b@evil.example\r\n'
            '\r\nx\r\n').encode()
    (tmp_path / 'm.eml').write_bytes(sent)
    gate.mail(sent, 'x@evil.example', ip=STRANGER)
    identity = gate.json('search')[0]['id']
    at = ['-c', str(gate.path)]
    zone = ['--zone', str(gate.folder / 'zone')]
    who = ['--client-ip', '192.0.2.1', '--helo', 'h', '--mail-from',
           'x@evil.example']
    for words in (['search', *at], ['explain', identity, *at],
                  ['check', *who, '--rcpt-to', 'user@agency.example', *at,
                   str(tmp_path / 'm.eml')],
                  ['dmarc', '--from-domain', 'evil.example', *zone],
                  ['spf', *who, *zone]):
        assert obeyed(gate.run(*words)) == [], words
        told = gate.run(*words, '--json')
        assert obeyed(told) == [], words
        if words[0] != 'spf':
            assert evil.split()[-1] in told
        json.loads(told)
    assert evil in gate.json('search')[0]['subject']


def test_output_on_a_full_disk_is_no_success(make_gate):
    at = ['-c', str(make_gate(zone=ZONE).path)]
    for words in (['--version'], ['--help'], ['check', '--help'],
                  ['config', 'describe'],       # more than stdio keeps
                  ['config', 'describe', '--json'],
                  ['config', 'dump', *at], ['config', 'dump', '--json', *at],
                  ['status', *at], ['status', '--json', *at],
                  ['search', '--since', '1d', '--json', *at],
                  ['quarantine', 'list', '--json', *at], ['trace', *at]):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([binary(), *words], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        assert done.returncode == 75, done
        assert done.stderr.startswith('gatehouse: standard output: '), done


def test_errors_of_a_configuration_are_told_with_their_place(gate):
    gate.path.write_text('hostname: mx1.agency.example\n'
                         'lisstners: []\n'
                         'limits: {message_size: 1Z, threads: 0}\n')
    done = gate.command('config', 'check', '-c', str(gate.path))
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 78
    for place in (':2:1', ':3:', 'listeners', 'message_size', 'threads'):
        assert place in told, told


@pytest.mark.parametrize('words, told', [
    (['serv'], 'unknown command "serv"; did you mean "serve"?\n'
     'Try: gatehouse --help\n'),
    (['config', 'chek'], 'unknown command "config chek"; did you mean '
     '"config check"?\nTry: gatehouse config --help\n'),
    (['quarantine', 'frobnicate'], 'unknown command "quarantine frobnicate"\n'
     'Try: gatehouse quarantine --help\n'),
    (['help', 'config', 'chek'], 'unknown command "config chek"; did'),
    (['config', '--json'], 'usage: gatehouse config COMMAND'),
    (['config'], 'usage: gatehouse config COMMAND'),
])
def test_unknown_commands(words, told):
    done = subprocess.run([binary(), *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert told in done.stderr
    assert not done.stdout


def test_page_of_several_commands_names_all(folder):
    """whatis and apropos read this line alone."""
    subprocess.run([binary(), 'manual', str(folder)], check=True)
    text = (folder / 'gatehouse-quarantine.1').read_text()
    name = text.split('.SH NAME\n')[1].split('\n')[0]
    for word in ('list', 'show', 'deliver', 'delete'):
        assert word in name, name


def test_search_tells_what_the_next_hop_said(make_gate):
    """The reply to who sent an accepted message is not ours."""
    gate = make_gate(zone=ZONE)
    assert gate.mail(message(), ip=SHOP)[:3] == '250'
    assert gate.mail(message(sender='news@agency.example'),
                     ip=STRANGER)[:3] == '550'
    lines = gate.run('search', '-c', str(gate.path)).split('\n')
    assert lines[1].startswith('    550 5.7.1 mail from outside')
    assert lines[3] == '    250 2.0.0 delivered to the mailbox'
    assert not [line for line in lines[:-1] if not line.strip()]


def config_check(gate, code=0, **changes):
    gate.write(**changes)
    return gate.run('config', 'check', '-c', str(gate.path), code=code)


def test_certificates_and_keys_are_looked_at(gate, folder):
    authority = Authority(folder / 'ca')
    certificate, key = authority.issue('mx1.agency.example')
    _, other = authority.issue('mx2.agency.example')

    def with_tls(certificate, key):
        return [listener(tls={'certificate': str(certificate),
                              'key': str(key)})]

    # The authority's certificates last two days.
    told = config_check(gate, listeners=with_tls(certificate, key))
    assert f'warning: listeners[0].tls.certificate: {certificate} ' \
        'expires soon' in told
    told = config_check(gate, 78, listeners=with_tls(certificate, other))
    assert f'error: listeners[0].tls: {other}: not the key of the ' \
        f'certificate in {certificate}\n' in told
    assert re.search(r'gatehouse\.yaml:\d+:\d+: error', told)
    subprocess.run(['openssl', 'x509', '-in', certificate, '-signkey', key,
                    '-days', '-1', '-out', str(folder / 'old.pem')],
                   check=True, capture_output=True)
    told = config_check(gate, listeners=with_tls(folder / 'old.pem', key))
    assert 'old.pem has expired' in told
    told = config_check(gate, 78, listeners=with_tls(key, key))
    assert 'no certificate chain' in told
    # One error is enough for a file that is not there.
    told = config_check(gate, 78, listeners=with_tls('/nowhere', key))
    assert len([line for line in told.split('\n') if 'error' in line]) == 1


def test_user_and_times_are_looked_at(gate):
    assert 'warning:' not in config_check(gate)
    told = config_check(gate, user='nobody-by-this-name')
    assert 'warning: user: there is no user "nobody-by-this-name"' in told
    told = config_check(gate, user='', limits={'drain_timeout': '2m'})
    assert 'warning: limits.drain_timeout: is longer than' in told
