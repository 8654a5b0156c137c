# The extension, by PGXS. The Makefile beside it calls: make -f extension.mk [install|uninstall|...]

PG_CONFIG ?= pg_config
EXTENSION := vantage6_events
# Not VERSION: that is the server's in PGXS.
EXT_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)
PG_MAJOR := $(shell $(PG_CONFIG) --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')

MODULE_big := $(EXTENSION)
OBJS := $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
# Versions from which ALTER EXTENSION UPDATE leads here, by the same script: see
# sql/update/before.sql.
OLD_VERSIONS := 1.0.0
UPDATES := $(OLD_VERSIONS:%=$(EXTENSION)--%--$(EXT_VERSION).sql)
DATA_built := $(EXTENSION)--$(EXT_VERSION).sql $(UPDATES)

# -isystem: the server's headers are not held to our warnings.
PG_CPPFLAGS := -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CFLAGS := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-declaration-after-statement
# Bitcode for the JIT would inline nothing of ours that matters, and needs clang.
override with_llvm := no

REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS := --inputdir=test
# PGXS of PostgreSQL 13 has no isolation tester.
ifneq ($(PG_MAJOR),13)
ISOLATION := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS := --inputdir=test --outputdir=.
endif

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# The pieces make one script, in the order of their names.
$(EXTENSION)--$(EXT_VERSION).sql: $(sort $(wildcard sql/*.sql)) $(EXTENSION).control
	cat $(sort $(wildcard sql/*.sql)) > $@.new && mv $@.new $@

# One guard is enough, which says how this script is run.
$(UPDATES): sql/update/before.sql sql/update/after.sql $(EXTENSION)--$(EXT_VERSION).sql
	sed '/^\\echo Use "CREATE EXTENSION/d' $(EXTENSION)--$(EXT_VERSION).sql \
	    | cat sql/update/before.sql - sql/update/after.sql > $@.new
	mv $@.new $@

# PGXS follows no headers.
$(OBJS): $(wildcard src/*.h src/*.def)
