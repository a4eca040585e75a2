// SPDX-License-Identifier: Apache-2.0
/*
 * A parser with an overflow of one byte after four letters: the driver must find it (control of
 * native/test/fuzz/run).
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Keeps gcc from removing an unused copy. */
static volatile char sink;

static void run_toy(const uint8_t *input, size_t size)
{
	static const char magic[] = "Hutc";
	char *room = malloc(8);
	size_t equal = 0;

	while (equal < 4 && equal < size && input[equal] == (uint8_t)magic[equal])
		equal++;
	if (equal == 4)
		memcpy(room, input, size > 9 ? 9 : size);
	else
		room[0] = 0;
	sink = room[0];
	free(room);
}

const struct target targets[] = { { .name = "toy", .run = run_toy, .max_size = 32 } };
const size_t target_count = 1;
