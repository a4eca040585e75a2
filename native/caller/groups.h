/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares look-ups in groups, walks over the groups below a group, and the locks that show whether
 * the hutch process of a group still runs.
 */
#ifndef HUTCH_GROUPS_H
#define HUTCH_GROUPS_H

#include "../hutch.h"
#include "../lib/directory.h"

/* caller/tree.c: the groups below a group */

int open_group_in(int base, const char *name);
enum entry_type { ENTRY_GROUP = 4, ENTRY_FILE = 8 };	/* DT_DIR, DT_REG */

/* A directory entry: its name, its position, and the position of the next entry. */
struct listed_entry {
	char name[256];
	long long at, after;
};
int next_entry(int directory, long long from, enum entry_type type, struct listed_entry *c);

enum walk { WALK_LOOK, WALK_REMOVE, WALK_KILL };
int kill_group(int group);
int walk_groups_below(int top, enum walk mode, u64 until);
void clear_below(const char *path);

/* caller/stale.c: groups whose hutch process was killed */

int lock_group(const char *path);
int sweep_directory(const char *directory, u64 own_space, u64 until);
long group_holder(const char *path);
int parse_group_name(const char *name, u64 *pid, u64 *space);

/* lib/signal-listed.c: pids listed in a file */

struct listed {
	long pid;
	long fd;		/* pidfd, or -errno */
	int confirmed;
};

struct reader {
	long fd, got, at;
	char buffer[1024];
};

long open_list(struct reader *r, int base, const char *procs);
long next_pid(struct reader *r, long *pid);
long signal_one(const struct listed *l, int sig);
int lists_process(const char *procs, long pid);

#endif
