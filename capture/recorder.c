/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread, one loop: sleep, take what is in the ring, print and write what
 * is due. How it sleeps is the point: see enum rest.
 */
#include "recorder.h"
#include "assemble.h"
#include "attach.h"
#include "capture.h"
#include "clock.h"
#include "dns.h"
#include "host.h"
#include "kept.h"
#include "output.h"
#include "privileges.h"
#include "processes.h"
#include "../formats/count.h"
#include "../formats/result.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PROGRAM "tcpconnect-rec"
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define GATHER_MS 100       /* how long samples gather in the ring */
#define HOLD_PRINTING_MS 50 /* how long an attempt waits for its source */
#define HOLD_WRITING_MS 500
#define KEPT_MAX 65536 /* attempts that wait for their outcome to be shown, or dropped */

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
	struct dns *dns;         /* NULL: names are not recorded */
	struct columns *columns; /* NULL: not printing */
	struct count *count;     /* NULL: not counting */
	int signals, epoll;
	struct output_options output_options;
	struct output *output; /* NULL: not writing */
	struct clock_anchor now;
	uint64_t taken, filtered, lost; /* here, beside what the kernel counts */
	bool filter_here;               /* -x, in a backend that cannot */
	struct filter filter;           /* all that is applied here; borrowed */
	bool filtering;                 /* it asks for more than outcomes */
	struct filter_notes notes;      /* of it */
	struct kept *kept;              /* NULL: nothing is shown or dropped by its outcome */
	struct counters final;
	struct error failure; /* of an output, inside a callback */
	bool failed, stop;
	bool flush, rotate; /* asked for by USR2, HUP */
};

/* output_counters */
static struct counters captured(void *context)
{
	const struct recorder *r = context;
	struct capture_counters count = capture_count(r->capture);
	uint64_t rejected = assemble_rejected(r->assemble);

	return (struct counters){
		.seen = count.seen,
		.recorded = r->taken,
		.filtered = count.filtered + r->filtered,
		.lost = count.lost + rejected + r->lost,
		.partial = count.partial,
	};
}

static struct counters current_counters(struct recorder *r)
{
	struct counters counters = captured(r);

	if (r->output)
		output_count(r->output, &counters);
	return counters;
}

static void fail(struct recorder *r)
{
	r->failed = r->stop = true;
}

static void print(struct recorder *r, const struct event *event)
{
	if (r->columns)
		columns_print(r->columns,
			&(struct columns_row){.event = event,
				.wall_ns =
					r->now.wall_ns + (int64_t)(event->time_ns - r->now.boot_ns),
				.host = r->host.info.host,
				.backend = r->host.info.backend},
			stdout);
	if (r->count && count_add(r->count, event, &r->failure))
		fail(r);
}

/* Into the trace, if there is one. Returns the number of the event. */
static uint64_t record(struct recorder *r, const struct event *event)
{
	uint64_t number = r->output ? output_event(r->output, event) : r->taken;

	r->taken++;
	if (r->options->events && r->taken == r->options->events)
		r->stop = true;
	return number;
}

static bool is_decided(const struct event *event)
{
	return event->result.outcome != OUTCOME_PENDING;
}

/* -x, where the kernel cannot tell. */
static bool drop_success(struct recorder *r, const struct event *event)
{
	if (!r->filter_here || result_is_failure(&event->result))
		return false;
	r->filtered++;
	return true;
}

/* How it ended is not known, at the end of the recording or when too many wait for that. */
static void release_oldest(struct recorder *r, bool at_end)
{
	uint64_t ticket = kept_oldest(r->kept);
	const struct event *event = &kept_get(r->kept, ticket)->event;

	if (!r->filter_here)
		print(r, event);
	else if (at_end)
		drop_success(r, event);
	else
		r->lost++; /* whether it is wanted will not be known */
	kept_remove(r->kept, ticket);
}

/* A copy waits for the outcome. Returns the ticket by which that comes. */
static uint64_t keep(struct recorder *r, const struct event *event, uint64_t number)
{
	uint64_t ticket;

	if (kept_is_full(r->kept))
		release_oldest(r, false);
	ticket = kept_add(r->kept, event, number);
	if (ticket != KEPT_NONE)
		return ticket;
	if (r->filter_here)
		r->lost++;
	else
		print(r, event);
	return ASSEMBLE_NO_RESULT;
}

/* assemble_handlers.event */
static uint64_t take_event(void *context, struct event *event, uint64_t described)
{
	struct recorder *r = context;
	uint64_t number;

	event->process = processes_find(r->processes, event, described);
	if (r->dns) {
		dns_miss(r->dns, capture_answers_lost_since(r->capture));
		dns_find(r->dns, event);
	}
	if (r->filtering && !filters_want(&r->filter, event, &r->notes)) {
		r->filtered++;
		return ASSEMBLE_NO_RESULT;
	}
	if (r->options->events && r->taken == r->options->events) {
		r->filtered++;
		return ASSEMBLE_NO_RESULT;
	}
	if (r->filter_here && !is_decided(event))
		return keep(r, event, 0);
	if (drop_success(r, event))
		return ASSEMBLE_NO_RESULT;
	number = record(r, event);
	if (r->kept && !is_decided(event))
		return keep(r, event, number);
	print(r, event);
	return number;
}

/* assemble_handlers.result */
static void take_result(void *context, uint64_t number, const struct result *result)
{
	struct recorder *r = context;
	struct kept_event *kept;

	if (!r->kept) {
		if (r->output)
			output_result(r->output, number, result);
		return;
	}
	kept = kept_get(r->kept, number);
	if (!kept) /* it had to make room */
		return;
	kept->event.result = *result;
	if (!drop_success(r, &kept->event)) {
		if (r->filter_here)
			record(r, &kept->event);
		else if (r->output)
			output_result(r->output, kept->number, result);
		print(r, &kept->event);
	}
	kept_remove(r->kept, number);
}

/* That it was seen, of an attempt. Of the sample only what is needed is copied. */
static void see(struct recorder *r, const uint8_t *sample)
{
	uint64_t time_ns, described;
	uint32_t pid;

	memcpy(&pid, sample + offsetof(struct sample_attempt, pid), sizeof pid);
	memcpy(&time_ns, sample + offsetof(struct sample_attempt, time_ns), sizeof time_ns);
	memcpy(&described, sample + offsetof(struct sample_attempt, process), sizeof described);
	processes_see(r->processes, pid, time_ns, described);
}

/* capture_sample */
static void take_sample(void *context, const void *sample, size_t length)
{
	struct recorder *r = context;
	__u32 kind = 0;

	if (length >= sizeof kind)
		memcpy(&kind, sample, sizeof kind);
	if (kind == SAMPLE_PROCESS) {
		processes_describe(r->processes, sample, length);
	} else if (kind == SAMPLE_ANSWER) {
		if (r->dns)
			dns_take(r->dns, sample, length);
	} else {
		if (kind == SAMPLE_ATTEMPT && length == sizeof(struct sample_attempt))
			see(r, sample);
		assemble_sample(r->assemble, sample, length);
	}
}

/* What the threads of the output have to say. */
static void say(void *context, const struct error *text)
{
	(void)context;
	fprintf(stderr, PROGRAM ": %s\n", text->text);
}

static int open_output(struct recorder *r, struct error *error)
{
	const char *compress = r->options->compress;

	r->output_options = (struct output_options){.name = r->options->write,
		.overwrite = r->options->overwrite,
		.unbuffered = r->options->unbuffered,
		.flush_ms = r->options->flush_ms,
		.rotate_bytes = r->options->rotate_bytes,
		.rotate_seconds = r->options->rotate_seconds,
		.retention = r->options->retention,
		.queue_bytes = r->options->queue_bytes,
		.compress_while_live = compress && !strcmp(compress, "zstd"),
		.compress_finished = !compress || strcmp(compress, "none"),
		.gzip_finished = compress && !strcmp(compress, "gzip"),
		.print_finished = r->options->print_finished,
		.command = r->options->command,
		.say = say};
	r->output = output_new(&r->output_options, captured, r, error);
	return r->output ? 0 : -1;
}

static int open_capture(struct recorder *r, const char **backend, struct error *error)
{
	r->capture = attach(r->options, take_sample, r, backend, error);
	return r->capture ? 0 : -1;
}

/* Before the backend has much to tell; without them it goes on. */
static int open_dns(struct recorder *r, struct error *error)
{
	struct error why;

	if (!r->options->names)
		return 0;
	if (capture_hear_answers(r->capture, &why)) {
		if (!r->options->quiet)
			fprintf(stderr, PROGRAM ": names are not recorded: %s\n", why.text);
		return 0;
	}
	r->dns = dns_new();
	return r->dns ? 0 : error_set(error, "out of memory");
}

/* The cgroup backend cannot tell of every attempt whose it is. */
static int open_processes(struct recorder *r, const char *backend, struct error *error)
{
	bool eager = !strcmp(backend, "cgroup") || !capture_describes(r->capture);
	struct error warning;

	r->processes = processes_open(eager, !r->options->no_args, &warning);
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
	struct epoll_event watcher = {.events = EPOLLERR, .data.fd = STDOUT_FILENO};
	struct epoll_event output = {.events = EPOLLIN};

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	ring.data.fd = capture_fd(r->capture);
	if (r->output)
		output.data.fd = output_fd(r->output);
	if (r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, ring.data.fd, &ring) ||
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->signals, &signals) ||
		(r->output && epoll_ctl(r->epoll, EPOLL_CTL_ADD, output.data.fd, &output)))
		return error_set(error, "cannot wait for events: %s", strerror(errno));
	/* Who watches through a pipe may go away while nothing happens. A file cannot be waited
	 * for. */
	if (r->options->live)
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, STDOUT_FILENO, &watcher);
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
	signal(SIGXFSZ, SIG_IGN); /* the write says EFBIG */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		error_set(error, "cannot receive signals: %s", strerror(errno));
	return fd;
}

struct recorder *recorder_new(const struct rec_options *options, struct error *error)
{
	struct recorder *r = calloc(1, sizeof *r);
	const char *backend = "";
	uint64_t hold;

	if (!r) {
		error_set(error, "out of memory");
		return NULL;
	}
	r->options = options;
	r->signals = r->epoll = -1;
	hold = options->write && !options->print ? HOLD_WRITING_MS : HOLD_PRINTING_MS;
	if (options->count) {
		r->count = count_new(FORMAT_COLUMNS, options->columns.style, error);
		if (!r->count)
			goto failed;
	} else if (!options->write || options->print) {
		r->columns = columns_new(&options->columns, error);
		if (!r->columns)
			goto failed;
	}
	r->assemble = assemble_new(
		hold * NS_PER_MS, &(struct assemble_handlers){take_event, take_result, r});
	if (!r->assemble) {
		error_set(error, "out of memory");
		goto failed;
	}
	if (options->write && open_output(r, error))
		goto failed;
	r->signals = block_signals(error);
	if (r->signals < 0 || open_capture(r, &backend, error) || open_dns(r, error) ||
		open_processes(r, backend, error) || open_epoll(r, error) ||
		host_describe(&r->host, backend, error))
		goto failed;
	filters_describe(&options->filter, &options->maps, capture_failed_only(r->capture),
		r->host.filters, sizeof r->host.filters);
	r->host.info.filters = bytes_of(r->host.filters);
	r->filter = filters_of_recorder(&options->filter, !capture_failed_only(r->capture));
	r->filtering = filters_ask(&r->filter);
	r->filter_here = r->filter.failed;
	if (r->filter_here || (r->columns && columns_need_result(r->columns))) {
		r->kept = kept_new(KEPT_MAX);
		if (!r->kept) {
			error_set(error, "out of memory");
			goto failed;
		}
	}
	r->host.info.packets = !options->no_packets;
	r->host.info.live = options->live;
	if (privileges_drop(options->user, r->output && output_is_foreign(r->output), error))
		goto failed;
	if (r->output && output_start(r->output, &r->host, error))
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
	dns_free(r->dns);
	columns_free(r->columns);
	count_free(r->count);
	kept_free(r->kept);
	output_free(r->output);
	if (r->signals >= 0)
		close(r->signals);
	if (r->epoll >= 0)
		close(r->epoll);
	free(r);
}

static void say_answers_lost(const struct recorder *r)
{
	uint64_t lost = r->dns ? capture_answers_lost(r->capture) : 0;

	if (lost)
		fprintf(stderr,
			PROGRAM ": %" PRIu64 " DNS answers lost: names may be missing, or old\n",
			lost);
}

static void print_counters(struct recorder *r)
{
	struct counters c = current_counters(r);

	fprintf(stderr,
		PROGRAM ": %" PRIu64 " attempts seen, %" PRIu64 " recorded, %" PRIu64
			" filtered in the kernel, %" PRIu64 " lost, %" PRIu64 " partial\n",
		c.seen, c.recorded, c.filtered, c.lost, c.partial);
	say_answers_lost(r);
}

static void handle_signals(struct recorder *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGUSR1)
			print_counters(r);
		else if (info.ssi_signo == SIGUSR2)
			r->flush = true;
		else if (info.ssi_signo == SIGHUP && r->output)
			r->rotate = true;
		else
			r->stop = true;
	}
}

/* A reader of standard output that went away ends the printing; recording goes on. */
static void flush_print(struct recorder *r)
{
	if ((!r->columns && !r->count) || (!fflush(stdout) && !ferror(stdout)))
		return;
	error_set(&r->failure, "cannot write to standard output: %s", strerror(errno));
	columns_free(r->columns);
	count_free(r->count);
	r->columns = NULL;
	r->count = NULL;
	if (r->output)
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
	capture_sweep(r->capture, r->now.boot_ns);
	assemble_release(r->assemble, r->now.boot_ns);
	if (r->output) {
		if (r->flush)
			output_flush(r->output);
		if (r->rotate)
			output_rotate(r->output);
		r->flush = r->rotate = false;
		output_tick(r->output, &r->now);
		if (output_failed(r->output, &r->failure))
			fail(r);
	}
	flush_print(r);
	return n;
}

/* When to wake up by ourselves, in ns of CLOCK_BOOTTIME; UINT64_MAX: not at all. */
static uint64_t next_deadline(const struct recorder *r, uint64_t end_ns, enum rest rest)
{
	uint64_t deadline = assemble_deadline(r->assemble);
	uint64_t output = r->output ? output_deadline(r->output) : UINT64_MAX;

	if (end_ns < deadline)
		deadline = end_ns;
	if (output < deadline)
		deadline = output;
	if (rest != REST_IDLE && r->now.boot_ns + GATHER_MS * NS_PER_MS < deadline)
		deadline = r->now.boot_ns + GATHER_MS * NS_PER_MS;
	return deadline;
}

static void sleep_until(struct recorder *r, uint64_t deadline)
{
	uint64_t now = clock_boot_ns();
	uint64_t wait = deadline > now ? (deadline - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	struct epoll_event events[3];
	int n;

	if (deadline == UINT64_MAX)
		n = epoll_wait(r->epoll, events, 3, -1);
	else
		n = epoll_wait(r->epoll, events, 3, wait > INT_MAX ? INT_MAX : (int)wait);
	for (int i = 0; i < n; i++)
		if (events[i].data.fd == r->signals)
			handle_signals(r);
		else if (events[i].data.fd == STDOUT_FILENO)
			r->stop = true;
}

/* A second request to end: what the disk does not take now is lost. */
static bool is_impatient(void *context)
{
	struct recorder *r = context;
	struct signalfd_siginfo info;
	bool asked = false;

	while (read(r->signals, &info, sizeof info) == sizeof info)
		asked |= info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM;
	return asked;
}

/* Filters that nothing could pass because what they ask for is not known here. */
static void say_unknown(const struct recorder *r)
{
	for (size_t i = 0; i < FILTER_FACTS; i++)
		if (!r->notes.known[i] && r->notes.unknown[i])
			fprintf(stderr,
				PROGRAM ": %s: no %s are known, so it has nothing to go by\n",
				filter_fact_names[i].option, filter_fact_names[i].what);
}

/* After the last sample: what is buffered, the end of the file, the final counters. */
static void finish(struct recorder *r)
{
	struct error error;

	if (capture_drain(r->capture, &error) && !r->failed) {
		r->failure = error;
		fail(r);
	}
	if (r->options->verbose)
		fprintf(stderr,
			PROGRAM ": %u attempts under way in the kernel, %" PRIu64
				" whose end was not seen\n",
			capture_under_way(r->capture), capture_swept(r->capture));
	r->now = clock_anchor_now();
	assemble_release(r->assemble, UINT64_MAX);
	while (r->kept && kept_oldest(r->kept) != KEPT_NONE)
		release_oldest(r, true);
	if (r->count && count_print(r->count, stdout, &r->failure))
		fail(r);
	flush_print(r);
	if (!r->options->quiet) {
		say_unknown(r);
		say_answers_lost(r);
	}
	if (r->output && output_finish(r->output, is_impatient, r, &error) && !r->failed) {
		r->failure = error;
		fail(r);
	}
	r->final = current_counters(r);
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
