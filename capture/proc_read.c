/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files are opened below one descriptor of /proc/PID: once its process is
 * gone, they fail, whoever has the pid then.
 *
 * The order matters, see exec in the kernel (fs/exec.c, fs/binfmt_elf.c): the
 * new program is visible before the proc connector tells of the exec. First its
 * exe shows, then, once the stack is set up, its arguments; from there on the
 * process does not sleep until the change is sent, unless it is traced. So exe
 * is read first, then the arguments, last the state: arguments and then sleep,
 * or more than one thread, prove that no exec is under way.
 */
#include "proc_read.h"
#include "clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INITIAL_PID_NS 0xEFFFFFFCu /* PROC_PID_INIT_INO */
#define TICK_NS 10000000ull        /* USER_HZ is 100 on all architectures of today */
#define SHORT_READ 1024            /* less than that was the rest: /proc fills a page if it can */
#define PF_KTHREAD 0x00200000u

/* Reads up to size bytes. Returns how many; 0: nothing, or not allowed. */
static size_t read_file(int directory, const char *name, char *to, size_t size)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	do {
		n = read(fd, to + length, size - length);
		length += n > 0 ? (size_t)n : 0;
	} while (n >= SHORT_READ && length < size);
	close(fd);
	return length;
}

static struct bytes read_link(int directory, const char *name, char *to, size_t size)
{
	ssize_t n = readlinkat(directory, name, to, size);

	return (struct bytes){(const uint8_t *)to, n > 0 ? (size_t)n : 0};
}

/* "mnt:[4026531841]" */
static uint32_t read_namespace(int directory, const char *name)
{
	char link[64];
	struct bytes text = read_link(directory, name, link, sizeof link - 1);
	char *number;

	link[text.length] = '\0';
	number = strchr(link, '[');
	return number ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
}

static int64_t read_id(int directory, const char *name)
{
	char text[32];
	size_t length = read_file(directory, name, text, sizeof text - 1);
	char *end;
	unsigned long id;

	text[length] = '\0';
	id = strtoul(text, &end, 10);
	return end != text && id <= UINT32_MAX ? (int64_t)id : UNKNOWN_ID;
}

/* One more number, after blanks. false: there is none. */
static bool next_number(struct bytes *rest, uint64_t *value)
{
	bool any = false;

	while (rest->length && (*rest->data == ' ' || *rest->data == '\t'))
		*rest = (struct bytes){rest->data + 1, rest->length - 1};
	if (rest->length && *rest->data == '-')
		*rest = (struct bytes){rest->data + 1, rest->length - 1};
	for (*value = 0; rest->length && *rest->data >= '0' && *rest->data <= '9'; any = true) {
		*value = *value * 10 + (uint64_t)(*rest->data - '0');
		*rest = (struct bytes){rest->data + 1, rest->length - 1};
	}
	return any;
}

/*
 * "1234 (any name (even) so) S 1 ..": the name ends at the last parenthesis. The
 * fields are numbered as in proc_pid_stat(5).
 */
int proc_parse_stat(struct bytes text, struct proc_reading *reading)
{
	struct process *p = &reading->process;
	const uint8_t *open = text.length ? memchr(text.data, '(', text.length) : NULL;
	const uint8_t *close = text.length ? memrchr(text.data, ')', text.length) : NULL;
	uint64_t field[23] = {0};
	struct bytes rest;
	size_t length;
	char state;

	if (!open || !close || close < open || text.data + text.length - close < 3)
		return -1;
	state = (char)close[2];
	rest = (struct bytes){close + 3, (size_t)(text.data + text.length - close) - 3};
	for (size_t i = 4; i <= 22; i++)
		if (!next_number(&rest, &field[i]))
			return -1;
	length = (size_t)(close - open) - 1;
	length = length < PROC_COMM_MAX ? length : PROC_COMM_MAX;
	memcpy(reading->comm, open + 1, length);
	p->comm = (struct bytes){(const uint8_t *)reading->comm, length};
	p->ppid = (uint32_t)field[4];
	p->start_ns = field[22] * TICK_NS;
	reading->settled = field[9] & PF_KTHREAD || field[20] > 1 || state == 'S';
	return 0;
}

/* What follows the name at the start of a line; the kernel escapes newlines in this file. */
static struct bytes line_of(struct bytes text, const char *name)
{
	size_t length = strlen(name);

	while (text.length > length) {
		const uint8_t *end = memchr(text.data, '\n', text.length);
		size_t line = end ? (size_t)(end - text.data) : text.length;

		if (line >= length && !memcmp(text.data, name, length))
			return (struct bytes){text.data + length, line - length};
		line += line < text.length;
		text = (struct bytes){text.data + line, text.length - line};
	}
	return (struct bytes){NULL, 0};
}

void proc_parse_status(struct bytes text, struct process *p)
{
	struct bytes ids = line_of(text, "Uid:");
	uint64_t real, effective;

	if (next_number(&ids, &real) && next_number(&ids, &effective)) {
		p->uid = (uint32_t)real;
		p->euid = (uint32_t)effective;
	}
	ids = line_of(text, "Gid:");
	if (next_number(&ids, &real) && next_number(&ids, &effective)) {
		p->gid = (uint32_t)real;
		p->egid = (uint32_t)effective;
	}
	ids = line_of(text, "NSpid:");
	while (next_number(&ids, &real))
		p->pid_inside = (uint32_t)real;
}

/* "0::/v2" and "7:name=systemd:/v1"; the first is "/" where systemd uses v1 only. */
struct bytes proc_parse_cgroup(struct bytes text)
{
	struct bytes v2 = line_of(text, "0::"), v1 = {NULL, 0};
	static const char systemd[] = ":name=systemd:";
	const uint8_t *found;

	if (v2.length > 1)
		return v2;
	found = text.length ? memmem(text.data, text.length, systemd, sizeof systemd - 1) : NULL;
	if (found) {
		found += sizeof systemd - 1;
		v1 = line_of((struct bytes){found, (size_t)(text.data + text.length - found)}, "");
	}
	return v1.length ? v1 : v2;
}

static struct bytes bounded(struct bytes text)
{
	text.length = text.length < PROC_TEXT_MAX ? text.length : PROC_TEXT_MAX;
	return text;
}

/* Whether there are arguments: without them it may be in the middle of an exec. */
static bool read_args(int directory, bool wanted, struct proc_reading *r)
{
	struct process *p = &r->process;
	size_t length = read_file(directory, "cmdline", r->args, wanted ? sizeof r->args : 1);

	if (!wanted || !length)
		return length;
	if (length > PROC_TEXT_MAX) {
		length = PROC_TEXT_MAX - 1;
		p->flags |= PROCESS_ARGS_CUT;
	}
	if (r->args[length - 1] || p->flags & PROCESS_ARGS_CUT)
		r->args[length++] = '\0';
	p->args = (struct bytes){(const uint8_t *)r->args, length};
	return true;
}

static struct bytes text_of(const char *data, size_t length)
{
	return (struct bytes){(const uint8_t *)data, length};
}

static int read_all(int directory, bool args, struct proc_reading *r)
{
	struct process *p = &r->process;
	char text[4096];
	bool has_args;

	p->exe = read_link(directory, "exe", r->exe, sizeof r->exe);
	has_args = read_args(directory, args, r);
	proc_parse_status(text_of(text, read_file(directory, "status", text, sizeof text)), p);
	p->cgroup = bounded(proc_parse_cgroup(
		text_of(r->cgroup, read_file(directory, "cgroup", r->cgroup, sizeof r->cgroup))));
	p->loginuid = read_id(directory, "loginuid");
	p->audit_session = read_id(directory, "sessionid");
	p->mount_ns = read_namespace(directory, "ns/mnt");
	p->pid_ns = read_namespace(directory, "ns/pid");
	if (proc_parse_stat(text_of(text, read_file(directory, "stat", text, sizeof text)), r))
		return -1;
	r->settled = r->settled && (has_args || !p->exe.length);
	return 0;
}

int proc_read(uint32_t pid, bool args, struct proc_reading *r)
{
	char path[32];
	int directory, status;

	r->process = (struct process){.pid = pid,
		.euid = UNKNOWN_ID,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID};
	r->begin_ns = clock_boot_ns();
	snprintf(path, sizeof path, "/proc/%" PRIu32, pid);
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -1;
	status = read_all(directory, args, r);
	close(directory);
	r->end_ns = clock_boot_ns();
	return status;
}

int proc_read_usable(void)
{
	char self[32];
	struct bytes link = read_link(AT_FDCWD, "/proc/self", self, sizeof self - 1);

	self[link.length] = '\0';
	if (strtoul(self, NULL, 10) != (unsigned long)getpid() ||
		read_namespace(AT_FDCWD, "/proc/self/ns/pid") != INITIAL_PID_NS)
		return -1;
	return 0;
}
