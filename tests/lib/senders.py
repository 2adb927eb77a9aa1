# SPDX-License-Identifier: Apache-2.0
"""Arguments of MAIL and RCPT that are no addresses to RFC 5321, but to mail
servers."""
from mail import message

# What Postfix or Sendmail delivers as an address at agency.example, some only
# where that is a domain with mailboxes of its own.
OURS = (
    '<director@agency.example>',
    '<director@(x)agency.example>',
    '<director@agency(x).example>',
    '<director@agency.example(x)>',
    '<director @ agency.example>',
    '<<director@agency.example>>',
    '<director%agency.example>',
    '<agency.example!director>',
    '<director>',
    '<@none.example:director>',
    '<@none.example:director@agency.example>',
    '<"director@agency.example">',
    '<director@"agency.example">',
    '<director@\\agency.example>',
    '<director@agency.example.>',
    '<director%none.example@agency.example>',
    '<director%none.example@(x)agency.example>',
    '<director%none.example@agency.example(@none.example>',
    '<none.example!director@agency.example>',
    '<"director@none.example"@agency.example>',
    '<"director@none.example"@(x)agency.example>',
    '<director@none.example@agency.example>',
)


def mail(smtp, sender, to='<user@agency.example>', octets=None):
    """The first refusal, or the reply to the message."""
    for text in (f'MAIL FROM:{sender}', f'RCPT TO:{to}'):
        reply = smtp.command(text)
        if not reply.startswith('2'):
            return reply
    return smtp.data(octets or message())


def check_ours(pair, stranger, **more):
    """A stranger may use none of them.  Code and status for each."""
    replies = {}
    for sender in OURS:
        with pair.client(ip=stranger) as smtp:
            replies[sender] = mail(
                smtp, sender, octets=message('news@elsewhere.example'),
                **more)[:9]
    taken = [sender for sender, reply in replies.items() if reply[0] != '5']
    assert not taken, taken
    assert 'verdict=accept' not in pair.gate.log()
    return replies
