# SPDX-License-Identifier: Apache-2.0
"""What run-fuzz and run-coverage share: the fuzz targets, built, with their
inputs, and the sources that each is meant to try."""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / 'build-fuzz/corpus'

# Big enough for what a limit must stop, small enough to be quick.
MAX_LEN = 8192
# Of scripts: long ones only repeat themselves.
SCRIPT_MAX = {'fuzz_smtp_session': 3072, 'fuzz_milter_session': 2048}

# Inputs of unit tests that are a target's too.
MORE_SEEDS = {'fuzz_smtp_session': ROOT / 'tests/dialogues'}

# The parsers that a target is for, below src/.
PARSERS = {
    'fuzz_address': ['message/address.c'],
    'fuzz_arc': ['auth/arc_set.c'],
    'fuzz_authres': ['auth/authres_read.c', 'auth/authres_claims.c',
                     'auth/authres_text.c', 'auth/authres_write.c',
                     'auth/authres_exchange.c'],
    'fuzz_body_hash': ['auth/body_hash.c'],
    'fuzz_config': ['conf/yaml.c', 'conf/load.c', 'conf/value.c',
                    'conf/number.c', 'conf/next_hop.c', 'conf/dump.c',
                    'conf/check.c'],
    'fuzz_dkim_key': ['auth/dkim_key.c', 'auth/rsa_der.c'],
    'fuzz_dkim_signature': ['auth/dkim_signature.c', 'auth/dkim_canon.c'],
    'fuzz_dmarc_record': ['auth/dmarc_record.c'],
    'fuzz_header_from': ['auth/header_from.c'],
    'fuzz_headers': ['message/headers.c', 'message/faults.c'],
    'fuzz_http_get': ['cli/http_get.c', 'cli/samples.c'],
    'fuzz_ip': ['base/ip.c'],
    'fuzz_milter_packet': ['milter/packet.c', 'milter/macros.c',
                           'milter/options.c', 'milter/header_field.c'],
    'fuzz_milter_session': ['milter/milter_session.c',
                            'milter/milter_message.c', 'milter/answer.c',
                            'milter/mta_address.c'],
    'fuzz_mime_decode': ['mime/decode.c', 'mime/charset.c'],
    'fuzz_mime_field': ['mime/field.c', 'mime/words.c'],
    'fuzz_mime_tree': ['mime/tree.c', 'mime/boundary.c', 'mime/part.c',
                       'mime/content.c'],
    'fuzz_proxy_protocol': ['smtp/proxy_protocol.c'],
    'fuzz_rdata': ['dns/rdata.c', 'dns/wire.c', 'dns/name.c',
                   'dns/negative.c'],
    'fuzz_smtp_command': ['smtp/command.c', 'smtp/line.c'],
    'fuzz_smtp_data': ['smtp/data.c', 'base/lines.c'],
    'fuzz_smtp_reply': ['smtp/reply.c', 'smtp/capabilities.c'],
    'fuzz_smtp_session': [
        'smtp/session.c', 'smtp/session_command.c', 'smtp/session_reply.c',
        'smtp/verbs.c', 'smtp/transaction.c',
        'smtp/cmd_helo.c', 'smtp/cmd_mail.c', 'smtp/cmd_rcpt.c',
        'smtp/cmd_data.c', 'smtp/cmd_auth.c', 'smtp/xclient.c',
        'smtp/delivery.c', 'smtp/delivery_pause.c', 'smtp/repeat.c',
        'smtp/client.c', 'smtp/client_mail.c', 'smtp/client_auth.c',
        'smtp/xforward.c', 'smtp/proxy_header.c', 'smtp/dot_stuff.c'],
    'fuzz_spf_macro': ['auth/spf_macro.c'],
    'fuzz_spf_record': ['auth/spf_record.c'],
    'fuzz_taglist': ['auth/taglist.c'],
    'fuzz_text': ['base/text.c'],
    'fuzz_zone': ['dns/zone.c', 'dns/zone_entry.c', 'dns/zone_rdata.c'],
}


def max_len(name):
    return SCRIPT_MAX.get(name, MAX_LEN)


def seeds(name):
    """Folders of the inputs that are kept in the tree."""
    folders = [ROOT / 'tests/seeds' / name, MORE_SEEDS.get(name)]
    return [str(folder) for folder in folders if folder and folder.is_dir()]


def build(folder, options):
    """Path of each target by name, built with clang and Meson's options."""
    if not (folder / 'build.ninja').exists():
        subprocess.run(
            ['meson', 'setup', str(folder), '-Dfuzz=true', '-Db_lundef=false',
             *options],
            check=True, env=dict(os.environ, CC='clang-14'), cwd=ROOT,
            stdout=subprocess.DEVNULL)
    # Tells a tree that was edited to configure itself again.
    ninja = ['ninja', '-C', str(folder), '--quiet']
    subprocess.run([*ninja, 'build.ninja'], check=True,
                   stdout=subprocess.DEVNULL)
    listed = subprocess.run(
        ['meson', 'introspect', '--targets', str(folder)],
        check=True, capture_output=True, text=True).stdout
    targets = {target['name']: pathlib.Path(target['filename'][0])
               for target in json.loads(listed)
               if target['name'].startswith('fuzz_')
               and target['type'] == 'executable'}
    done = subprocess.run(
        [*ninja, *(str(path.relative_to(folder))
                   for path in targets.values())],
        stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout)
    return targets
