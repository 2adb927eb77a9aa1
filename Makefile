# SPDX-License-Identifier: Apache-2.0
# A thin front: Meson builds, tools/ checks.  See README.md.

BUILD ?= build
TESTDATA ?= ../shared/testdata
DESTDIR ?=
T ?= 10
MESON_OPTIONS = -Dtestdata=$(TESTDATA)

.PHONY: all setup run test check check-all sanitize clang tidy fuzz faults \
	coverage bench bench-peers load install \
	uninstall deb check-deb check-image format clean

all: setup
	@ninja -C $(BUILD) $(if $(MAKE_TERMOUT),,--quiet)

setup:
	@tools/install-packages
	@[ -f $(BUILD)/build.ninja ] || \
		meson setup $(BUILD) $(MESON_OPTIONS) --prefix=/usr >/dev/null

# The gateway on 127.0.0.1:2525 with a demonstration zone; no network needed.
run: all
	@examples/quickstart/run $(BUILD)

# Everything that must hold: static checks, unit tests, public suites and
# end-to-end tests.  Ends with "N passed, N failed".
test: all
	@tools/run-tests $(BUILD)

check:
	@tools/check-layers
	@tools/check-size
	@tools/check-format

# Slower: the same under sanitizers and clang, clang-tidy, a fuzz smoke run.
check-all: test sanitize clang tidy fuzz

sanitize: setup
	@tools/run-sanitizers

clang: setup
	@tools/run-clang

tidy: setup
	@tools/run-tidy

# make fuzz T=60 runs every target for 60 seconds, H=1 until each has had an
# hour of CPU; docs/FUZZING.md.
fuzz: setup
	@tools/run-fuzz $(if $(H),--hours $(H),$(T))

# How much of each parser the inputs found so far reach; docs/FUZZING.md.
coverage: setup
	@tools/run-coverage

# The long versions of tests/faults: every call fails once, 200 processes are
# killed under load.  About 15 minutes.
faults: all
	@FAULTS_LONG=1 meson test -C $(BUILD) --no-rebuild --suite faults \
		--num-processes 1 --verbose

# What a message costs; bench/README.md.  make bench B=--quick for a look.
bench: setup
	@bench/run $(B)

# The same with OpenDKIM, OpenDMARC, rspamd and Postfix beside it.
bench-peers: setup
	@bench/run --peers $(B)

# Hostile clients by the ten thousand; fails when a bound is broken.
# make load A=idle runs the rows that begin so; docs/LOAD.md.
load: all
	@GATEHOUSE_BINARY=$(BUILD)/src/cli/gatehouse tests/load/run $(A)

install: all
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

# What the last install put there.
uninstall:
	ninja -C $(BUILD) uninstall

# A Debian package in build-deb/; packaging/packages-deb.txt.
deb:
	@tools/make-deb build-deb

# The same, and its life on a system with systemd in a folder (root; minutes).
check-deb:
	@tools/check-deb build-deb

# Builds and runs packaging/Containerfile without an engine (root; minutes).
check-image:
	@tools/check-image build-image

format:
	clang-format-14 -i src/*/*.[ch]

clean:
	rm -rf build build-* run
