/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"

int answer_choose(
	const struct answer_choice *choice, const struct answer_kind **kind, struct error *error)
{
	const struct {
		bool asked;
		const char *option;
		const struct answer_kind *kind;
	} kinds[] = {
		{choice->count, "-c", &answer_count},
		{choice->top, "--top", &answer_top},
		{choice->summary, "--summary", &answer_summary},
		{choice->fresh, "--new-since", &answer_fresh},
		{choice->timeline, "--timeline", &answer_timeline},
	};
	const char *first = NULL;

	*kind = NULL;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (!kinds[i].asked)
			continue;
		if (first)
			return error_set(
				error, "%s and %s exclude each other", first, kinds[i].option);
		first = kinds[i].option;
		*kind = kinds[i].kind;
	}
	if (choice->sort && !choice->top)
		return error_set(error, "--sort goes with --top");
	return 0;
}

int answer_add_rows(const struct answer_kind *kind, struct answer *answer, const struct rows *rows,
	struct error *error)
{
	struct columns_row row;
	struct event event;

	if (kind->add_rows)
		return kind->add_rows(answer, rows, error);
	for (uint32_t i = 0; i < rows->count; i++) {
		rows_get(rows, i, rows_find(rows, rows->rows[i]), &event, &row);
		if (kind->add(answer, &row, error))
			return -1;
	}
	return 0;
}
