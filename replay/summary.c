/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --summary: what the traces hold. Attempts = recorded + filtered + lost + under
 * way at the end, and each gap by its name.
 */
#include "answer.h"
#include "../formats/groups.h"

#include <stdlib.h>

#define LABEL_WIDTH 16

struct answer {
	enum value_format format;
	struct groups processes, destinations; /* without payload */
	uint64_t shown, outcomes[4];
	int64_t first_ns, last_ns;
	size_t items; /* printed up to now */
};

static void destroy(struct answer *a)
{
	if (!a)
		return;
	groups_release(&a->processes);
	groups_release(&a->destinations);
	free(a);
}

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a)
		error_set(error, "out of memory");
	else
		a->format = choice->format;
	return a;
}

static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	const struct event *e = row->event;
	uint8_t process[32] = {0}, destination[1 + 16 + 2];
	size_t n = row->host.length < 16 ? row->host.length : 16;
	bool is_new;

	put_le(process, e->process->pid, 4);
	put_le(process + 4, e->process->start_ns, 8);
	if (n)
		memcpy(process + 16, row->host.data, n);
	destination[0] = e->daddr.family;
	memcpy(destination + 1, e->daddr.bytes, 16);
	put_le(destination + 17, e->dport, 2);
	if (!groups_get(&a->processes, (struct bytes){process, sizeof process}, &is_new) ||
		!groups_get(
			&a->destinations, (struct bytes){destination, sizeof destination}, &is_new))
		return error_set(error, "out of memory");
	if (!a->shown || row->wall_ns < a->first_ns)
		a->first_ns = row->wall_ns;
	if (!a->shown || row->wall_ns > a->last_ns)
		a->last_ns = row->wall_ns;
	a->shown++;
	a->outcomes[e->result.outcome & 3]++;
	return 0;
}

/* One fact as a line, or as a key of the object. */
static void put_item(struct answer *a, const char *key, const char *label,
	const struct value *value, struct text *out)
{
	struct value shown = *value;

	if (a->format == FORMAT_JSON) {
		text_char(out, a->items++ ? ',' : '{');
		value_put_json(value, value->kind, key, out);
		return;
	}
	if (a->format == FORMAT_CSV) {
		text_string(out, key);
		text_char(out, ',');
		/* A time takes one field here. */
		value_put_csv(value, value->kind == VALUE_SINCE ? VALUE_CLOCK : value->kind, out);
		text_string(out, "\r\n");
		return;
	}
	text_string(out, label);
	text_spaces(out, LABEL_WIDTH - strlen(label));
	if (shown.kind == VALUE_SINCE)
		shown.kind = VALUE_CLOCK;
	value_put_column(&shown, 0, out);
	text_char(out, '\n');
}

static void put_number(
	struct answer *a, const char *key, const char *label, uint64_t number, struct text *out)
{
	struct value value = {.kind = VALUE_NUMBER, .number = number};

	put_item(a, key, label, &value, out);
}

static void put_time(
	struct answer *a, const char *key, const char *label, int64_t wall_ns, struct text *out)
{
	struct value value = {.kind = a->shown ? VALUE_SINCE : VALUE_UNKNOWN, .wall_ns = wall_ns};

	put_item(a, key, label, &value, out);
}

static struct bytes host_of(const struct session *session)
{
	return (struct bytes){session->host, session->host_length};
}

/* Whether a session before this one has the same host. */
static bool is_repeated(const struct sessions *all, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (bytes_equal(host_of(all->sessions[k]), host_of(all->sessions[i])))
			return true;
	return false;
}

static void put_hosts(struct answer *a, const struct sessions *all, struct text *out)
{
	size_t count = 0;

	if (a->format == FORMAT_JSON)
		text_string(out, ",\"hosts\":[");
	for (size_t i = 0; i < all->count; i++) {
		struct value host = {.kind = VALUE_TEXT, .text = host_of(all->sessions[i])};

		if (is_repeated(all, i))
			continue;
		if (a->format != FORMAT_JSON) {
			put_item(a, "host", "Host", &host, out);
			continue;
		}
		text_string(out, count++ ? ",{" : "{");
		value_put_json(&host, VALUE_TEXT, "host", out);
		text_char(out, '}');
	}
	if (a->format == FORMAT_JSON)
		text_char(out, ']');
}

struct span {
	const struct session *session;
	const char *file, *why;
	uint64_t events;
	int64_t after_ns, before_ns;
};

static void put_gap(struct answer *a, const struct span *gap, size_t count, struct text *out)
{
	struct value events = {.kind = VALUE_NUMBER, .number = gap->events},
		     host = {.kind = VALUE_TEXT, .text = host_of(gap->session)},
		     file = {.kind = VALUE_TEXT, .text = bytes_of(gap->file)},
		     why = {.kind = VALUE_WORD, .text = bytes_of(gap->why)},
		     after = {.kind = VALUE_SINCE, .wall_ns = gap->after_ns},
		     before = {.kind = VALUE_SINCE, .wall_ns = gap->before_ns};

	if (a->format == FORMAT_JSON) {
		text_string(out, count ? ",{" : "{");
		value_put_json(&events, VALUE_NUMBER, "events", out);
		text_char(out, ',');
		value_put_json(&why, VALUE_WORD, "why", out);
		text_char(out, ',');
		value_put_json(&host, VALUE_TEXT, "host", out);
		text_char(out, ',');
		value_put_json(&file, VALUE_TEXT, "file", out);
		text_char(out, ',');
		value_put_json(&after, VALUE_SINCE, "after", out);
		text_char(out, ',');
		value_put_json(&before, VALUE_SINCE, "before", out);
		text_char(out, '}');
		return;
	}
	if (a->format == FORMAT_CSV) {
		put_item(a, "gap", "", &events, out);
		return;
	}
	text_string(out, "Gap             ");
	text_unsigned(out, gap->events);
	text_char(out, ' ');
	text_string(out, gap->why);
	text_string(out, " between ");
	text_time(out, gap->after_ns, false, 6);
	text_string(out, " and ");
	text_time(out, gap->before_ns, false, 6);
	text_string(out, " on ");
	value_put_column(&host, 0, out);
	text_string(out, ", ");
	value_put_column(&file, 0, out);
	text_char(out, '\n');
}

static void put_gaps(struct answer *a, const struct sessions *all, struct text *out)
{
	size_t count = 0;

	if (a->format == FORMAT_JSON)
		text_string(out, ",\"gaps\":[");
	for (size_t i = 0; i < all->count; i++) {
		const struct session *s = all->sessions[i];
		struct span gap = {.session = s};

		for (size_t k = 0; k < s->loss_count; k++) {
			gap.file = s->counters_place.file;
			gap.why = "lost while recording";
			gap.events = s->losses[k].lost;
			gap.after_ns = s->losses[k].after_ns;
			gap.before_ns = s->losses[k].before_ns;
			put_gap(a, &gap, count++, out);
		}
		for (size_t k = 0; k < s->count; k++) {
			const struct session_range *r = &s->ranges[k], *before = r - 1;

			if (!k && (!s->from_start || !r->begin))
				continue;
			gap.file = r->first.file;
			gap.why = "missing in the files";
			gap.events = r->begin - (k ? before->end : 0);
			gap.after_ns = k ? before->last.last_ns : r->first.first_ns;
			gap.before_ns = r->first.first_ns;
			put_gap(a, &gap, count++, out);
		}
	}
	if (a->format == FORMAT_JSON)
		text_char(out, ']');
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	const struct sessions *all = merge_sessions(merge);
	struct counters sum = {0};
	uint64_t missing = 0, decided;
	struct text text = {0};
	size_t hosts = 0;
	int status;

	for (size_t i = 0; i < all->count; i++) {
		const struct counters *c = &all->sessions[i]->counters;

		sum.seen += c->seen;
		sum.recorded += c->recorded;
		sum.filtered += c->filtered;
		sum.lost += c->lost;
		sum.partial += c->partial;
		missing += session_missing(all->sessions[i]);
		hosts += !is_repeated(all, i);
	}
	decided = sum.recorded + sum.filtered + sum.lost;
	if (a->format == FORMAT_CSV)
		text_string(&text, "what,value\r\n");
	put_number(a, "files", "Files", merge_count(merge), &text);
	put_number(a, "sessions", "Sessions", all->count, &text);
	if (a->format != FORMAT_JSON)
		put_number(a, "hosts", "Hosts", hosts, &text);
	put_hosts(a, all, &text);
	put_time(a, "first", "First event", a->first_ns, &text);
	put_time(a, "last", "Last event", a->last_ns, &text);
	put_number(a, "attempts", "Attempts", sum.seen, &text);
	put_number(a, "recorded", "  recorded", sum.recorded, &text);
	put_number(a, "filtered", "  filtered", sum.filtered, &text);
	put_number(a, "lost", "  lost", sum.lost, &text);
	put_number(
		a, "under_way", "  under way", sum.seen > decided ? sum.seen - decided : 0, &text);
	put_number(a, "missing", "Missing events", missing, &text);
	put_number(a, "partial", "Missing parts", sum.partial, &text);
	put_number(a, "events", "Events shown", a->shown, &text);
	put_number(a, "ok", "  ok", a->outcomes[OUTCOME_ESTABLISHED], &text);
	put_number(a, "failed", "  failed", a->outcomes[OUTCOME_FAILED], &text);
	put_number(a, "abandoned", "  abandoned", a->outcomes[OUTCOME_ABANDONED], &text);
	put_number(a, "pending", "  pending", a->outcomes[OUTCOME_PENDING], &text);
	put_number(a, "processes", "Processes", a->processes.count, &text);
	put_number(a, "destinations", "Destinations", a->destinations.count, &text);
	put_gaps(a, all, &text);
	if (a->format == FORMAT_JSON)
		text_string(&text, "}\n");
	status = text_write(&text, out);
	text_release(&text);
	return status ? error_set(error, "out of memory") : 0;
}

static uint32_t needs(const struct answer *a)
{
	(void)a;
	return EVENT_BIT(EVENT_TIME) | EVENT_BIT(EVENT_PROCESS) | EVENT_BIT(EVENT_DADDR) |
	       EVENT_BIT(EVENT_DPORT) | EVENT_RESULT_BITS;
}

const struct answer_kind answer_summary = {
	create, destroy, add, print, true, .any_order = true, .needs = needs};
