# SPDX-License-Identifier: Apache-2.0
"""tools/need-packages: what a target lacks, and nothing that others need."""
import os
import pathlib
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()

# dpkg-query knows of packages that are not installed ("un"), too, and then
# ends with 0, as it did for debhelper: its status alone tells.
FAKE = '''#!/bin/sh
for last; do :; done
case "$last" in
"$THERE") echo installed ;;
"$REMOVED") echo config-files ;;
"$NAMED") echo not-installed ;;
*) exit 1 ;;
esac
'''


@pytest.mark.parametrize('target, there, code, lacks', [
    ('make deb', 'lintian', 1, 'debhelper'),
    ('make deb', 'debhelper', 1, 'lintian'),
    ('make check-image', 'buildah', 1, 'mmdebstrap'),
    ('make nothing', '', 0, ''),
])
def test_what_is_missing(tmp_path, target, there, code, lacks):
    fake = tmp_path / 'dpkg-query'
    fake.write_text(FAKE)
    fake.chmod(0o755)
    done = subprocess.run(
        [SOURCE / 'tools/need-packages', target], text=True,
        capture_output=True, env={
            'PATH': f'{tmp_path}:/usr/bin:/bin', 'THERE': there,
            'REMOVED': 'debhelper', 'NAMED': 'mmdebstrap'})
    assert done.returncode == code
    assert done.stderr == ((
        f'{target} needs Debian packages that are missing; install them as '
        f'root:\n  apt-get install --no-install-recommends {lacks}\n')
        if code else '')
