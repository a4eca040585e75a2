/* SPDX-License-Identifier: Apache-2.0 */
/* What a test says of itself: how much it checked, and what was not so. */
#ifndef HUTCH_CHECK_H
#define HUTCH_CHECK_H

#include <stdio.h>

static int failed, done;

#define CHECK(condition) \
	do { \
		done++; \
		if (!(condition)) { \
			failed++; \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

#endif
