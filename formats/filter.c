/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter.h"
#include "number.h"
#include "result.h"
#include "when.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

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

static int parse_netns(char *text, struct filter_range *range, struct error *error)
{
	struct stat status;
	uint64_t inode;

	if (*text >= '0' && *text <= '9') {
		if (number_parse(text, "a network namespace", 1, UINT32_MAX, &inode, error))
			return -1;
	} else if (stat(text, &status)) {
		return error_set(
			error, "'%s' is not a network namespace: %s", text, strerror(errno));
	} else {
		inode = status.st_ino;
	}
	range->low = range->high = (uint32_t)inode;
	return 0;
}

#define RESULT_CODE(outcome, error) ((uint32_t)(outcome) << 16 | (error))

static int parse_result(char *text, struct filter_range *range, struct error *error)
{
	static const struct {
		const char *name;
		uint32_t low, high;
	} words[] = {
		{"ok", RESULT_CODE(OUTCOME_ESTABLISHED, 0),
			RESULT_CODE(OUTCOME_ESTABLISHED, 65535)},
		{"failed", RESULT_CODE(OUTCOME_FAILED, 0), RESULT_CODE(OUTCOME_FAILED, 65535)},
		{"abandoned", RESULT_CODE(OUTCOME_ABANDONED, 0),
			RESULT_CODE(OUTCOME_ABANDONED, 65535)},
		{"pending", RESULT_CODE(OUTCOME_PENDING, 0), RESULT_CODE(OUTCOME_PENDING, 65535)},
	};
	uint16_t number = errno_by_name(text);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].name, text)) {
			*range = (struct filter_range){words[i].low, words[i].high};
			return 0;
		}
	if (!number)
		return error_set(error,
			"'%s' is not a result: ok, failed, abandoned, pending or an errno such as "
			"ECONNREFUSED",
			text);
	range->low = range->high = RESULT_CODE(OUTCOME_FAILED, number);
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

/* Takes one element of a list, which it may modify. */
typedef int take_element(void *list, char *text, struct error *error);

/* Splits the text at its commas. negated: of the list; used: it has elements already. */
static int split(const char *text, bool *negated, bool used, void *list, take_element *take,
	struct error *error)
{
	bool negate = *text == '!';
	char *copy, *element, *end;
	int status = 0;

	if (used && *negated != negate)
		return error_set(error, "'%s': a list cannot be negated (!) and not negated", text);
	*negated = negate;
	copy = strdup(text + negate);
	if (!copy)
		return error_set(error, "out of memory");
	for (element = copy; element && !status; element = end) {
		end = strchr(element, ',');
		if (end)
			*end++ = '\0';
		status = take(list, element, error);
	}
	free(copy);
	return status;
}

struct range_list {
	struct filter_list *list;
	parse_element *parse;
};

/* list: struct range_list */
static int take_range(void *list, char *text, struct error *error)
{
	const struct range_list *to = list;
	struct filter_range range = {0};

	return to->parse(text, &range, error) ? -1 : add_range(to->list, range, error);
}

static int add_list(
	struct filter_list *list, const char *text, parse_element *parse, struct error *error)
{
	struct range_list to = {list, parse};

	return split(text, &list->negated, list->count, &to, take_range, error);
}

/* list: struct filter_texts */
static int take_text(void *list, char *text, struct error *error)
{
	struct filter_texts *to = list;
	char **grown;

	if (!*text)
		return error_set(error, "'' is not a name");
	if (to->count == LIST_MAX)
		return error_set(error, "more than %d values in a list", LIST_MAX);
	grown = realloc(to->texts, (to->count + 1) * sizeof *grown);
	if (!grown)
		return error_set(error, "out of memory");
	to->texts = grown;
	grown[to->count] = strdup(text);
	if (!grown[to->count])
		return error_set(error, "out of memory");
	to->count++;
	return 0;
}

static int add_texts(struct filter_texts *texts, const char *text, struct error *error)
{
	return split(text, &texts->negated, texts->count, texts, take_text, error);
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

int filter_add_netns(struct filter *filter, const char *text, struct error *error)
{
	return add_list(&filter->netns, text, parse_netns, error);
}

int filter_add_results(struct filter *filter, const char *text, struct error *error)
{
	return add_list(&filter->results, text, parse_result, error);
}

int filter_add_comms(struct filter *filter, const char *text, struct error *error)
{
	return add_texts(&filter->comms, text, error);
}

int filter_add_exes(struct filter *filter, const char *text, struct error *error)
{
	return add_texts(&filter->exes, text, error);
}

int filter_add_containers(struct filter *filter, const char *text, struct error *error)
{
	return add_texts(&filter->containers, text, error);
}

int filter_add_cgroups(struct filter *filter, const char *text, struct error *error)
{
	return add_texts(&filter->cgroups, text, error);
}

int filter_add_hosts(struct filter *filter, const char *text, struct error *error)
{
	return add_texts(&filter->hosts, text, error);
}

int filter_add_ancestors(struct filter *filter, const char *text, struct error *error)
{
	return add_texts(&filter->ancestors, text, error);
}

int filter_set_min_latency(struct filter *filter, const char *text, struct error *error)
{
	uint64_t whole, part = 0;
	const char *dot = strchr(text, '.');
	char copy[32];
	size_t length = dot ? (size_t)(dot - text) : strlen(text);

	if (length < sizeof copy && (!dot || strspn(dot + 1, "0123456789") == strlen(dot + 1))) {
		struct error ignored;

		memcpy(copy, text, length);
		copy[length] = '\0';
		for (size_t i = 0, scale = 100; dot && dot[i + 1] && i < 3; i++, scale /= 10)
			part += (uint64_t)(dot[i + 1] - '0') * scale;
		if ((!dot || dot[1]) && !number_parse(copy, "", 0, UINT32_MAX, &whole, &ignored)) {
			filter->min_latency_us = whole * 1000 + part;
			return 0;
		}
	}
	return error_set(error, "'%s' is not a time in milliseconds: a number from 0 to %u", text,
		UINT32_MAX);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int filter_set_since(struct filter *filter, const char *text, struct error *error)
{
	filter->has_since = true;
	return when_parse(text, now_ns(), &filter->since_ns, error);
}

int filter_set_until(struct filter *filter, const char *text, struct error *error)
{
	filter->has_until = true;
	return when_parse(text, now_ns(), &filter->until_ns, error);
}

int filter_set_expression(struct filter *filter, const char *text, struct error *error)
{
	if (filter->expression)
		return error_set(error, "only one is possible");
	filter->expression = expression_new(text, error);
	return filter->expression ? 0 : -1;
}

int filter_set_family(struct filter *filter, uint8_t family, struct error *error)
{
	if (filter->family && filter->family != family)
		return error_set(error, "-4 and -6 exclude each other");
	filter->family = family;
	return 0;
}

static void release_texts(struct filter_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->texts[i]);
	free(texts->texts);
}

void filter_release(struct filter *filter)
{
	free(filter->pids.ranges);
	free(filter->uids.ranges);
	free(filter->ports.ranges);
	free(filter->netns.ranges);
	free(filter->results.ranges);
	release_texts(&filter->comms);
	release_texts(&filter->exes);
	release_texts(&filter->containers);
	release_texts(&filter->cgroups);
	release_texts(&filter->hosts);
	release_texts(&filter->ancestors);
	expression_free(filter->expression);
	memset(filter, 0, sizeof *filter);
}

/* The beginning of the next part. */
static void describe_name(FILE *out, const char *name)
{
	fprintf(out, "%s%s", ftell(out) > 0 ? " and " : "", name);
}

static void describe(FILE *out, const char *name, const struct filter_list *list)
{
	if (!list->count)
		return;
	describe_name(out, name);
	for (size_t i = 0; i < list->count; i++) {
		const struct filter_range *range = &list->ranges[i];

		fprintf(out, "%s%u", i ? "," : list->negated ? " !" : " ", range->low);
		if (range->high != range->low)
			fprintf(out, "-%u", range->high);
	}
}

static void describe_texts(FILE *out, const char *name, const struct filter_texts *list)
{
	if (!list->count)
		return;
	describe_name(out, name);
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, "%s%s", i ? "," : list->negated ? " !" : " ", list->texts[i]);
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
	describe_texts(stream, "comm", &filter->comms);
	describe_texts(stream, "cgroup", &filter->cgroups);
	describe(stream, "netns", &filter->netns);
	if (filter->failed)
		describe_name(stream, "failed");
	if (filter->expression) {
		describe_name(stream, "");
		fprintf(stream, "(%s)", expression_text(filter->expression));
	}
	fclose(stream);
	out[size - 1] = '\0';
	return out;
}
