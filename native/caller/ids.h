/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares the user and group ids that sandboxes may use on this host. ids-facts.c finds them,
 * ids.c reserves them.
 */
#ifndef HUTCH_IDS_H
#define HUTCH_IDS_H

#include "../lib/directory.h"

#define MAX_RANGES 32
#define MAX_SLOTS 32768
#define FACTS_VERSION 1
#define KEY_LENGTH 12

enum kind { USERS, GROUPS, KINDS };

struct range {
	u32 start, count;
};

struct ranges {
	struct range at[MAX_RANGES];
	u32 length;
};

/* The facts about ids. A slot is the range of one sandbox: `each` user ids and `each` group ids. */
struct ids_facts {
	u32 version;
	u32 last_pid;		/* highest pid whose process was already checked for its ids */
	u64 read_at;
	u64 key[KEY_LENGTH];
	struct ranges free[KINDS];
	u32 shared[KINDS];	/* true if the host offers only one id: all sandboxes then share it */
	u32 each, slots;
	u8 taken[MAX_SLOTS / 8];
};

extern struct ids_facts facts;

void read_ids_facts(void);
void refresh_ids_facts(int fd);
void keep_ids_facts(int fd);

#endif
