/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that connects and ends within a millisecond can only be read while
 * it runs. So a thread of its own, which goes before all others for the moment
 * that this takes, waits for the bell. It may use a part of each second only: on
 * a host that executes more, some programs stay unknown.
 */
#include "processes.h"
#include "clock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMIT 8192
#define AT_START_MAX (LIMIT / 2) /* of the processes that run already */
#define FOLLOW_MS 1000           /* changes wait so long at most: the queue is finite */
#define PERIOD_NS 1000000000ull
#define BUDGET_NS 300000000ull /* of a period, for reading what was executed */
#define NICE (-15)             /* where real time is refused */

#define SEEN 256

/* Samples like this one from before that time came too late for another look to tell more. */
struct seen {
	uint32_t pid;
	uint64_t described, looked_ns;
};

struct processes {
	struct process_cache *cache;
	struct described *described;
	struct proc_events *events; /* NULL: there are none */
	bool eager, follows;
	int stop;             /* an eventfd */
	pthread_mutex_t lock; /* the cache; who holds it runs as high as who waits for it */
	pthread_t follower;
	struct seen seen[SEEN]; /* by pid */
};

static int source_read(void *context, uint32_t pid, bool with_args, struct proc_reading *reading)
{
	(void)context;
	return proc_read(pid, with_args, reading);
}

static int source_drain(void *context, proc_events_change *change, void *change_context)
{
	struct processes *p = context;

	return proc_events_drain(p->events, change, change_context);
}

static uint64_t source_now(void *context)
{
	(void)context;
	return clock_boot_ns();
}

/* What runs already is read before it connects. */
static void read_all(struct processes *p)
{
	DIR *proc = opendir("/proc");
	size_t count = 0;

	if (!proc)
		return;
	for (struct dirent *d; count < AT_START_MAX && (d = readdir(proc));)
		if (isdigit((unsigned char)d->d_name[0])) {
			process_cache_see(
				p->cache, (uint32_t)strtoul(d->d_name, NULL, 10), clock_boot_ns());
			count++;
		}
	closedir(proc);
}

/* Reads what was executed, within the budget. */
static void follow(struct processes *p, uint64_t *period_ns, uint64_t *spent_ns)
{
	uint64_t before = clock_boot_ns();

	if (before - *period_ns >= PERIOD_NS) {
		*period_ns = before;
		*spent_ns = 0;
	}
	pthread_mutex_lock(&p->lock);
	process_cache_follow(p->cache, p->eager && *spent_ns < BUDGET_NS);
	pthread_mutex_unlock(&p->lock);
	*spent_ns += clock_boot_ns() - before;
}

static void go_first(void)
{
	const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest))
		setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

static void *follower(void *context)
{
	struct processes *p = context;
	struct pollfd waiting[] = {{.fd = p->stop, .events = POLLIN},
		{.fd = p->eager ? proc_events_bell(p->events) : -1, .events = POLLIN},
		{.fd = proc_events_queue(p->events), .events = POLLIN}};
	uint64_t period_ns = 0, spent_ns = 0;
	bool gathering = false; /* there are changes; else nothing but the next one wakes us */

	if (p->eager)
		go_first();
	while (poll(waiting, gathering ? 2 : 3, gathering ? FOLLOW_MS : -1) >= 0 ||
		errno == EINTR) {
		if (waiting[0].revents)
			break;
		gathering = !gathering && !waiting[1].revents;
		if (gathering)
			continue;
		proc_events_silence(p->events);
		follow(p, &period_ns, &spent_ns);
	}
	return NULL;
}

static int start_following(struct processes *p)
{
	p->stop = eventfd(0, EFD_CLOEXEC);
	if (p->stop < 0 || pthread_create(&p->follower, NULL, follower, p))
		return -1;
	p->follows = true;
	return 0;
}

static void init_lock(struct processes *p)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&p->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

/* systemd keeps its units in a hierarchy of cgroup v1. */
static bool has_v1_units(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool found = false;

	while (file && !found && fgets(line, sizeof line, file))
		found = strstr(line, ":name=systemd:");
	if (file)
		fclose(file);
	return found;
}

struct processes *processes_open(bool eager, bool with_args, struct error *warning)
{
	struct process_source source = {source_read, source_drain, source_now, NULL};
	struct processes *p = calloc(1, sizeof *p);
	struct error why;

	warning->text[0] = '\0';
	if (!p)
		return NULL;
	source.context = p;
	p->eager = eager;
	p->stop = -1;
	init_lock(p);
	if (proc_read_usable()) {
		source.read = NULL;
		error_set(warning, "processes are not described: /proc is not that of the host");
	} else {
		p->events = proc_events_open(&why);
		if (!p->events)
			error_set(warning, "programs are not described: %s", why.text);
	}
	if (!p->events)
		source.drain = NULL;
	p->described = described_new(!has_v1_units());
	p->cache = process_cache_new(&source, LIMIT, with_args);
	if (!p->cache || !p->described) {
		processes_close(p);
		return NULL;
	}
	if (!p->events)
		return p;
	read_all(p);
	if (start_following(p))
		error_set(warning, "short-lived programs are not described: no thread: %s",
			strerror(errno));
	return p;
}

void processes_close(struct processes *p)
{
	if (!p)
		return;
	if (p->follows) {
		eventfd_write(p->stop, 1);
		pthread_join(p->follower, NULL);
	}
	if (p->stop >= 0)
		close(p->stop);
	process_cache_free(p->cache);
	described_free(p->described);
	proc_events_close(p->events);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void processes_describe(struct processes *p, const void *sample, size_t length)
{
	described_take(p->described, sample, length);
}

void processes_see(struct processes *p, uint32_t pid, uint64_t time_ns, uint64_t described)
{
	struct seen *seen = &p->seen[pid % SEEN];
	const struct description *d;

	if (seen->pid == pid && seen->described == described && time_ns < seen->looked_ns)
		return;
	d = described_find(p->described, described);
	*seen = (struct seen){pid, described, clock_boot_ns()};
	if (d && d->process.exe.length)
		return;
	pthread_mutex_lock(&p->lock);
	process_cache_see(p->cache, pid, time_ns);
	pthread_mutex_unlock(&p->lock);
}

const struct process *processes_find(
	struct processes *p, const struct event *event, uint64_t described)
{
	const struct description *d = described_find(p->described, described);
	const struct process *found = process_cache_recall(p->cache, event, d);
	struct process_facts facts;

	if (found)
		return found;
	facts = (struct process_facts){event->time_ns, event->tid, *event->process, d};
	pthread_mutex_lock(&p->lock);
	found = process_cache_find(p->cache, &facts);
	pthread_mutex_unlock(&p->lock);
	return found;
}
