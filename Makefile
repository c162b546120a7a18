# tcpconnect-rec and tcpconnect-read. make help lists the targets.
#
# V=1 shows the commands, SANITIZE=1 builds with the sanitizers, PEN=N sets the
# enterprise number of the custom blocks, CC=clang works too.

VERSION := 0.1
PEN ?= 32473
PREFIX ?= /usr/local
CC ?= gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
B := build
Q := $(if $(V),,@)

CFLAGS ?= -O2 -g
WARN := -std=c11 -Wall -Wextra -Wconversion -Wshadow $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DRECORD_PEN=$(PEN)u
ifdef SANITIZE
B := build/sanitize
CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

BACKENDS := fentry kprobe cgroup
FORMATS := $(patsubst %.c,$B/%.o,$(wildcard formats/*.c))
CAPTURE := $(patsubst %.c,$B/%.o,$(wildcard capture/*.c)) $B/bpf/objects.o
REPLAY := $(patsubst %.c,$B/%.o,$(wildcard replay/*.c))

all: $B/tcpconnect-rec $B/tcpconnect-read

$B/tcpconnect-rec: $(CAPTURE) $B/libformats.a
	@echo "  LINK  $@"
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lbpf -lelf -lz -lcap

$B/tcpconnect-read: $(REPLAY) $B/libformats.a
	@echo "  LINK  $@"
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lz

$B/libformats.a: $(FORMATS)
	$Qrm -f $@ && $(AR) rc $@ $^

$B/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$Q$(CC) $(CFLAGS) $(WARN) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The programs for the kernel, stripped of all but their BTF and put into the recorder.
build/bpf/%.bpf.o: bpf/%.bpf.c bpf/common.h bpf/kernel.h bpf/tcpconnect.h
	@mkdir -p $(@D)
	@echo "  BPF   $<"
	$Q$(CLANG) -target bpf -D__TARGET_ARCH_$(ARCH) -O2 -g -Wall -Wextra -Wno-unused-parameter \
		$(if $(CI),-Werror) \
		-isystem /usr/include/$(shell $(CC) -dumpmachine) -c -o $@ $<
	$Qllvm-strip -g $@

$B/bpf/objects.o: bpf/objects.S $(BACKENDS:%=build/bpf/%.bpf.o)
	@mkdir -p $(@D)
	$Q$(CC) -c -o $@ $< -Wa,-Ibuild/bpf

# Debian's names of what the build and the tests need.
DEPS := gcc clang llvm make libbpf-dev libelf-dev zlib1g-dev libcap-dev libcmocka-dev \
	libclang-rt-dev mandoc python3 tshark tcpdump curl netcat-openbsd openssh-client \
	iproute2 procps valgrind qemu-system-x86 busybox-static cpio kmod xz-utils

# Only asks apt for what is missing, so that it needs neither root nor network when nothing is.
deps:
	$Qtests/deps $(DEPS)

demo: deps
	$Q$(MAKE) --no-print-directory all
	$Qtests/demo

check: deps
	$Q$(MAKE) --no-print-directory CI=1 all
	$Qtests/run live

clean:
	rm -rf build

.PHONY: all deps demo check clean
-include $(FORMATS:.o=.d) $(CAPTURE:.o=.d) $(REPLAY:.o=.d)
