/* SPDX-License-Identifier: BSD-2-Clause */
/* --timeline: attempts and failures in each step of time, steps without any included. */
#include "../formats/result.h"
#include "../formats/when.h"
#include "answer.h"
#include "../formats/groups.h"

#include <stdlib.h>

#define STEPS_MAX 1000000
#define BAR_USUAL 40
#define BAR_LEFT 54 /* of a line, before the bar */

struct step {
	int64_t number; /* since 1970 */
	uint64_t attempts, failures;
};

struct answer {
	int64_t step_ns;
	enum value_format format;
	size_t bar;           /* its longest */
	struct groups groups; /* of struct step */
};

static void destroy(struct answer *a)
{
	if (!a)
		return;
	groups_release(&a->groups);
	free(a);
}

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a) {
		error_set(error, "out of memory");
		return NULL;
	}
	a->groups.payload_size = sizeof(struct step);
	a->format = choice->format;
	a->bar = choice->width > BAR_LEFT + 10 ? (size_t)choice->width - BAR_LEFT : BAR_USUAL;
	if (!length_parse(choice->timeline, &a->step_ns, error))
		return a;
	error_prefix(error, "--timeline");
	destroy(a);
	return NULL;
}

static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	int64_t number = row->wall_ns / a->step_ns - (row->wall_ns % a->step_ns < 0);
	struct step *step;
	bool is_new;

	step = groups_get(&a->groups, (struct bytes){(uint8_t *)&number, sizeof number}, &is_new);
	if (!step)
		return error_set(error, "out of memory");
	step->number = number;
	step->attempts++;
	step->failures += result_is_failure(&row->event->result);
	return 0;
}

static const struct step *step_of(const struct answer *a, size_t i)
{
	return (const struct step *)a->groups.groups[i]->payload;
}

static int compare(const void *x, const void *y, void *context)
{
	const struct group *a = *(struct group *const *)x, *b = *(struct group *const *)y;
	int64_t m = ((const struct step *)a->payload)->number;
	int64_t n = ((const struct step *)b->payload)->number;

	(void)context;
	return (m > n) - (m < n);
}

/* The step before the first that 64 bits hold wraps. */
static int64_t start_of(const struct answer *a, int64_t number)
{
	return (int64_t)((uint64_t)number * (uint64_t)a->step_ns);
}

/* The part that failed is drawn as x. */
static struct bytes draw(
	const struct answer *a, const struct step *step, uint64_t most, uint8_t *bar)
{
	size_t length = (size_t)((double)step->attempts / (double)most * (double)a->bar + 0.999);
	size_t failed = step->attempts ? (size_t)((double)step->failures / (double)step->attempts *
							  (double)length +
						  0.5)
				       : 0;

	if (length > a->bar)
		length = a->bar;
	if (failed > length)
		failed = length;
	memset(bar, 'x', failed);
	memset(bar + failed, '#', length - failed);
	return (struct bytes){bar, length};
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	static const struct value_column columns[] = {{"time", "TIME", 32},
		{"attempts", "ATTEMPTS", 9}, {"failures", "FAILURES", 9}, {"", "", 0}};
	static const enum value_kind kinds[] = {
		VALUE_SINCE, VALUE_NUMBER, VALUE_NUMBER, VALUE_WORD};
	size_t cells = a->format == FORMAT_COLUMNS ? 4 : 3, i = 0, count = a->groups.count;
	uint8_t bar[1024];
	struct text line = {0};
	uint64_t most = 1;
	int status = 0;

	(void)merge;
	a->bar = a->bar < sizeof bar ? a->bar : sizeof bar;
	groups_sort(&a->groups, compare, NULL);
	for (size_t k = 0; k < count; k++)
		most = step_of(a, k)->attempts > most ? step_of(a, k)->attempts : most;
	if (count && (uint64_t)(step_of(a, count - 1)->number - step_of(a, 0)->number) >= STEPS_MAX)
		return error_set(error,
			"--timeline: more than %d steps from first to last: take longer ones",
			STEPS_MAX);
	values_put_header(a->format, columns, kinds, cells, &line);
	for (int64_t number = count ? step_of(a, 0)->number : 0; i < count && !status; number++) {
		struct step none = {.number = number};
		const struct step *step = step_of(a, i)->number == number ? step_of(a, i++) : &none;

		values_put_row(a->format, columns, kinds,
			(struct value[]){
				{.kind = VALUE_SINCE, .wall_ns = start_of(a, number)},
				{.kind = VALUE_NUMBER, .number = step->attempts},
				{.kind = VALUE_NUMBER, .number = step->failures},
				{.kind = VALUE_WORD, .text = draw(a, step, most, bar)},
			},
			cells, &line);
		status = text_write(&line, out);
	}
	if (!status)
		status = text_write(&line, out);
	text_release(&line);
	return status ? error_set(error, "out of memory") : 0;
}

static uint32_t needs(const struct answer *a)
{
	(void)a;
	return EVENT_BIT(EVENT_TIME) | EVENT_RESULT_BITS;
}

const struct answer_kind answer_timeline = {
	create, destroy, add, print, true, .any_order = true, .needs = needs};
