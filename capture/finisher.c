/* SPDX-License-Identifier: BSD-2-Clause */
#include "finisher.h"
#include "thread.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_MS 10000  /* how often the limits are looked at without a new file */
#define COMMANDS_MAX 64 /* that run at once */
#define DELAY_MAX 360   /* checks, until a file that could not be finished is tried again: 1 h */
#define FAILED_MAX 64   /* of them, others wait for the next start */

extern char **environ;

struct job {
	struct job *next;
	struct live_file file;
	/* It could not be finished: so many checks from now it is tried again, twice as many */
	unsigned int left, delay; /* as the last time. */
};

struct finisher {
	struct thread *thread;
	const struct names *names;
	struct finisher_options options;
	pid_t commands[COMMANDS_MAX]; /* 0: none */
	struct job *failed;           /* only of the thread */
	size_t failed_count;
	/* Under the lock. */
	struct job *first, **end;
	size_t waiting;
	uint64_t protect_from; /* numbers that are being written or wait here */
	bool stop, interrupt;
};

static bool interrupted(void *context)
{
	struct finisher *f = context;
	bool interrupt;

	thread_lock(f->thread);
	interrupt = f->interrupt;
	thread_unlock(f->thread);
	return interrupt;
}

static void say(struct finisher *f, const struct error *text)
{
	f->options.say(f->options.context, text);
}

static void reap(struct finisher *f)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		if (f->commands[i] && waitpid(f->commands[i], NULL, WNOHANG) == f->commands[i])
			f->commands[i] = 0;
}

/* Without waiting for it: a command that hangs must not hold up the files. */
static void run_command(struct finisher *f, const char *name)
{
	char *script = NULL;
	char *arguments[] = {(char *)"sh", (char *)"-c", NULL, (char *)"sh", (char *)name, NULL};
	posix_spawnattr_t attributes;
	struct error text;
	sigset_t none, defaults;
	int number;
	size_t i = 0;

	reap(f);
	while (i < COMMANDS_MAX && f->commands[i])
		i++;
	if (i == COMMANDS_MAX) {
		error_set(&text, "%s: --exec is not run: %d commands are still running", name,
			COMMANDS_MAX);
		say(f, &text);
		return;
	}
	if (asprintf(&script, "%s \"$1\"", f->options.command) < 0)
		return;
	arguments[2] = script;
	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGXFSZ);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	number = posix_spawn(&f->commands[i], "/bin/sh", NULL, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	free(script);
	if (number) {
		f->commands[i] = 0;
		error_set(&text, "cannot run '%s': %s", f->options.command, strerror(number));
		say(f, &text);
	}
}

static void announce(struct finisher *f, const struct live_file *file)
{
	char name[PATH_MAX + NAME_SIZE];

	snprintf(name, sizeof name, "%s%s", f->names->path, file->name);
	if (f->options.print) {
		puts(name);
		fflush(stdout);
	}
	if (f->options.command)
		run_command(f, name);
}

/* Returns false if it is to be tried again. */
static bool finish(struct finisher *f, struct job *job)
{
	struct live_file *file = &job->file;
	struct error why, text;
	enum finished result = FINISH_DONE;

	if (*file->final)
		result = finish_file(f->names, file, &f->options.finish, interrupted, f, &why);
	if (result == FINISH_CANNOT) {
		if (interrupted(f))
			return true;
		error_set(&text, "%s%s: stays as it is: %.400s", f->names->path, file->name,
			why.text);
		if (!job->delay)
			say(f, &text);
		return false;
	}
	if (result == FINISH_AS_IT_WAS) {
		error_set(&text, "%s%s: not written again: %.400s", f->names->path, file->name,
			why.text);
		say(f, &text);
	}
	if (result != FINISH_EMPTY)
		announce(f, file);
	return true;
}

static void drop_job(struct job *job)
{
	live_file_close(&job->file);
	free(job);
}

static void keep_failed(struct finisher *f, struct job *job)
{
	if (f->failed_count == FAILED_MAX) {
		drop_job(job);
		return;
	}
	job->delay = job->delay * 2 > DELAY_MAX ? DELAY_MAX : job->delay ? job->delay * 2 : 1;
	job->left = job->delay;
	job->next = f->failed;
	f->failed = job;
	f->failed_count++;
}

/* Those whose time has come; at the end, all of them. */
static void try_again(struct finisher *f, bool all)
{
	struct job *job, *list = f->failed;

	f->failed = NULL;
	f->failed_count = 0;
	while ((job = list)) {
		list = job->next;
		if (!all && --job->left) {
			job->next = f->failed;
			f->failed = job;
			f->failed_count++;
		} else if (finish(f, job) || all) {
			drop_job(job);
		} else {
			keep_failed(f, job);
		}
	}
}

int finisher_expire(struct finisher *f)
{
	struct error why;
	uint64_t from;
	int gone;

	if (!retention_is_set(&f->options.retention) || !*f->names->base)
		return 0;
	thread_lock(f->thread);
	from = f->protect_from;
	thread_unlock(f->thread);
	gone = retention_apply(&f->options.retention, f->names, from, retention_delete,
		(void *)(uintptr_t)f->names, &why);
	return gone < 0 ? 0 : gone;
}

/* Whether there is anything to look at when no file comes: an idle recorder does not wake up. */
static bool has_checks(const struct finisher *f)
{
	if (f->failed || (retention_is_set(&f->options.retention) && *f->names->base))
		return true;
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		if (f->commands[i])
			return true;
	return false;
}

/* thread_run */
static void finish_all(void *context)
{
	struct finisher *f = context;
	struct job *job;
	bool done;

	thread_lock(f->thread);
	for (;;) {
		while (!f->first && !f->stop) {
			if (thread_wait(f->thread, has_checks(f) ? CHECK_MS : 0))
				continue;
			thread_unlock(f->thread);
			reap(f);
			finisher_expire(f);
			try_again(f, false);
			thread_lock(f->thread);
		}
		job = f->first;
		if (!job || f->interrupt)
			break;
		thread_unlock(f->thread);
		done = finish(f, job);
		thread_lock(f->thread);
		f->first = job->next;
		if (!f->first)
			f->end = &f->first;
		f->waiting--;
		if (*job->file.final && f->protect_from <= job->file.number)
			f->protect_from = job->file.number + 1;
		thread_unlock(f->thread);
		if (done)
			drop_job(job);
		else
			keep_failed(f, job);
		finisher_expire(f);
		thread_lock(f->thread);
	}
	thread_unlock(f->thread);
	try_again(f, true);
}

struct finisher *finisher_new(
	const struct names *names, const struct finisher_options *options, struct error *error)
{
	struct finisher *f = calloc(1, sizeof *f);

	if (!f) {
		error_set(error, "out of memory");
		return NULL;
	}
	f->names = names;
	f->options = *options;
	f->end = &f->first;
	f->thread = thread_new(finish_all, f, true, error);
	if (!f->thread || thread_start(f->thread, error)) {
		thread_free(f->thread);
		free(f);
		return NULL;
	}
	return f;
}

void finisher_add(struct finisher *f, const struct live_file *file)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job) {
		struct live_file lost = *file;

		live_file_close(&lost); /* it stays a .part; the next start finishes it */
		return;
	}
	job->file = *file;
	thread_lock(f->thread);
	*f->end = job;
	f->end = &job->next;
	f->waiting++;
	thread_signal(f->thread);
	thread_unlock(f->thread);
}

size_t finisher_waiting(struct finisher *f)
{
	size_t waiting;

	thread_lock(f->thread);
	waiting = f->waiting;
	thread_unlock(f->thread);
	return waiting;
}

void finisher_protect(struct finisher *f, uint64_t number)
{
	thread_lock(f->thread);
	f->protect_from = number;
	thread_unlock(f->thread);
}

struct patience {
	struct finisher *finisher;
	bool (*impatient)(void *context);
	void *context;
};

static bool impatient(void *context)
{
	struct patience *p = context;

	if (!p->impatient || !p->impatient(p->context))
		return false;
	thread_lock(p->finisher->thread);
	p->finisher->interrupt = true;
	thread_unlock(p->finisher->thread);
	return true;
}

void finisher_finish(struct finisher *f, bool (*ask)(void *context), void *context)
{
	struct patience patience = {f, ask, context};

	thread_lock(f->thread);
	f->stop = true;
	thread_signal(f->thread);
	thread_unlock(f->thread);
	thread_join(f->thread, impatient, &patience);
}

bool finisher_is_over(const struct finisher *f)
{
	return thread_is_over(f->thread);
}

void finisher_free(struct finisher *f)
{
	if (!f)
		return;
	if (!finisher_is_over(f))
		return;
	thread_free(f->thread);
	while (f->first) {
		struct job *job = f->first;

		f->first = job->next;
		drop_job(job);
	}
	free(f);
}
