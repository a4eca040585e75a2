/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares the repeated reading of the same files of many groups: changed-files.c reads them,
 * follow.c exports the functions.
 */
#ifndef HUTCH_FOLLOW_H
#define HUTCH_FOLLOW_H

#include "job.h"
#include "read.h"

/*
 * Milliseconds after which all files of an idle group are read again. Limits may change without
 * activity, and a controller may be enabled later.
 */
#define OLD 10000

struct followed {
	char *directory;
	u64 alive, seen;	/* times of the last activity and of the last full read, in milliseconds */
	int known;	/* true once the group was read in full */
	int open;	/* true if the files that are not activity files are open, too */
	struct { int32_t fd; u64 digest; } files[];
};

struct follower {
	char *names;
	size_t file_count, signs;	/* the first `signs` names are activity files */
	size_t slot_count, room, first_free;	/* every slot below first_free is in use */
	u64 now;
	int in_full;
	struct followed **slots;
};

void open_files(struct follower *f, struct followed *group, size_t count);
void free_slot(struct follower *f, size_t slot);
int look_at_group(struct output *out, struct follower *f, u32 slot);

#endif
