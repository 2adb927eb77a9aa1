# SPDX-License-Identifier: Apache-2.0
"""The DNS that the stories share.

    shop.example       may send from 127.0.0.1 and 192.0.2.10; p=reject
    bank.example       p=reject          quarantine.example  p=quarantine
    testing.example    p=reject; t=y     none.example        p=none
    partner.example    signs; p=reject   lists.example       seals
    soft.example       SPF ~all, signs; p=reject
    agency.example     ours, without any DMARC record
"""
from mail import Signer

STRANGER = '192.0.2.200'
SHOP = '192.0.2.10'
LIST = '192.0.2.30'

PARTNER = Signer('partner.example')
LISTS = Signer('lists.example')
SOFT = Signer('soft.example')

ZONE = f'''
agency.example.              TXT "v=spf1 ip4:198.51.100.1 -all"
open.agency.example.         TXT "v=spf1 +all"
shop.example.                TXT "v=spf1 ip4:127.0.0.1 ip4:{SHOP} -all"
_dmarc.shop.example.         TXT "v=DMARC1; p=reject"
bank.example.                TXT "v=spf1 ip4:198.51.100.25 -all"
_dmarc.bank.example.         TXT "v=DMARC1; p=reject"
quarantine.example.          TXT "v=spf1 -all"
_dmarc.quarantine.example.   TXT "v=DMARC1; p=quarantine"
testing.example.             TXT "v=spf1 -all"
_dmarc.testing.example.      TXT "v=DMARC1; p=reject; t=y"
none.example.                TXT "v=spf1 -all"
_dmarc.none.example.         TXT "v=DMARC1; p=none"
partner.example.             TXT "v=spf1 -all"
_dmarc.partner.example.      TXT "v=DMARC1; p=reject"
lists.example.               TXT "v=spf1 ip4:{LIST} -all"
soft.example.                TXT "v=spf1 ~all"
_dmarc.soft.example.         TXT "v=DMARC1; p=reject"
plain.example.               A 192.0.2.1
''' + PARTNER.zone_line + LISTS.zone_line + SOFT.zone_line
