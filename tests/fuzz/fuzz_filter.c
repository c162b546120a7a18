/* SPDX-License-Identifier: BSD-2-Clause */
/* A command line, an argument on each line: what is accepted means something, the rest is told. */
#include <assert.h>
#include <getopt.h>
#include <stdlib.h>

#include "../../formats/options.h"

#define ARGUMENTS_MAX 64

struct options {
	struct filter filter;
	struct columns_choice columns;
	uint64_t limit;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row table[] = {
	FILTER_OPTIONS(AT(filter)),
	PROCESS_FILTER_OPTIONS(AT(filter)),
	TRACE_FILTER_OPTIONS(AT(filter)),
	EXPRESSION_OPTION(AT(filter)),
	COLUMN_OPTIONS(AT(columns)),
	{0, "style", "STYLE", "columns of a peer", option_text,
		AT(columns) + offsetof(struct columns_choice, style)},
	{'n', "limit", "N", "stop after N", option_count, AT(limit)},
	{0},
};

/* Each range lets through, or not, what it names. */
static void check_list(const struct filter *filter, const struct filter_list *list, uint32_t most)
{
	assert(!list->count == !list->ranges);
	for (size_t i = 0; i < list->count; i++) {
		const struct filter_range *range = &list->ranges[i];
		const uint32_t ends[] = {range->low, range->high};

		assert(range->low <= range->high && range->high <= most);
		for (unsigned int k = 0; k < 2; k++) {
			struct filter only = {0};
			struct event event = {
				.process = &(struct process){.pid = ends[k], .uid = ends[k]},
				.dport = (uint16_t)ends[k],
			};

			only.pids = list == &filter->pids ? *list : only.pids;
			only.uids = list == &filter->uids ? *list : only.uids;
			only.ports = list == &filter->ports ? *list : only.ports;
			assert(filter_matches(&only, &event) == !list->negated);
		}
	}
}

static void check_accepted(const struct options *options)
{
	const struct filter *filter = &options->filter;
	struct columns *columns;
	struct error error = {""};
	char text[100];

	check_list(filter, &filter->pids, 4194304);
	check_list(filter, &filter->uids, UINT32_MAX - 1);
	check_list(filter, &filter->ports, 65535);
	if (filter->expression) {
		struct event event = {.daddr = {.family = 6}};

		expression_matches(filter->expression, &event);
	}
	assert(filter->family == 0 || filter->family == 4 || filter->family == 6);
	filter_describe(filter, text, sizeof text);
	assert(strlen(text) < sizeof text);
	assert(!*text == !(filter->pids.count || filter->uids.count || filter->ports.count ||
				 filter->family || filter->comms.count || filter->cgroups.count ||
				 filter->netns.count || filter->failed || filter->expression));
	columns = columns_new(&options->columns, &error);
	assert(columns || *error.text);
	columns_free(columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *argv[ARGUMENTS_MAX + 2] = {(char *)"program"}, *next = text;
	struct options options = {0};
	struct error error = {""};
	int argc = 1;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	while (next && argc <= ARGUMENTS_MAX) {
		argv[argc++] = next;
		next = strchr(next, '\n');
		if (next)
			*next++ = '\0';
	}
	optind = 0; /* glibc: begin anew */
	if (options_parse(table, argc, argv, &options, &error))
		assert(*error.text);
	else
		check_accepted(&options);
	filter_release(&options.filter);
	free(text);
	return 0;
}
