/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter.h"
#include "number.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#define PID_MAX 4194304 /* PID_MAX_LIMIT of the kernel */
#define LIST_MAX 65536

/* Parses one element of a list, which it may modify. */
typedef int parse_element(char *text, struct filter_range *range, struct error *error);

static int parse_pid(char *text, struct filter_range *range, struct error *error)
{
	uint64_t pid;

	if (number_parse(text, "a process id", 1, PID_MAX, &pid, error))
		return -1;
	range->low = range->high = (uint32_t)pid;
	return 0;
}

static int parse_user(char *text, struct filter_range *range, struct error *error)
{
	struct passwd *user;
	uint64_t uid;

	if (*text >= '0' && *text <= '9') {
		if (number_parse(text, "a user id", 0, UINT32_MAX - 1, &uid, error))
			return -1;
		range->low = range->high = (uint32_t)uid;
		return 0;
	}
	errno = 0;
	user = getpwnam(text);
	if (!user)
		return error_set(error,
			"'%s' is not a user: a number, or a name that this machine knows", text);
	range->low = range->high = user->pw_uid;
	return 0;
}

static int parse_ports(char *text, struct filter_range *range, struct error *error)
{
	static const char what[] = "a port or LO-HI";
	char *dash = strchr(text, '-');
	uint64_t low, high;
	bool wrong;

	if (dash)
		*dash = '\0';
	wrong = number_parse(text, what, 1, 65535, &low, error) ||
		(dash && number_parse(dash + 1, what, 1, 65535, &high, error));
	if (dash)
		*dash = '-';
	else
		high = low;
	if (wrong) /* and so is the whole, which this message quotes */
		return number_parse(text, what, 1, 65535, &low, error);
	if (high < low)
		return error_set(
			error, "'%s' is not %s: the first is larger than the second", text, what);
	range->low = (uint32_t)low;
	range->high = (uint32_t)high;
	return 0;
}

static int add_range(struct filter_list *list, struct filter_range range, struct error *error)
{
	struct filter_range *grown;

	if (list->count == LIST_MAX)
		return error_set(error, "more than %d values in a list", LIST_MAX);
	grown = realloc(list->ranges, (list->count + 1) * sizeof *grown);
	if (!grown)
		return error_set(error, "out of memory");
	list->ranges = grown;
	list->ranges[list->count++] = range;
	return 0;
}

static int add_list(
	struct filter_list *list, const char *text, parse_element *parse, struct error *error)
{
	bool negated = *text == '!';
	char *copy, *element, *end;
	int status = 0;

	if (list->count && list->negated != negated)
		return error_set(error, "'%s': a list cannot be negated (!) and not negated", text);
	list->negated = negated;
	copy = strdup(text + negated);
	if (!copy)
		return error_set(error, "out of memory");
	for (element = copy; element && !status; element = end) {
		struct filter_range range = {0};

		end = strchr(element, ',');
		if (end)
			*end++ = '\0';
		status = parse(element, &range, error);
		if (!status)
			status = add_range(list, range, error);
	}
	free(copy);
	return status;
}

int filter_add_pids(struct filter *filter, const char *text, struct error *error)
{
	return add_list(&filter->pids, text, parse_pid, error);
}

int filter_add_uids(struct filter *filter, const char *text, struct error *error)
{
	return add_list(&filter->uids, text, parse_user, error);
}

int filter_add_ports(struct filter *filter, const char *text, struct error *error)
{
	return add_list(&filter->ports, text, parse_ports, error);
}

int filter_set_family(struct filter *filter, uint8_t family, struct error *error)
{
	if (filter->family && filter->family != family)
		return error_set(error, "-4 and -6 exclude each other");
	filter->family = family;
	return 0;
}

void filter_release(struct filter *filter)
{
	free(filter->pids.ranges);
	free(filter->uids.ranges);
	free(filter->ports.ranges);
	memset(filter, 0, sizeof *filter);
}

static bool list_wants(const struct filter_list *list, uint32_t value)
{
	for (size_t i = 0; i < list->count; i++)
		if (value >= list->ranges[i].low && value <= list->ranges[i].high)
			return !list->negated;
	return !list->count || list->negated;
}

bool filter_matches(const struct filter *filter, const struct event *event)
{
	return (!filter->family || filter->family == event->daddr.family) &&
	       list_wants(&filter->pids, event->process->pid) &&
	       list_wants(&filter->uids, event->process->uid) &&
	       list_wants(&filter->ports, event->dport);
}

static void describe(FILE *out, const char *name, const struct filter_list *list)
{
	if (!list->count)
		return;
	if (ftell(out) > 0)
		fputs(" and ", out);
	fprintf(out, "%s %s", name, list->negated ? "!" : "");
	for (size_t i = 0; i < list->count; i++) {
		const struct filter_range *range = &list->ranges[i];

		fprintf(out, "%s%u", i ? "," : "", range->low);
		if (range->high != range->low)
			fprintf(out, "-%u", range->high);
	}
}

char *filter_describe(const struct filter *filter, char *out, size_t size)
{
	FILE *stream = fmemopen(out, size, "w");

	out[0] = '\0';
	if (!stream)
		return out;
	if (filter->family)
		fprintf(stream, "ip %u", filter->family);
	describe(stream, "pid", &filter->pids);
	describe(stream, "uid", &filter->uids);
	describe(stream, "port", &filter->ports);
	fclose(stream);
	out[size - 1] = '\0';
	return out;
}
