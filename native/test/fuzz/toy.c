// SPDX-License-Identifier: Apache-2.0
/*
 * A parser that writes one byte too far after four certain letters. The driver must find this
 * error: it shows that native/test/fuzz/run works.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Keeps gcc from removing a copy whose result is not used. */
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
