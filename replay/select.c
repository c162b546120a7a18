/* SPDX-License-Identifier: BSD-2-Clause */
#include "select.h"

#include <stdlib.h>

#define PORTS 65536
#define EXPRESSION_BITS                                                                            \
	(EVENT_BIT(EVENT_SADDR) | EVENT_BIT(EVENT_DADDR) | EVENT_BIT(EVENT_LPORT) |                \
		EVENT_BIT(EVENT_DPORT))

struct selector {
	const struct filter *filter;
	bool processes; /* it asks about them */
	bool texts;     /* it takes notes of what they know */
	uint8_t ports[PORTS];
};

struct selector *selector_new(const struct filter *filter)
{
	struct selector *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->filter = filter;
	s->texts = filter->comms.count || filter->exes.count || filter->containers.count ||
		   filter->cgroups.count || filter->ancestors.count;
	s->processes = s->texts || filter->pids.count || filter->uids.count;
	for (uint32_t port = 0; filter->ports.count && port < PORTS; port++)
		s->ports[port] = filter_wants_port(filter, (uint16_t)port);
	return s;
}

void selector_free(struct selector *s)
{
	free(s);
}

void selection_release(struct selection *s)
{
	free(s->rows);
	free(s->wanted);
	free(s->seen);
	memset(s, 0, sizeof *s);
}

static int reserve(struct selection *s, const struct batch *batch, struct error *error)
{
	/* At most 65,536 and 2 * 2^24. */
	uint32_t addresses = 1 + batch->ipv4 + batch->ipv6;
	uint32_t table = batch->processes > addresses ? batch->processes : addresses;

	if (batch->events > s->row_capacity) {
		free(s->rows);
		s->rows = malloc((size_t)batch->events * sizeof *s->rows);
		s->row_capacity = s->rows ? batch->events : 0;
	}
	if (table > s->table_capacity) {
		free(s->wanted);
		free(s->seen);
		s->wanted = malloc(table);
		s->seen = malloc(table);
		s->table_capacity = s->wanted && s->seen ? table : 0;
	}
	if (batch->events > s->row_capacity || table > s->table_capacity)
		return error_set(error, "out of memory for %u events", batch->events);
	return 0;
}

/* The rows as such, for who looks at them one by one. */
static void list_rows(struct selection *s)
{
	uint32_t *rows = s->rows, count = s->all ? s->count : 0;

	for (uint32_t row = 0; row < count; row++)
		rows[row] = row;
	s->all = false;
}

/* For a width, and a choice of rows or all of them, that are constants where it is called. */
static inline __attribute__((always_inline)) uint32_t keep_where(struct selection *s,
	const struct column *column, unsigned int width, bool all, uint32_t mask,
	const uint8_t *wanted)
{
	uint32_t *rows = s->rows, kept = 0, base = (uint32_t)column->base;
	const uint8_t *data = column->data;

	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = all ? i : rows[i];
		uint32_t value = base + (width == 1 ? data[row] : get_le16(data + (size_t)row * 2));

		rows[kept] = row;
		kept += wanted[value & mask];
	}
	return kept;
}

/* Keeps the rows whose value in the column, of that many bits, is wanted by the table. */
static void keep(
	struct selection *s, const struct column *column, uint32_t mask, const uint8_t *wanted)
{
	uint32_t kept = 0;

	switch (column->width) {
	case 0:
		if (!wanted[(uint32_t)column->base & mask])
			s->count = 0;
		return;
	case 1:
		kept = s->all ? keep_where(s, column, 1, true, mask, wanted)
			      : keep_where(s, column, 1, false, mask, wanted);
		break;
	case 2:
		kept = s->all ? keep_where(s, column, 2, true, mask, wanted)
			      : keep_where(s, column, 2, false, mask, wanted);
		break;
	default:
		list_rows(s);
		for (uint32_t i = 0; i < s->count; i++) {
			uint32_t row = s->rows[i];

			s->rows[kept] = row;
			kept += wanted[(uint32_t)column_get(column, row) & mask];
		}
	}
	s->all = false;
	s->count = kept;
}

static void keep_family(const struct selector *by, struct selection *s, const struct batch *batch)
{
	bool v4 = by->filter->family == 4;

	s->wanted[0] = false;
	memset(s->wanted + 1, v4, batch->ipv4);
	memset(s->wanted + 1 + batch->ipv4, !v4, batch->ipv6);
	keep(s, &batch->daddr, UINT32_MAX, s->wanted);
}

/* Notes are only taken of processes that the rows so far are about. */
static void keep_processes(
	const struct selector *by, struct selection *s, const struct batch *batch)
{
	uint32_t wanted = 0;

	if (by->texts)
		list_rows(s);
	memset(s->seen, !by->texts, batch->processes);
	for (uint32_t i = 0; by->texts && i < s->count; i++)
		s->seen[column_get(&batch->process, s->rows[i])] = true;
	for (uint32_t i = 0; i < batch->processes; i++) {
		s->wanted[i] =
			s->seen[i] && filter_wants_process(by->filter, &batch->table[i], &s->notes);
		wanted += s->wanted[i];
	}
	if (wanted)
		keep(s, &batch->process, UINT32_MAX, s->wanted);
	else
		s->count = 0;
}

static void keep_ports(const struct selector *by, struct selection *s, const struct batch *batch)
{
	keep(s, &batch->dport, PORTS - 1, by->ports);
}

static void keep_netns(const struct selector *by, struct selection *s, const struct batch *batch)
{
	uint32_t kept = 0;

	list_rows(s);
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = s->rows[i], inode = (uint32_t)column_get(&batch->net_ns, row);

		if (filter_wants_netns(by->filter, inode, &s->notes))
			s->rows[kept++] = row;
	}
	s->count = kept;
}

static void keep_times(const struct selector *by, struct selection *s, const struct batch *batch)
{
	uint32_t kept = 0;

	list_rows(s);
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = s->rows[i];
		uint64_t time = batch->header.first_ns + column_get(&batch->time, row);

		if (filter_wants_time(by->filter, batch_wall_ns(batch, time)))
			s->rows[kept++] = row;
	}
	s->count = kept;
}

/* Those whose address is in the network that matching events must have. */
static void keep_network(
	struct selection *s, const struct batch *batch, const struct expression_need *need)
{
	uint32_t addresses = 1 + batch->ipv4 + batch->ipv6, kept = 0;

	for (uint32_t i = 0; i < addresses; i++) {
		struct address address;

		batch_address(batch, i, &address);
		s->wanted[i] = expression_need_address(need, &address);
	}
	if (need->side != SIDE_EITHER) {
		keep(s, need->side == SIDE_SOURCE ? &batch->saddr : &batch->daddr, UINT32_MAX,
			s->wanted);
		return;
	}
	list_rows(s);
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = s->rows[i];

		s->rows[kept] = row;
		kept += s->wanted[column_get(&batch->daddr, row)] |
			s->wanted[column_get(&batch->saddr, row)];
	}
	s->count = kept;
}

static bool is_between(uint16_t port, const struct expression_need *need)
{
	return port >= need->low && port <= need->high;
}

static void keep_port_range(
	struct selection *s, const struct batch *batch, const struct expression_need *need)
{
	uint32_t kept = 0;

	list_rows(s);
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = s->rows[i];
		bool source = is_between((uint16_t)column_get(&batch->lport, row), need);
		bool destination = is_between((uint16_t)column_get(&batch->dport, row), need);

		if ((source && need->side != SIDE_DESTINATION) ||
			(destination && need->side != SIDE_SOURCE))
			s->rows[kept++] = row;
	}
	s->count = kept;
}

static void keep_expression(
	const struct selector *by, struct selection *s, const struct batch *batch)
{
	const struct expression_need *needs;
	size_t count = expression_needs(by->filter->expression, &needs);
	uint32_t kept = 0;

	for (size_t i = 0; i < count; i++)
		(needs[i].family ? keep_network : keep_port_range)(s, batch, &needs[i]);
	list_rows(s);
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = s->rows[i];
		struct event event;

		batch_event_part(batch, row, EXPRESSION_BITS, &event);
		if (expression_matches(by->filter->expression, &event))
			s->rows[kept++] = row;
	}
	s->count = kept;
}

int select_rows(
	const struct selector *by, struct selection *s, struct batch *batch, struct error *error)
{
	const struct filter *f = by->filter;
	const struct {
		bool asked;
		uint32_t bits;
		void (*keep)(
			const struct selector *by, struct selection *s, const struct batch *batch);
	} steps[] = {
		{f->family, EVENT_BIT(EVENT_DADDR), keep_family},
		{f->ports.count, EVENT_BIT(EVENT_DPORT), keep_ports},
		{by->processes, EVENT_BIT(EVENT_PROCESS), keep_processes},
		{f->netns.count, EVENT_BIT(EVENT_NET_NS), keep_netns},
		{f->has_since || f->has_until, EVENT_BIT(EVENT_TIME), keep_times},
		{f->expression, EXPRESSION_BITS, keep_expression},
	};

	if (reserve(s, batch, error))
		return -1;
	s->count = batch->events;
	s->all = true;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && s->count; i++) {
		if (!steps[i].asked)
			continue;
		if (batch_need(batch, steps[i].bits, error))
			return -1;
		steps[i].keep(by, s, batch);
	}
	list_rows(s);
	return 0;
}
