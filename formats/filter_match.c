/* SPDX-License-Identifier: BSD-2-Clause */
/* The half of filter.h that asks: does this match? */
#include "filter.h"
#include "result.h"

#include <stdlib.h>

const struct filter_fact_name filter_fact_names[FILTER_FACTS] = {
	[FACT_COMM] = {"--comm", "names of processes"},
	[FACT_EXE] = {"--exe", "paths of programs"},
	[FACT_CONTAINER] = {"--container", "containers"},
	[FACT_CGROUP] = {"--cgroup", "cgroups"},
	[FACT_ANCESTOR] = {"--ancestor", "parents of processes"},
	[FACT_NETNS] = {"--netns", "network namespaces"},
	[FACT_RESULT] = {"a filter on the result", "outcomes"},
};

static bool list_wants(const struct filter_list *list, uint32_t value)
{
	for (size_t i = 0; i < list->count; i++)
		if (value >= list->ranges[i].low && value <= list->ranges[i].high)
			return !list->negated;
	return !list->count || list->negated;
}

typedef bool match_text(struct bytes value, struct bytes wanted);

static bool begins_with(struct bytes value, struct bytes wanted)
{
	return value.length >= wanted.length && !memcmp(value.data, wanted.data, wanted.length);
}

static struct bytes last_part(struct bytes path)
{
	size_t at = path.length;

	while (at && path.data[at - 1] != '/')
		at--;
	return (struct bytes){path.data + at, path.length - at};
}

static bool match_path(struct bytes value, struct bytes wanted)
{
	return bytes_equal(value, wanted) ||
	       (!memchr(wanted.data, '/', wanted.length) && bytes_equal(last_part(value), wanted));
}

static bool match_subtree(struct bytes value, struct bytes wanted)
{
	while (wanted.length && wanted.data[wanted.length - 1] == '/')
		wanted.length--;
	return begins_with(value, wanted) &&
	       (value.length == wanted.length || value.data[wanted.length] == '/');
}

static bool texts_want(const struct filter_texts *list, struct bytes value, match_text *match)
{
	for (size_t i = 0; value.length && i < list->count; i++)
		if (match(value, bytes_of(list->texts[i])))
			return !list->negated;
	return !list->count || list->negated;
}

static void note(struct filter_notes *notes, enum filter_fact fact, bool known)
{
	if (notes)
		(known ? notes->known : notes->unknown)[fact]++;
}

static bool is_ancestor(const struct process *ancestor, const char *wanted)
{
	struct bytes name = bytes_of(wanted);

	if (strspn(wanted, "0123456789") == name.length)
		return ancestor->pid == strtoul(wanted, NULL, 10);
	return bytes_equal(ancestor->comm, name) ||
	       (ancestor->exe.length && match_path(ancestor->exe, name));
}

static bool wants_ancestors(
	const struct filter *filter, const struct process *process, struct filter_notes *notes)
{
	const struct filter_texts *list = &filter->ancestors;

	note(notes, FACT_ANCESTOR, process->parent || process->ppid);
	for (size_t i = 0; i < list->count; i++) {
		if (process->ppid &&
			strspn(list->texts[i], "0123456789") == strlen(list->texts[i]) &&
			process->ppid == strtoul(list->texts[i], NULL, 10))
			return !list->negated;
		for (const struct process *p = process->parent; p; p = p->parent)
			if (is_ancestor(p, list->texts[i]))
				return !list->negated;
	}
	return list->negated;
}

bool filter_needs_process(const struct filter *f)
{
	return f->pids.count || f->uids.count || f->comms.count || f->exes.count ||
	       f->containers.count || f->cgroups.count || f->ancestors.count;
}

static bool process_matches(
	const struct filter *filter, const struct process *process, struct filter_notes *notes)
{
	const struct {
		const struct filter_texts *list;
		struct bytes value;
		match_text *match;
		enum filter_fact fact;
	} texts[] = {
		{&filter->comms, process->comm, bytes_equal, FACT_COMM},
		{&filter->exes, process->exe, match_path, FACT_EXE},
		{&filter->containers, process->container, begins_with, FACT_CONTAINER},
		{&filter->cgroups, process->cgroup, match_subtree, FACT_CGROUP},
	};
	bool wanted =
		list_wants(&filter->pids, process->pid) && list_wants(&filter->uids, process->uid);

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (!texts[i].list->count)
			continue;
		/* No container is no lack of knowledge when there is a cgroup. */
		note(notes, texts[i].fact,
			texts[i].value.length ||
				(texts[i].fact == FACT_CONTAINER && process->cgroup.length));
		wanted = wanted && texts_want(texts[i].list, texts[i].value, texts[i].match);
	}
	if (filter->ancestors.count)
		wanted = wants_ancestors(filter, process, notes) && wanted;
	return wanted;
}

bool filter_wants_process(
	const struct filter *filter, const struct process *process, struct filter_notes *notes)
{
	return !filter_needs_process(filter) || process_matches(filter, process, notes);
}

bool filter_wants_port(const struct filter *filter, uint16_t dport)
{
	return list_wants(&filter->ports, dport);
}

bool filter_wants_netns(const struct filter *filter, uint32_t inode, struct filter_notes *notes)
{
	if (!filter->netns.count)
		return true;
	note(notes, FACT_NETNS, inode);
	return list_wants(&filter->netns, inode);
}

bool filter_wants_host(const struct filter *filter, struct bytes host)
{
	return texts_want(&filter->hosts, host, bytes_equal);
}

bool filter_wants_time(const struct filter *filter, int64_t wall_ns)
{
	return (!filter->has_since || wall_ns >= filter->since_ns) &&
	       (!filter->has_until || wall_ns < filter->until_ns);
}

bool filter_needs_result(const struct filter *filter)
{
	return filter->failed || filter->results.count || filter->min_latency_us;
}

bool filter_wants_result(const struct filter *filter, const struct result *result)
{
	if (filter->failed && !result_is_failure(result))
		return false;
	if (filter->min_latency_us &&
		(result->outcome == OUTCOME_PENDING || result->latency_us < filter->min_latency_us))
		return false;
	return list_wants(&filter->results, (uint32_t)result->outcome << 16 | result->error);
}

bool filter_matches(const struct filter *filter, const struct event *event)
{
	return (!filter->family || filter->family == event->daddr.family) &&
	       filter_wants_process(filter, event->process, NULL) &&
	       filter_wants_port(filter, event->dport) &&
	       filter_wants_netns(filter, event->net_ns, NULL) &&
	       filter_wants_result(filter, &event->result) &&
	       (!filter->expression || expression_matches(filter->expression, event));
}
