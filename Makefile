# vantage6_events: everything starts here.
#
#   make deps          install what is missing (Debian packages, npm modules)
#   make               build the extension and vantage6-pushd
#   make install       install both
#   make uninstall     remove what make install installed
#   make demo          see it work
#   make check         run every test, ending in one line of counts; says each suite's seconds
#   make check-fast    format, unit tests, SQL and documents: within two minutes once built
#   make soak-attack   a random hostile population: SECONDS=1800, SEED=N
#   make docs          write the tables of options and settings into the documents
#   make fuzz          fuzz the core: FUZZ=sio FUZZ_SECONDS=600 one target, so long
#
# The extension is built by PGXS in extension.mk and the daemon by pushd/Makefile, so that this file
# works before PostgreSQL's build files are installed.

PG_CONFIG ?= pg_config
DESTDIR ?=
prefix ?= /usr/local
sbindir ?= $(prefix)/sbin
mandir ?= $(prefix)/share/man
docdir ?= $(prefix)/share/doc/vantage6-pushd
unitdir ?= $(prefix)/lib/systemd/system

PYTHON := /usr/bin/python3
EXTENSION_MAKE = -f extension.mk PG_CONFIG=$(PG_CONFIG) DESTDIR=$(DESTDIR)
PUSHD := build/release/vantage6-pushd
SOAK = PUSHD=$(CURDIR)/$(PUSHD) $(PYTHON) -m pytest -q -p no:cacheprovider

.PHONY: all extension pushd pushd-asan install installcheck unit unit-programs check check-now
.PHONY: check-fast demo demo-now deps docs fuzz format format-check tidy soak soak-log bench
.PHONY: bench-read bench-writes bench-life bench-connects clean

all: extension pushd

extension:
	@command -v $(PG_CONFIG) >/dev/null || \
	    { echo "expected $(PG_CONFIG), found none: run 'make deps'"; exit 1; }
	$(MAKE) $(EXTENSION_MAKE) all

pushd:
	$(MAKE) -C pushd VARIANT=release

# With the unit tests: two makes at once would both write this variant's archive.
pushd-asan:
	$(MAKE) -C pushd VARIANT=asan all unit

install: all
	$(MAKE) $(EXTENSION_MAKE) install
	install -D -m 755 $(PUSHD) $(DESTDIR)$(sbindir)/vantage6-pushd
	if [ -f doc/vantage6-pushd.8 ]; then \
	    install -D -m 644 doc/vantage6-pushd.8 $(DESTDIR)$(mandir)/man8/vantage6-pushd.8; fi
	install -D -m 644 doc/vantage6-pushd.ini $(DESTDIR)$(docdir)/vantage6-pushd.ini
	install -d $(DESTDIR)$(unitdir)
	sed 's|/usr/local/sbin/|$(sbindir)/|' contrib/systemd/vantage6-pushd.service \
	    > $(DESTDIR)$(unitdir)/vantage6-pushd.service
	chmod 644 $(DESTDIR)$(unitdir)/vantage6-pushd.service

# With the variables of `make install` it removes what that installed. PGXS knows the files of the
# extension.
.PHONY: uninstall
uninstall:
	$(MAKE) $(EXTENSION_MAKE) uninstall
	rm -f $(DESTDIR)$(sbindir)/vantage6-pushd $(DESTDIR)$(mandir)/man8/vantage6-pushd.8 \
	    $(DESTDIR)$(docdir)/vantage6-pushd.ini $(DESTDIR)$(unitdir)/vantage6-pushd.service
	if [ -d $(DESTDIR)$(docdir) ]; then rmdir --ignore-fail-on-non-empty $(DESTDIR)$(docdir); fi

# Runs in the cluster that PGHOST, PGPORT and PGUSER (a superuser) name; `make check` makes its own.
installcheck:
	$(MAKE) $(EXTENSION_MAKE) installcheck

unit-programs:
	$(MAKE) -C pushd VARIANT=asan unit

unit: unit-programs
	$(PYTHON) test/run-checks unit

fuzz:
	@FUZZ=$(FUZZ) FUZZ_SECONDS=$(FUZZ_SECONDS) $(PYTHON) test/run-checks fuzz

# deps may bring in what this file looks for when it is read, so the rest runs in a fresh make.
check demo: deps
	$(MAKE) --no-print-directory $@-now

check-now:
	$(PYTHON) test/run-checks

check-fast:
	$(PYTHON) test/run-checks format-check unit regress doc

# PostgreSQL loads only what is installed. The lab says so to a user who may not install.
demo-now: all
	@if [ "$$(id -u)" -eq 0 ]; then $(MAKE) -s install; fi
	@test/demo

deps:
	.ci/deps

docs:
	$(MAKE) -C pushd VARIANT=asan ../build/asan/print-options
	test/options-tables
	test/settings-table

format:
	clang-format -i $(wildcard src/*.[ch] pushd/*.[ch] pushd/*/*.[ch] test/unit/*.[ch] \
	    test/unit/*/*.[ch] test/mock/*.[ch] test/fuzz/*.[ch] test/fuzz/*/*.[ch] \
	    test/conformance/*.[ch] test/*.c)

format-check tidy:
	$(PYTHON) test/run-checks $@

# The long runs, as root or with what `make install` installs.
soak soak-log bench bench-read bench-writes bench-life: all
	test/$@

# BASE=COMMIT compares with that commit, not with the one before.
bench-connects: all
	test/$@ $(if $(BASE),--base $(BASE))

soak: soak-rights soak-log soak-behind soak-oracle
.PHONY: soak-rights soak-behind soak-oracle soak-attack
soak-rights: all
	REVOCATIONS=50 $(SOAK) test/daemon/test_rights.py -k committed

soak-behind: all
	BEHIND=1000000 $(SOAK) test/daemon/test_failover.py -k behind_many

# SECONDS=3600 for an hour; ORACLE_SEED=N begins with that seed.
soak-oracle: SECONDS = 600
soak-oracle: all
	ORACLE_SECONDS=$(SECONDS) $(SOAK) -s test/daemon/test_oracle.py

# A random hostile population under sanitizers. SEED=N repeats one.
soak-attack: SECONDS = 1800
soak-attack: all pushd-asan
	ATTACK_SECONDS=$(SECONDS) ATTACK_SEED=$(SEED) PUSHD=$(CURDIR)/build/asan/vantage6-pushd \
	    ASAN_OPTIONS=detect_stack_use_after_return=1 \
	    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	    $(PYTHON) -m pytest -q -s -p no:cacheprovider test/attack/test_population.py

clean:
	rm -rf build
	if command -v $(PG_CONFIG) >/dev/null; then $(MAKE) $(EXTENSION_MAKE) clean; fi
