// SPDX-License-Identifier: Apache-2.0
/* Finds the attempt by its name, and says how it ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"

int probe(long result, int past)
{
	return result >= 0 || errno == past ? 0 : -1;
}

void cannot_try(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerrorname_np(errno) ?: "");
	exit(2);
}

int main(int argc, char **argv)
{
	const struct attempt *lists[] = { machine_attempts, name_attempts,  process_attempts, file_attempts,
					  network_attempts, bomb_attempts,  endless_attempts, inner_attempts,
					  other_attempts,   stream_attempts,  group_attempts };

	setvbuf(stdout, NULL, _IONBF, 0);
	for (unsigned i = 0; argc > 1 && i < sizeof lists / sizeof *lists; i++) {
		for (const struct attempt *a = lists[i]; a->name; a++) {
			if (strcmp(a->name, argv[1]))
				continue;
			errno = 0;
			if (a->try(argv + 2) == 0) {
				puts("got through");
				return 0;
			}
			printf("refused: %s\n", strerrorname_np(errno) ?: "?");
			return 1;
		}
	}
	puts("cannot try: no such attempt");
	return 2;
}
