/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the entries of an open directory. */
#include "directory.h"

void begin_listing(struct listing *l, int fd)
{
	l->fd = fd;
	l->got = l->at = 0;
}

/*
 * Returns the next entry, including "." and "..". Returns NULL at the end or on an error; l->got
 * then holds the error.
 */
const struct entry *next_in(struct listing *l)
{
	const struct entry *e;

	if (l->at >= l->got) {
		l->at = 0;
		l->got = sys(__NR_getdents64, l->fd, l->buffer, sizeof l->buffer);
		if (l->got <= 0)
			return NULL;
	}
	e = (const void *)(l->buffer + l->at);
	l->at += e->length;
	return e;
}
