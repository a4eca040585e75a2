/* SPDX-License-Identifier: Apache-2.0 */
/* The same files of many groups: changed-files.c reads them, follow.c is what JavaScript calls. */
#ifndef HUTCH_FOLLOW_H
#define HUTCH_FOLLOW_H

#include "job.h"
#include "read.h"

/*
 * A group is read completely after this many milliseconds: limits may change while nothing else does,
 * and a controller may be enabled later.
 */
#define OLD 10000

struct followed {
	char *directory;
	u64 alive, seen;	/* when there was a sign of run, and when it was looked at in full; milliseconds */
	int known;	/* looked at in full before */
	int open;	/* the other files, too */
	struct { int32_t fd; u64 digest; } files[];
};

struct follower {
	char *names;
	size_t file_count, signs;	/* the first names are signs of life */
	size_t slot_count, room, first_free;	/* no slot below first_free is free */
	u64 now;
	int in_full;
	struct followed **slots;
};

void open_files(struct follower *f, struct followed *group, size_t count);
void free_slot(struct follower *f, size_t slot);
int look_at_group(struct output *out, struct follower *f, u32 slot);

#endif
