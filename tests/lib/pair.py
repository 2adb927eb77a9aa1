# SPDX-License-Identifier: Apache-2.0
"""A Postfix that asks a Gatehouse as its milter, and delivers itself."""
import pwd

from gatehouse import listener
from net import Smtp, free_port
from postfix import Postfix
from world import SHOP

EXTRA = '''virtual_mailbox_domains = agency.example
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/etc/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
message_size_limit = 0
virtual_mailbox_limit = 0
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_milters = {milter}
milter_default_action = tempfail
milter_connect_timeout = 5s
'''


def make_postfix(folder, milter, more=''):
    uid = pwd.getpwnam('nobody').pw_uid
    postfix = Postfix(folder, free_port(), 'mx.agency.example',
                      'permit_mynetworks, permit_auth_destination, reject',
                      EXTRA.format(root=folder, uid=uid, milter=milter) + more)
    (postfix.config / 'users').write_text(
        ''.join(f'{user}@agency.example {user}/\n'
                for user in ('user', 'other')))
    return postfix


def milter_changes(address=None, **more):
    """The configuration of a milter and nothing else."""
    return dict({'listeners': [listener('mta', 'milter') if not address else
                               {'name': 'mta', 'role': 'milter',
                                'address': address}],
                 'routes': []}, **more)


class Pair:
    """A Gatehouse and the Postfix that asks it."""

    def __init__(self, gate, postfix):
        self.gate = gate
        self.postfix = postfix

    def client(self, ip=SHOP, name='mail.shop.example'):
        return Smtp(self.postfix.port, xclient=f'ADDR={ip} NAME={name}')

    def mail(self, octets, sender='news@shop.example',
             to='user@agency.example', **more):
        with self.client(**more) as smtp:
            return smtp.mail(sender, to, octets)

    def arrived(self, user='user', **more):
        return [octets.replace(b'\n', b'\r\n')
                for octets in self.postfix.messages(user, **more)]
