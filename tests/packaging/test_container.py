# SPDX-License-Identifier: Apache-2.0
"""packaging/Containerfile: what it copies is there, and it is never root."""
import os
import pathlib
import re

SOURCE = pathlib.Path(os.environ.get('GATEHOUSE_SOURCE', '.')).resolve()
LINES = (SOURCE / 'packaging/Containerfile').read_text() \
    .replace('\\\n', ' ').split('\n')


def words(instruction):
    return [line.split()[1:] for line in LINES
            if line.startswith(instruction + ' ')]


def test_sources_exist():
    copied = [sources[:-1] for sources in words('COPY')
              if not sources[0].startswith('--from=')]
    assert len(copied) > 5
    for source in sum(copied, []):
        assert (SOURCE / source).exists(), source


def test_what_the_build_reads_is_copied():
    copied = {source.split('/')[0] for one in words('COPY') for source in one}
    text = (SOURCE / 'meson.build').read_text()
    for folder in re.findall(r"subdir\('([^'/]+)", text):
        assert folder in copied, folder


def test_only_debian_and_not_root():
    assert {one[0] for one in words('FROM')} == {'debian:12'}
    assert words('USER') == [['gatehouse']]
    last = max(i for i, line in enumerate(LINES) if line.startswith('RUN'))
    assert LINES.index('USER gatehouse') > last
    assert not words('ADD')


def test_it_is_the_debian_package():
    """Its dependencies name the libraries, once."""
    image = ' '.join(LINES)
    assert 'apt-get build-dep' in image and 'dpkg-buildpackage' in image
    assert '/tmp/gatehouse_*.deb' in image
    assert not re.search(r'\blib[a-z]+-?\d', image)


def test_the_package_names_what_it_is_built_with():
    """On a machine where everything is installed nobody would notice."""
    libraries = (SOURCE / 'packages.txt').read_text() \
        .split('# libraries\n')[1].split('# tests\n')[0].split()
    wanted = {name for name in libraries if name.endswith('-dev')}
    control = (SOURCE / 'packaging/debian/control').read_text()
    assert len(wanted) > 8
    missing = {name for name in wanted
               if not re.search(rf'\b{re.escape(name)}\b', control)}
    assert not missing
