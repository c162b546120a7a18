/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpconnect-read: shows what tcpconnect-rec recorded. */
#include "extract.h"
#include "follow.h"
#include "heap.h"
#include "options.h"
#include "printer.h"
#include "progress.h"
#include "shares.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROGRAM "tcpconnect-read"

#define SOME 256 /* rows that are shown at a time */

enum { EXIT_COMPLETE = 0, EXIT_CANNOT = 1, EXIT_USAGE = 2, EXIT_INCOMPLETE = 3 };

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

/* context: struct progress, or NULL */
static void say(void *context, const struct error *error)
{
	fflush(stdout); /* so that on a terminal the message stands where it belongs */
	if (context)
		progress_clear(context);
	fprintf(stderr, PROGRAM ": %s\n", error->text);
}

/* context: struct read_options */
static void say_facts(void *context, const char *name, struct trace_facts facts)
{
	const struct read_options *options = context;

	if (!trace_is_readable(&facts))
		return;
	if (!facts.has_records && !options->quiet)
		fprintf(stderr, PROGRAM ": %s: no records of tcpconnect-rec in it\n", name);
	else if (!facts.events && !options->quiet)
		fprintf(stderr, PROGRAM ": %s: no connect events in it\n", name);
	if (options->verbose && facts.has_records)
		fprintf(stderr, PROGRAM ": %s: %" PRIu64 " events in %" PRIu64 " batches, %s\n",
			name, facts.events, facts.batches,
			facts.closed ? "closed in order"
				     : "no summary at its end: still being written, cut off, or "
				       "rewritten by another program");
}

/* A filter that nothing could pass because nobody recorded what it asks for. */
static int say_unknown(const struct merge *merge)
{
	struct filter_notes notes = merge_notes(merge);
	struct error error;
	int said = 0;

	for (size_t i = 0; i < FILTER_FACTS; i++) {
		const struct filter_fact_name *name = &filter_fact_names[i];

		if (notes.known[i] || !notes.unknown[i])
			continue;
		error_set(&error, "%s: no %s were recorded, so it has nothing to go by",
			name->option, name->what);
		say(NULL, &error);
		said++;
	}
	return said;
}

/* What is done with each row: one of the three. */
struct sink {
	const struct read_options *options;
	struct columns *columns;
	struct answer *answer;
	struct shares *shares; /* of the answer, for several threads; or NULL */
	struct extract *extract;
	struct printer *printer; /* instead of the columns, for several threads; or NULL */
	struct progress *progress;
	bool any_order; /* of an answer: rows come by batches */
	uint64_t rows;
	int64_t first_wall_ns;
	struct timespec began; /* of the first row, by CLOCK_MONOTONIC */
};

/* Writes the rows so far. */
static int sink_flush(struct sink *sink, struct error *error)
{
	if (sink->printer)
		return printer_flush(sink->printer, error);
	if (sink->shares)
		return shares_settle(sink->shares, error);
	return sink->columns && columns_flush(sink->columns, stdout)
		       ? error_set(error, "out of memory")
		       : 0;
}

/* context: struct sink */
static void settle(void *context)
{
	struct error ignored; /* of the next row */

	sink_flush(context, &ignored);
}

/* What is wrong with a trace is said behind the rows before it. context: struct sink */
static void report(void *context, const struct error *error)
{
	struct sink *sink = context;
	struct error ignored;

	/* If they cannot be written, that is the end. */
	if (!sink_flush(sink, &ignored))
		say(sink->progress, error);
}

static void sink_release(struct sink *sink)
{
	printer_free(sink->printer);
	columns_free(sink->columns);
	if (sink->answer)
		sink->options->answer_kind->destroy(sink->answer);
	shares_free(sink->shares);
	extract_free(sink->extract);
}

/* The usual columns tell several hosts apart. */
static struct columns_choice choose_columns(struct merge *merge, const struct read_options *options)
{
	struct columns_choice choice = options->columns;
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	bool plain = choice.style || choice.format != FORMAT_COLUMNS;

	choice.adapt = isatty(STDOUT_FILENO);
	choice.colour =
		choice.adapt && (!no_colour || !*no_colour) && terminal && strcmp(terminal, "dumb");
	choice.host = !plain && !choice.names && merge_has_several_hosts(merge);
	return choice;
}

/* Where rows are not waited for one by one, the threads print them. */
static int share_printing(struct sink *sink, struct merge *merge, struct pool *pool,
	const struct columns_choice *choice, struct error *error)
{
	const struct read_options *o = sink->options;

	if (!pool || o->pace_milli || choice->adapt || (o->limit && o->limit <= PRINTER_ROWS))
		return 0;
	sink->printer = printer_new(pool, choice, stdout, error);
	merge_hold(merge, settle);
	return sink->printer ? 0 : -1;
}

static int share_answer(struct sink *sink, struct merge *merge, struct pool *pool,
	const struct answer_choice *choice, struct error *error)
{
	const struct answer_kind *kind = sink->options->answer_kind;

	if (!pool || !sink->any_order || !kind->join)
		return 0;
	sink->shares = shares_new(pool, kind, choice, sink->answer, error);
	merge_hold(merge, settle);
	return sink->shares ? 0 : -1;
}

/* Usage errors were found before: whatever fails here is no fault of the command line. */
static int sink_open(struct sink *sink, struct merge *merge, struct pool *pool, struct error *error)
{
	const struct read_options *o = sink->options;
	struct answer_choice choice = o->answer;
	struct columns_choice columns;
	struct winsize size;

	if (o->write) {
		sink->extract = extract_new(o->write, o->redact, !o->no_packets, error);
		merge_need_results(merge);
		return sink->extract ? 0 : -1;
	}
	if (o->answer_kind) {
		if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
			choice.width = size.ws_col;
		if (o->answer_kind->needs_results || filter_needs_result(&o->filter))
			merge_need_results(merge);
		sink->answer = o->answer_kind->create(&choice, error);
		if (!sink->answer)
			return -1;
		/* The first so many are not any so many. */
		sink->any_order =
			o->answer_kind->any_order && !o->pace_milli && (choice.top || !o->limit);
		if (sink->any_order)
			merge_any_order(merge);
		if (o->answer_kind->needs)
			merge_need_columns(merge, o->answer_kind->needs(sink->answer));
		return share_answer(sink, merge, pool, &choice, error);
	}
	columns = choose_columns(merge, o);
	sink->columns = columns_new(&columns, error);
	if (!sink->columns)
		return -1;
	if (columns_need_result(sink->columns) || filter_needs_result(&o->filter))
		merge_need_results(merge);
	merge_need_columns(merge, columns_need(sink->columns));
	return columns_header(sink->columns, stdout) ||
			       share_printing(sink, merge, pool, &columns, error)
		       ? -1
		       : 0;
}

/* Until the row is due. */
static void keep_pace(struct sink *sink, int64_t wall_ns)
{
	uint64_t wait_ns;
	struct timespec until;

	if (!sink->options->pace_milli)
		return;
	if (!sink->rows) {
		sink->first_wall_ns = wall_ns;
		clock_gettime(CLOCK_MONOTONIC, &sink->began);
		return;
	}
	if (wall_ns <= sink->first_wall_ns)
		return;
	/* Unsigned: any two times have a distance. */
	wait_ns = (uint64_t)((double)((uint64_t)wall_ns - (uint64_t)sink->first_wall_ns) * 1000 /
			     (double)sink->options->pace_milli);
	until = sink->began;
	until.tv_sec += (time_t)(wait_ns / 1000000000);
	until.tv_nsec += (long)(wait_ns % 1000000000);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	fflush(stdout);
	while (!stopped && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		continue;
}

static int sink_row(
	struct sink *sink, const struct merge *merge, struct columns_row *row, struct error *error)
{
	int status;

	keep_pace(sink, row->wall_ns);
	sink->rows++;
	if (sink->extract)
		return extract_add(sink->extract, row, merge_session(merge), error);
	if (sink->answer)
		return sink->options->answer_kind->add(sink->answer, row, error);
	status = columns_print(sink->columns, row, stdout);
	if (status)
		error_set(error, "out of memory");
	if (ferror_unlocked(stdout))
		return error_set(error, "cannot write to standard output: %s", strerror(errno));
	return status;
}

static int show_runs(struct sink *sink, const struct rows *runs, size_t count, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		struct held *held = sink->printer ? merge_held(&runs[i]) : NULL;

		sink->rows += runs[i].count;
		if (!sink->printer)
			continue;
		if (!held)
			return error_set(error, "out of memory");
		if (printer_add(sink->printer, held, &runs[i], error))
			return -1;
	}
	if (!sink->printer && columns_print_runs(sink->columns, runs, count, stdout))
		return error_set(error, "out of memory");
	if (ferror_unlocked(stdout))
		return error_set(error, "cannot write to standard output: %s", strerror(errno));
	return 0;
}

/* The next row or rows, at most so many. Returns 1; 0: the end, perhaps for now; -1: see error. */
static int sink_next(struct sink *sink, struct merge *merge, uint64_t most, struct error *error)
{
	bool answers = sink->answer;
	struct rows runs[SOME];
	struct columns_row row;
	size_t count;
	int status;

	if (sink->extract || sink->options->pace_milli || (sink->answer && !sink->any_order)) {
		if (!merge_next(merge, &row))
			return 0;
		status = sink_row(sink, merge, &row, error);
	} else {
		count = merge_next_rows(
			merge, runs, answers ? 1 : SOME, answers || most < SOME ? most : SOME);
		if (!count)
			return 0;
		if (sink->shares)
			status = shares_add(sink->shares, runs, error);
		else if (answers)
			status = answer_add_rows(
				sink->options->answer_kind, sink->answer, runs, error);
		else
			status = show_runs(sink, runs, count, error);
	}
	return status ? -1 : 1;
}

static int sink_close(struct sink *sink, const struct merge *merge, struct error *error)
{
	if (sink->extract)
		return extract_finish(sink->extract, error);
	if (sink_flush(sink, error) || (sink->shares && shares_join(sink->shares, error)))
		return -1;
	if (sink->answer && sink->options->answer_kind->print(sink->answer, merge, stdout, error))
		return -1;
	if (fflush(stdout) || ferror(stdout))
		return error_set(error, "cannot write to standard output: %s", strerror(errno));
	return 0;
}

/* Everything that matches. follow: NULL: not. Returns 0, or -1: see error. */
static int read_all(
	struct sink *sink, struct merge *merge, struct follow *follow, struct error *error)
{
	const struct read_options *o = sink->options;
	uint64_t limit = o->answer.top ? 0 : o->limit;
	struct columns_row row;
	bool more = true;
	int n;

	while (more) {
		if (stopped && follow) {
			/* The next signal ends it at once. */
			signal(SIGINT, SIG_DFL);
			signal(SIGTERM, SIG_DFL);
			merge_end_following(merge);
			follow = NULL;
		}
		if (limit && sink->rows >= limit)
			break;
		n = sink_next(sink, merge, limit ? limit - sink->rows : UINT64_MAX, error);
		if (n < 0)
			return -1;
		if (n > 0)
			continue;
		more = follow;
		if (!follow)
			break;
		if (sink_flush(sink, error))
			return -1;
		if (fflush(stdout))
			return error_set(
				error, "cannot write to standard output: %s", strerror(errno));
		n = follow_wait(follow, error);
		if (n < 0)
			return -1;
	}
	progress_clear(sink->progress);
	if (sink_close(sink, merge, error))
		return -1;
	/* What is said of a file is said of all of it. */
	while (more && !follow && o->verbose && merge_next(merge, &row))
		continue;
	if (!more || o->verbose)
		merge_report_missing(merge);
	return 0;
}

static struct follow *start_following(
	struct merge *merge, const struct read_options *options, struct error *error)
{
	struct sigaction action = {.sa_handler = stop};
	struct follow *follow = follow_new(merge, error);

	for (size_t i = 0; follow && i < options->file_count; i++)
		if (follow_watch(follow, options->files[i], error)) {
			follow_free(follow);
			return NULL;
		}
	/* An orderly end tells what is missing. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	merge_follow(merge);
	return follow;
}

/* NULL: all is done by this thread. */
static struct pool *start_pool(const struct read_options *options)
{
	unsigned int threads = options->threads ? (unsigned int)options->threads : pool_cores();

	return threads > 1 && !options->follow ? pool_new(threads) : NULL;
}

static int run(const struct read_options *options)
{
	struct progress progress = {0};
	struct sink sink = {.options = options, .progress = &progress};
	struct merge *merge = merge_new(&options->filter, report, &sink);
	struct pool *pool = start_pool(options);
	struct follow *follow = NULL;
	struct names names = {0};
	int status = EXIT_COMPLETE;
	struct error error;

	for (size_t i = 0; i < options->file_count; i++)
		if (names_add(&names, options->files[i], &error)) {
			say(NULL, &error);
			status = options->follow ? status : EXIT_INCOMPLETE;
		}
	if (!merge) {
		error_set(&error, "out of memory");
		say(NULL, &error);
		status = EXIT_CANNOT;
	} else if (options->follow && !(follow = start_following(merge, options, &error))) {
		say(NULL, &error);
		status = EXIT_CANNOT;
	} else {
		/* Rows on the same terminal are progress enough. */
		if (isatty(STDERR_FILENO) && !options->quiet && !options->follow &&
			(options->answer_kind || options->write || !isatty(STDOUT_FILENO)))
			progress_start(&progress);
		merge_show_progress(merge, &progress);
		if (pool)
			merge_use(merge, pool);
		if (!merge_add_all(merge, pool, names.names, names.count))
			status = EXIT_INCOMPLETE;
		if (!merge_count(merge) && !follow) {
			status = EXIT_CANNOT;
		} else if (sink_open(&sink, merge, pool, &error) ||
			   read_all(&sink, merge, follow, &error)) {
			say(NULL, &error);
			status = EXIT_CANNOT;
		} else if (merge_unreadable(merge) == merge_count(merge) && !follow) {
			status = EXIT_CANNOT;
		} else if (merge_incomplete(merge)) {
			status = EXIT_INCOMPLETE;
		}
		if (status != EXIT_CANNOT && say_unknown(merge))
			status = EXIT_INCOMPLETE;
		merge_visit(merge, say_facts, (void *)options);
	}
	sink_release(&sink);
	merge_free(merge);
	pool_free(pool);
	follow_free(follow);
	names_release(&names);
	return status;
}

int main(int argc, char **argv)
{
	struct read_options options = {0};
	int status = EXIT_USAGE;
	struct error error;

	heap_prepare();
	signal(SIGPIPE, SIG_DFL); /* ends quietly, also when it was inherited as ignored */
	if (read_options_parse(&options, argc, argv, &error)) {
		say(NULL, &error);
	} else if (options.help) {
		read_options_help(stdout);
		status = EXIT_COMPLETE;
	} else if (options.version) {
		puts(PROGRAM " " VERSION);
		status = EXIT_COMPLETE;
	} else {
		status = run(&options);
	}
	read_options_release(&options);
	return status;
}
