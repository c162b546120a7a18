# tcpconnect-rec and tcpconnect-read.
#
# make          builds both programs in build/
# make deps     installs what the build and the tests need
# make demo     records connects of this machine and shows them
# make check    builds and runs all tests; make check-SUITE one suite of tests/
# make bench    measures, see tests/bench/RESULTS.md
# make install  under DESTDIR and PREFIX
# make install-wireshark  what makes Wireshark understand traces, for this user
# make format   runs clang-format
#
# V=1 shows the commands, SANITIZE=1 builds with the sanitizers, CROWDED=1 with
# two places for attempts under way, PEN=N sets the enterprise number of the
# custom blocks, CC=clang works too.

VERSION := 0.1
PEN ?= 32473
PREFIX ?= /usr/local
CC ?= gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
B ?= build
Q := $(if $(V),,@)

CFLAGS ?= -O2 -g
WARN := -std=c11 -Wall -Wextra -Wconversion -Wshadow $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DRECORD_PEN=$(PEN)u
ifdef SANITIZE
B := build/sanitize
CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif
ifdef CROWDED
B := build/crowded
SLOTS := -DOPEN_SLOTS=2
CPPFLAGS += $(SLOTS)
endif
BPF := $(if $(CROWDED),$B,build)/bpf

# Each a second time for kernels older than 5.12, see bpf/common.h.
OBJECTS := $(foreach name,fentry kprobe cgroup,$(name) $(name)_older) cgroup_plain dns find_function
FORMATS := $(patsubst %.c,$B/%.o,$(wildcard formats/*.c))
CAPTURE := $(patsubst %.c,$B/%.o,$(wildcard capture/*.c)) $B/bpf/objects.o
# What formats/ needs.
FORMAT_LIBS := -lzstd -lz -ldl
# What capture/ needs beside that, without BPF.
TESTED_LIBS := -lresolv
REPLAY := $(patsubst %.c,$B/%.o,$(wildcard replay/*.c))

all: $B/tcpconnect-rec $B/tcpconnect-read

$B/tcpconnect-rec: $(CAPTURE) $B/libformats.a
	@echo "  LINK  $@"
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lbpf -lelf -lcap $(TESTED_LIBS) $(FORMAT_LIBS) -pthread

$B/tcpconnect-read: $(REPLAY) $B/libformats.a
	@echo "  LINK  $@"
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FORMAT_LIBS) -pthread

$B/libformats.a: $(FORMATS)
	$Qrm -f $@ && $(AR) rc $@ $^

$B/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$Q$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# Their loops are for vectors.
$B/formats/column.o $B/formats/pack.o $B/replay/select.o $B/replay/parts.o $B/replay/talkers.o: CFLAGS += -O3

# The programs for the kernel, stripped of all but their BTF and put into the recorder.
define BPF_COMPILE
	@mkdir -p $(@D)
	@echo "  BPF   $@"
	$Q$(CLANG) -target bpf -D__TARGET_ARCH_$(ARCH) -O2 -g -Wall -Wextra -Wno-unused-parameter \
		$(if $(CI),-Werror) $(BPF_FLAGS) $(SLOTS) \
		$(addprefix -isystem ,$(wildcard /usr/include/$(shell uname -m)-linux-gnu)) -c -o $@ $<
	$Qllvm-strip -g $@
endef
BPF_FLAGS = -mcpu=v3
$(BPF)/dns.bpf.o: BPF_FLAGS =
$(BPF)/%_older.bpf.o: BPF_FLAGS = -DOLDER
$(BPF)/%_plain.bpf.o: BPF_FLAGS = -DOLDER -DPLAIN

$(BPF)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(BPF_COMPILE)
$(BPF)/%_older.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(BPF_COMPILE)
$(BPF)/%_plain.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(BPF_COMPILE)

$B/bpf/objects.o: bpf/objects.S $(OBJECTS:%=$(BPF)/%.bpf.o)
	@mkdir -p $(@D)
	$Q$(CC) -c -o $@ $< -Wa,-I$(BPF)

# Debian's names of what the build and the tests need.
DEPS := gcc clang llvm make libbpf-dev libelf-dev zlib1g-dev libzstd-dev libpcap-dev libcap-dev libcmocka-dev \
	libclang-rt-dev libfuse3-dev clang-format mandoc python3 tshark tcpdump curl netcat-openbsd openssh-client \
	iproute2 procps btrfs-progs valgrind qemu-system-x86 busybox-static cpio kmod xz-utils jq

# The peers of make bench.
BENCH_DEPS := libbpf-tools bpftrace nfdump

# Only asks apt for what is missing, so that it needs neither root nor network when nothing is.
deps:
	$Qtests/deps $(DEPS)

demo: deps
	$Q$(MAKE) --no-print-directory all
	$Qtests/demo

SUITES := $(patsubst tests/%/run,%,$(wildcard $(foreach s,style manual unit golden read wireshark fuzz live vm,tests/$s/run)))

tested: all test-programs
	$Q$(MAKE) --no-print-directory SANITIZE=1 all test-programs
	$Q$(MAKE) --no-print-directory CROWDED=1 build/crowded/tcpconnect-rec

check: deps
	$Q$(MAKE) --no-print-directory CI=1 tested
	$Qtests/run $(SUITES)

# Of check-leaks, which takes an hour: tests/leaks/run.
$(SUITES:%=check-%) check-leaks: check-%: deps
	$Q$(MAKE) --no-print-directory CI=1 tested
	$Qtests/run $*

# Half an hour of load, rotation and kill -9: make soak; SECONDS=60 for a look.
SECONDS ?= 1800
soak: deps
	$Q$(MAKE) --no-print-directory CI=1 all test-programs
	$Qtests/soak/run $(SECONDS)

# Measures beside the peers; nothing passes or fails. Writes tests/bench/*.md. Takes an hour.
bench: DEPS += $(BENCH_DEPS)
bench: deps
	$Q$(MAKE) --no-print-directory all test-programs
	$Qtests/bench/recorder --all
	$Qtests/bench/reader

# One guest kernel is part of make check, this is all of them.
check-vm: export VM = --all

# Programs of the tests: the load generator (static: it also runs in guests), the writer of the
# golden traces, one program for each file of unit tests, one for each fuzz target.
UNIT := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
# Of the recorder, what needs no BPF.
TESTED := assemble clock container described dns finish kept last_given live_file names proc_events proc_read process_cache process_life \
	process_memo process_table retention rotation shared_text undecided users
TEST_PROGRAMS := $(patsubst %.c,$B/%,$(wildcard tests/live/*.c tests/golden/*.c tests/read/*.c tests/bench/*.c)) $(UNIT)

test-programs: $(TEST_PROGRAMS) $(FUZZ)

$B/tests/live/%: tests/live/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$Q$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) $(if $(SANITIZE),,-static) -pthread -o $@ $<

# A file system, for which there is a shared library only.
$B/tests/live/faultfs: tests/live/faultfs.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$Q$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -isystem /usr/include/fuse3 -pthread -o $@ $< -lfuse3

$B/tests/golden/%: $B/tests/golden/%.o $B/libformats.a
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FORMAT_LIBS)

$B/tests/read/%: $B/tests/read/%.o $B/libformats.a
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FORMAT_LIBS)

$B/tests/bench/%: $B/tests/bench/%.o $(TESTED:%=$B/capture/%.o) $B/libformats.a
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TESTED_LIBS) $(FORMAT_LIBS)

$B/tests/unit/kernel_types: $B/capture/kernel_types.o
$B/tests/unit/kernel_types: UNIT_LIBS := -lbpf
$B/tests/unit/%: $B/tests/unit/%.o $(TESTED:%=$B/capture/%.o) $B/libformats.a
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(UNIT_LIBS) $(TESTED_LIBS) $(FORMAT_LIBS)

build/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h formats/*.[ch]) $(wildcard $(TESTED:%=capture/%.[ch]))
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	$Q$(CLANG) -O1 -g $(WARN) $(CPPFLAGS) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(wildcard formats/*.c) $(TESTED:%=capture/%.c) \
		$(TESTED_LIBS) $(FORMAT_LIBS)

MANUALS := man/tcpconnect-rec.8 man/tcpconnect-read.1 man/tcpconnect-trace.5

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin build/tcpconnect-rec
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin build/tcpconnect-read
	$(foreach m,$(MANUALS),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $m)) $m;)

# The plug-in, a profile with columns and colors, and the recorder as something to capture with,
# where Wireshark 4.0 to 4.6 look for what belongs to a user.
WIRESHARK := $(HOME)/.config/wireshark
WIRESHARK_LIB := $(HOME)/.local/lib/wireshark

install-wireshark:
	install -D -m 644 -t $(WIRESHARK_LIB)/plugins formats/wireshark/tcpconnect.lua
	install -D -m 644 -t "$(WIRESHARK)/profiles/TCP connects" formats/wireshark/profile/*
	for d in $(WIRESHARK) $(WIRESHARK_LIB); do mkdir -p $$d/extcap && \
		ln -sf "$$(command -v tcpconnect-rec || echo $(PREFIX)/sbin/tcpconnect-rec)" \
			$$d/extcap/tcpconnect-rec; done

format:
	clang-format -i $(wildcard bpf/*.[ch] capture/*.[ch] formats/*.[ch] replay/*.[ch] tests/*/*.[ch])

clean:
	rm -rf build

.SECONDARY:
.PHONY: all deps demo tested check soak bench $(SUITES:%=check-%) check-leaks test-programs install install-wireshark format clean
-include $(shell find build -name '*.d' 2>/dev/null)
