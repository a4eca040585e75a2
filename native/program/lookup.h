/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in groups that the clean-up and the start of compiled files share. */
#ifndef HUTCH_LOOKUP_H
#define HUTCH_LOOKUP_H

#include "../hutch.h"

/* tree.c */
int open_group_in(int base, const char *name);
enum entry_type { ENTRY_GROUP = 4, ENTRY_FILE = 8 };	/* DT_DIR, DT_REG */

/* The next entry of a directory: its name, where it stands, and where the one after it does. */
struct listed_entry {
	char name[256];
	long long at, after;
};
int next_entry(int directory, long long from, enum entry_type type, struct listed_entry *c);

/* signal-listed.c */
int lists_process(const char *procs, long pid);

/* stale.c */
int parse_group_name(const char *name, u64 *pid, u64 *space);

#endif
