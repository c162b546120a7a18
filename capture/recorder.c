/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread, one loop: sleep, take what is in the ring, print and write what
 * is due. How it sleeps is the point: see enum rest.
 */
#include "recorder.h"
#include "assemble.h"
#include "capture.h"
#include "clock.h"
#include "host.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "tcpconnect-rec"
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define GATHER_MS 100       /* how long samples gather in the ring */
#define HOLD_PRINTING_MS 50 /* how long an attempt waits for its source */
#define HOLD_WRITING_MS 500

/*
 * Events that keep coming are taken in bulk. When none came, the next one must
 * wake us; one more limited sleep then finds a sample that was already on its
 * way when the request was made. After that nothing wakes an idle recorder.
 */
enum rest {
	REST_IDLE,     /* until the next sample */
	REST_SETTLING, /* until the next sample, GATHER_MS at most */
	REST_GATHERING /* until the ring fills, GATHER_MS at most */
};

struct recorder {
	const struct rec_options *options;
	struct host host;
	struct capture *capture;
	struct assemble *assemble;
	struct processes *processes;
	struct columns *columns; /* NULL: not printing */
	int fd, signals, epoll;
	struct trace_writer *writer; /* NULL: not writing */
	struct batch_builder *batch;
	struct batch_header header;
	uint64_t batch_began_ns; /* its first event came then */
	struct clock_anchor now;
	uint64_t recorded, beyond_limit;
	struct counters final;
	struct error failure; /* of an output, inside a callback */
	bool failed, stop;
};

static struct counters current_counters(const struct recorder *r)
{
	struct capture_counters count = capture_count(r->capture);
	uint64_t rejected = assemble_rejected(r->assemble);

	return (struct counters){
		.seen = count.seen,
		.recorded = r->recorded,
		.filtered = count.filtered + r->beyond_limit,
		.lost = count.lost + rejected,
		.partial = count.partial,
	};
}

static void fail(struct recorder *r)
{
	r->failed = r->stop = true;
}

static void write_batch(struct recorder *r)
{
	uint32_t events = batch_builder_count(r->batch);

	if (r->failed)
		return;
	r->header.anchor = clock_anchor_now();
	r->header.counters = current_counters(r);
	if (trace_writer_batch(r->writer, r->batch, &r->header, &r->failure))
		fail(r);
	r->header.sequence += events;
}

/* assemble_event */
static void take_event(void *context, const struct event *assembled)
{
	const struct process_facts facts = {
		assembled->time_ns, assembled->tid, *assembled->process};
	struct recorder *r = context;
	struct event copy = *assembled, *event = &copy;

	event->process = processes_find(r->processes, &facts);
	if (r->options->events && r->recorded == r->options->events) {
		r->beyond_limit++;
		return;
	}
	/* Before it is counted: the counters of a batch are those of its last event. */
	if (r->writer && batch_builder_add(r->batch, event)) {
		write_batch(r);
		batch_builder_add(r->batch, event);
	}
	r->recorded++;
	if (r->options->events && r->recorded == r->options->events)
		r->stop = true;
	if (r->columns) {
		struct columns_row row = {.event = event,
			.wall_ns = r->now.wall_ns + (int64_t)(event->time_ns - r->now.boot_ns),
			.host = r->host.info.host,
			.backend = r->host.info.backend};

		columns_print(r->columns, &row, stdout);
	}
	if (!r->writer)
		return;
	if (batch_builder_count(r->batch) == 1)
		r->batch_began_ns = r->now.boot_ns;
	if (r->options->unbuffered)
		write_batch(r);
}

/* capture_sample */
static void take_sample(void *context, const void *sample, size_t length)
{
	struct recorder *r = context;
	struct sample_attempt attempt;

	if (length == sizeof attempt) {
		memcpy(&attempt, sample, sizeof attempt);
		if (attempt.kind == SAMPLE_ATTEMPT)
			processes_see(r->processes, attempt.pid, attempt.time_ns);
	}
	assemble_sample(r->assemble, sample, length);
}

static int open_output(struct recorder *r, struct error *error)
{
	const char *name = r->options->write;
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (r->options->overwrite ? O_TRUNC : O_EXCL);

	if (!strcmp(name, "-")) {
		if (isatty(STDOUT_FILENO))
			return error_set(error, "-w -: standard output is a terminal");
		r->fd = STDOUT_FILENO;
		return 0;
	}
	r->fd = open(name, flags, 0600);
	if (r->fd < 0 && errno == EEXIST)
		return error_set(error, "%s: exists already; --overwrite replaces it", name);
	if (r->fd < 0)
		return error_set(error, "%s: cannot create: %s", name, strerror(errno));
	return 0;
}

static int start_writing(struct recorder *r, struct error *error)
{
	if (open_output(r, error))
		return -1;
	r->batch = batch_builder_new();
	if (!r->batch)
		return error_set(error, "out of memory");
	memcpy(r->header.session, r->host.info.session, sizeof r->header.session);
	r->header.host = r->host.info.host;
	r->header.backend = r->host.info.backend;
	r->writer = trace_writer_new(r->fd, r->options->write, &r->host.info, error);
	return r->writer ? 0 : -1;
}

static struct capture *try_backend(struct recorder *r, const struct backend *b, struct error *error)
{
	struct capture_options options = {.filter = &r->options->filter,
		.ring_bytes = r->options->ring_bytes,
		.verbose = r->options->verbose};
	struct error warning;
	struct capture *capture = capture_open(b, &options, take_sample, r, &warning, error);

	if (capture && *warning.text && !r->options->quiet)
		fprintf(stderr, PROGRAM ": %s: %s\n", b->name, warning.text);
	return capture;
}

/* The named backend, or the first that this kernel takes. */
static int attach(struct recorder *r, const char **chosen, struct error *error)
{
	char reasons[sizeof error->text] = "";
	size_t used = 0;

	for (const struct backend *b = backends; b->name && !r->capture; b++) {
		if (r->options->backend && strcmp(r->options->backend, b->name))
			continue;
		r->capture = try_backend(r, b, error);
		if (r->capture)
			*chosen = b->name;
		else if (used < sizeof reasons)
			used += (size_t)snprintf(reasons + used, sizeof reasons - used,
				"\n  %s: %s", b->name, error->text);
	}
	if (!r->capture)
		return error_set(error, "no backend can run here:%s", reasons);
	return 0;
}

/* The samples of the cgroup backend tell little of a process: the others know it by themselves. */
static int open_processes(struct recorder *r, const char *backend, struct error *error)
{
	struct error warning;

	r->processes = processes_open(!strcmp(backend, "cgroup"), !r->options->no_args, &warning);
	if (!r->processes)
		return error_set(error, "out of memory");
	if (*warning.text && !r->options->quiet)
		fprintf(stderr, PROGRAM ": %s\n", warning.text);
	return 0;
}

/* The ring edge-triggered: what is left there must not keep us from sleeping. */
static int open_epoll(struct recorder *r, struct error *error)
{
	struct epoll_event ring = {.events = EPOLLIN | EPOLLET};
	struct epoll_event signals = {.events = EPOLLIN, .data.fd = r->signals};

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	ring.data.fd = capture_fd(r->capture);
	if (r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, ring.data.fd, &ring) ||
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->signals, &signals))
		return error_set(error, "cannot wait for events: %s", strerror(errno));
	return 0;
}

static int block_signals(struct error *error)
{
	static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
		sigaddset(&set, handled[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		error_set(error, "cannot receive signals: %s", strerror(errno));
	return fd;
}

struct recorder *recorder_new(const struct rec_options *options, struct error *error)
{
	struct recorder *r = calloc(1, sizeof *r);
	char filters[3900];
	const char *backend = "";
	uint64_t hold;

	if (!r) {
		error_set(error, "out of memory");
		return NULL;
	}
	r->options = options;
	r->fd = r->signals = r->epoll = -1;
	hold = options->write && !options->print ? HOLD_WRITING_MS : HOLD_PRINTING_MS;
	if (!options->write || options->print) {
		r->columns = columns_new(&options->columns, error);
		if (!r->columns)
			goto failed;
	}
	r->assemble = assemble_new(hold * NS_PER_MS, take_event, r);
	if (!r->assemble) {
		error_set(error, "out of memory");
		goto failed;
	}
	r->signals = block_signals(error);
	if (r->signals < 0 || attach(r, &backend, error) || open_processes(r, backend, error) ||
		open_epoll(r, error) ||
		host_describe(&r->host, backend,
			filter_describe(&options->filter, filters, sizeof filters), error))
		goto failed;
	if (options->write && start_writing(r, error))
		goto failed;
	return r;
failed:
	recorder_free(r);
	return NULL;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	capture_close(r->capture);
	assemble_free(r->assemble);
	processes_close(r->processes);
	columns_free(r->columns);
	trace_writer_free(r->writer);
	batch_builder_free(r->batch);
	if (r->fd > STDERR_FILENO)
		close(r->fd);
	if (r->signals >= 0)
		close(r->signals);
	if (r->epoll >= 0)
		close(r->epoll);
	free(r);
}

static void print_counters(const struct recorder *r)
{
	struct counters c = current_counters(r);

	fprintf(stderr,
		PROGRAM ": %" PRIu64 " attempts seen, %" PRIu64 " recorded, %" PRIu64
			" filtered in the kernel, %" PRIu64 " lost, %" PRIu64 " partial\n",
		c.seen, c.recorded, c.filtered, c.lost, c.partial);
}

static void handle_signals(struct recorder *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGUSR1)
			print_counters(r);
		else if (info.ssi_signo != SIGUSR2)
			r->stop = true;
		else if (r->writer)
			write_batch(r);
	}
}

/* A reader of standard output that went away ends the printing; recording goes on. */
static void flush_print(struct recorder *r)
{
	if (!r->columns || (!fflush(stdout) && !ferror(stdout)))
		return;
	error_set(&r->failure, "cannot write to standard output: %s", strerror(errno));
	columns_free(r->columns);
	r->columns = NULL;
	if (r->writer)
		fprintf(stderr, PROGRAM ": %s; recording goes on\n", r->failure.text);
	else if (errno == EPIPE)
		r->stop = true;
	else
		fail(r);
}

/* Reads the ring and passes on what is due. Returns the number of samples. */
static int work(struct recorder *r)
{
	int n = capture_consume(r->capture, &r->failure);

	if (n < 0)
		fail(r);
	r->now = clock_anchor_now();
	assemble_release(r->assemble, r->now.boot_ns);
	if (r->writer && batch_builder_count(r->batch) &&
		r->now.boot_ns - r->batch_began_ns >= r->options->flush_ms * NS_PER_MS)
		write_batch(r);
	flush_print(r);
	return n;
}

/* When to wake up by ourselves, in ns of CLOCK_BOOTTIME; UINT64_MAX: not at all. */
static uint64_t next_deadline(const struct recorder *r, uint64_t end_ns, enum rest rest)
{
	uint64_t deadline = assemble_deadline(r->assemble), flush;

	if (end_ns < deadline)
		deadline = end_ns;
	if (r->writer && batch_builder_count(r->batch)) {
		flush = r->batch_began_ns + r->options->flush_ms * NS_PER_MS;
		deadline = flush < deadline ? flush : deadline;
	}
	if (rest != REST_IDLE && r->now.boot_ns + GATHER_MS * NS_PER_MS < deadline)
		deadline = r->now.boot_ns + GATHER_MS * NS_PER_MS;
	return deadline;
}

static void sleep_until(struct recorder *r, uint64_t deadline)
{
	uint64_t now = clock_boot_ns();
	uint64_t wait = deadline > now ? (deadline - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	struct epoll_event events[2];
	int n;

	if (deadline == UINT64_MAX)
		n = epoll_wait(r->epoll, events, 2, -1);
	else
		n = epoll_wait(r->epoll, events, 2, wait > INT_MAX ? INT_MAX : (int)wait);
	for (int i = 0; i < n; i++)
		if (events[i].data.fd == r->signals)
			handle_signals(r);
}

/* After the last sample: what is buffered, the end of the file, the final counters. */
static void finish(struct recorder *r)
{
	struct error error;

	if (capture_drain(r->capture, &error) && !r->failed) {
		r->failure = error;
		fail(r);
	}
	r->now = clock_anchor_now();
	assemble_release(r->assemble, UINT64_MAX);
	flush_print(r);
	r->final = current_counters(r);
	if (!r->writer)
		return;
	write_batch(r);
	if (!r->failed && trace_writer_finish(r->writer, &r->failure))
		fail(r);
}

int recorder_run(struct recorder *r, struct error *error)
{
	uint64_t end_ns = UINT64_MAX;
	/* A person who watches, or a reader of unbuffered batches, wants each event at once. */
	bool at_once = (r->columns && isatty(STDOUT_FILENO)) || r->options->unbuffered;
	enum rest rest = REST_SETTLING;

	r->now = clock_anchor_now();
	if (r->options->duration)
		end_ns = r->now.boot_ns + r->options->duration * NS_PER_S;
	if (r->columns)
		columns_header(r->columns, stdout);
	flush_print(r);
	while (!r->stop && r->now.boot_ns < end_ns) {
		capture_request_wakeup(
			r->capture, rest == REST_GATHERING ? WAKEUP_AT_LEVEL : WAKEUP_AT_NEXT);
		sleep_until(r, next_deadline(r, end_ns, rest));
		if (work(r) > 0)
			rest = at_once ? REST_SETTLING : REST_GATHERING;
		else if (rest != REST_IDLE)
			rest--;
	}
	finish(r);
	if (r->failed)
		*error = r->failure;
	return r->failed ? -1 : 0;
}

struct counters recorder_counters(const struct recorder *r)
{
	return r->final;
}

static void ignore_sample(void *context, const void *sample, size_t length)
{
	(void)context;
	(void)sample;
	(void)length;
}

int recorder_list_backends(FILE *out)
{
	static const struct filter no_filter;
	struct capture_options options = {.filter = &no_filter, .ring_bytes = 4096};
	struct error warning, error;
	int usable = 0;

	for (const struct backend *b = backends; b->name; b++) {
		struct capture *capture =
			capture_open(b, &options, ignore_sample, NULL, &warning, &error);

		fprintf(out, "%-8s %s%s%s\n", b->name, capture ? "can run" : "cannot run: ",
			capture ? (*warning.text ? ": " : "") : error.text,
			capture ? warning.text : "");
		usable += capture != NULL;
		capture_close(capture);
	}
	return usable;
}
