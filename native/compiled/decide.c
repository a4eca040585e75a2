/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a verdict's cause in a decision list that src/verdict/decide.ts encoded. A row consists of
 * the kind of cause, the number of conditions, and the conditions. Pure.
 */
#include "compiled.h"

enum comparison { AT_LEAST, EQUAL, DIFFERENT };

static int holds(const u32 *condition, const u64 *figures)
{
	u64 found = condition[0] < FIGURE_COUNT ? figures[condition[0]] : 0;

	if (condition[1] == AT_LEAST)
		return found >= condition[2];
	return condition[1] == EQUAL ? found == condition[2] : found != condition[2];
}

/* Returns the kind of the first row whose conditions are all true. */
struct decision decide_kind(const struct numbers *rows, const u64 *figures)
{
	u32 at = 0;

	while (rows->count - at >= 3) {
		struct decision found = { .kind = rows->first[at], .limit = rows->first[at + 1] };
		u32 left = rows->first[at + 2];

		at += 3;
		if (left > (rows->count - at) / 3)
			break;
		for (; left && holds(rows->first + at, figures); left--)
			at += 3;
		if (!left)
			return found;
		at += 3 * left;
	}
	return (struct decision){ .kind = KIND_EXITED };
}
