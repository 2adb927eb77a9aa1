# SPDX-License-Identifier: Apache-2.0
"""Certificates, made with openssl: an authority and what it signs."""
import pathlib
import ssl
import subprocess


def expires(path):
    """Seconds since 1970."""
    done = subprocess.run(['openssl', 'x509', '-in', path, '-noout',
                           '-enddate'], capture_output=True, text=True)
    return ssl.cert_time_to_seconds(done.stdout.strip().split('=')[1])


def openssl(*args, folder):
    done = subprocess.run(['openssl', *args], cwd=folder, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    """ca.pem in the folder, and NAME.pem with NAME.key on demand."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = str(self.folder / 'ca.pem')
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                '-subj', '/CN=test authority', '-keyout', 'ca.key',
                '-out', 'ca.pem', folder=self.folder)

    def issue(self, name, alternative='DNS:{name}'):
        """(certificate, key) as paths; alternative='' is no subjectAltName."""
        lines = ['extendedKeyUsage=serverAuth,clientAuth']
        if alternative:
            lines.append('subjectAltName=' + alternative.format(name=name))
        (self.folder / 'extensions').write_text('\n'.join(lines) + '\n')
        openssl('req', '-newkey', 'ec', '-pkeyopt',
                'ec_paramgen_curve:prime256v1', '-nodes', '-subj',
                f'/CN={name}', '-keyout', f'{name}.key', '-out', 'request',
                folder=self.folder)
        openssl('x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey',
                'ca.key', '-CAcreateserial', '-days', '2', '-extfile',
                'extensions', '-out', f'{name}.pem', folder=self.folder)
        return (str(self.folder / f'{name}.pem'),
                str(self.folder / f'{name}.key'))
