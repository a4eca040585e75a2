/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts at an escape, one small function each, in one static program:
 * `attempt NAME [ARGUMENT...]` ends with 0 when it got through, 1 when it was
 * refused (and says why), 2 when it could not be tried.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <stdbool.h>

/* 0: got through; -1: refused, errno says why. Arguments end with NULL. */
typedef int try_fn(char **arguments);

struct attempt {
	const char *name;
	try_fn *try;
};

/* Each list ends with an empty name. */
extern const struct attempt machine_attempts[], name_attempts[], process_attempts[], file_attempts[], network_attempts[],
	bomb_attempts[], endless_attempts[], inner_attempts[], other_attempts[], stream_attempts[], group_attempts[];

/* A call that would harm has one argument that is wrong: past the check of rights it answers `past` and changes nothing. */
int probe(long result, int past);

/* The program ends: what the attempt starts from is not there. */
void cannot_try(const char *what) __attribute__((noreturn));

#endif
