# SPDX-License-Identifier: Apache-2.0
"""Content that wants to cost much, as pieces of what DATA sends."""
import base64
import hashlib

PIECE = 1 << 16
END = b'\r\n.\r\n'
TOP = (b'From: news@shop.example\r\nTo: user@agency.example\r\n'
       b'Subject: attack\r\nDate: Mon, 04 Jan 2027 10:00:00 +0000\r\n'
       b'Message-ID: <attack@shop.example>\r\nMIME-Version: 1.0\r\n')
LINE = b'0123456789' * 7 + b'\r\n'


def many(line, count):
    """The line count times, in large pieces."""
    step = max(1, PIECE // len(line))
    for start in range(0, count, step):
        yield line * min(step, count - start)


def after(*parts):
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from part


def text(size):
    return after(TOP, b'\r\n', many(LINE, size // len(LINE)), END)


def long_header(size):
    """Of fields that are each within their limit."""
    field = b'X-Long: ' + b'x' * 900 + b'\r\n'
    return after(TOP, many(field, size // len(field)), b'\r\nbody', END)


def long_field(size):
    return after(TOP, b'X-Long: y\r\n', many(b' ' + LINE, size // 73),
                 b'\r\nbody', END)


def long_line(size):
    return after(TOP, b'X-Long: ', many(b'x' * PIECE, size // PIECE),
                 b'\r\n\r\nbody', END)


def fields(count):
    return after(TOP, many(b'a: \r\n', count), b'\r\nbody', END)


def signatures(count):
    """Each looks like one that has to be verified."""
    field = (b'DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=%d;\r\n'
             b' h=from; bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=;\r\n'
             b' b=MTIz\r\n')
    return after(*(field % number for number in range(count)), TOP,
                 b'\r\nbody', END)


def absent_names(count):
    """Signatures over fields that are not there, beside others of names as
    long and alike; only their bodies are right."""
    name = b'X-' + b'a' * 56
    digest = base64.b64encode(hashlib.sha256(b'body\r\n').digest())
    absent = b':\r\n '.join(b'%sY%02d' % (name, number)
                           for number in range(100)) + b':\r\n '
    field = (b'DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=%d;\r\n'
             b' bh=' + digest + b'; b=MTIz;\r\n h=' + absent * 2 +
             b'from\r\n')
    return after(TOP, many(name + b'zzz: x\r\n', count),
                 *(field % number for number in range(10)),
                 b'\r\nbody', END)


def comments(count):
    """An author inside many comments."""
    octets = b'From: ' + b'(' * 900 + b'\r\n'
    deep = many(b' ' + b'(' * 900 + b'\r\n', count // 900)
    return after(octets, deep, b' x@shop.example\r\n',
                 TOP.split(b'\r\n', 1)[1], b'\r\nbody', END)


def parts(count):
    return after(TOP, b'Content-Type: multipart/mixed; boundary=b\r\n\r\n',
                 many(b'--b\r\n\r\nx\r\n', count), b'--b--', END)


def nested(count):
    """multipart in multipart, each with its own boundary."""
    return after(TOP, b'Content-Type: multipart/mixed; boundary=b0\r\n\r\n',
                 *(b'--b%d\r\nContent-Type: multipart/mixed; '
                   b'boundary=b%d\r\n\r\n' % (n, n + 1)
                   for n in range(count)), b'x', END)


def nested_messages(count):
    return after(TOP, b'Content-Type: message/rfc822\r\n\r\n',
                 many(b'Content-Type: message/rfc822\r\n\r\n', count),
                 b'x', END)


KINDS = {'text': text, 'long header': long_header, 'long field': long_field,
         'long line': long_line, 'fields': fields, 'signatures': signatures,
         'absent names': absent_names,
         'comments': comments, 'parts': parts, 'nested': nested,
         'nested messages': nested_messages}
OCTETS = ('text', 'long header', 'long field', 'long line')


def title(kind, size):
    return f'{kind}, {size / 1e6:.0f} MB' if kind in OCTETS else \
        f'{kind}, {size:,}'
