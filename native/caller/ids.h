/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the ids that sandboxes may have on this host: found by ids-facts.c, reserved by ids.c. */
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
	u32 last_pid;		/* processes up to this pid were inspected */
	u64 read_at;
	u64 key[KEY_LENGTH];
	struct ranges free[KINDS];
	u32 shared[KINDS];	/* if only one id exists, all sandboxes share it */
	u32 each, slots;
	u8 taken[MAX_SLOTS / 8];
};

extern struct ids_facts facts;

void read_ids_facts(void);
void refresh_ids_facts(int fd);
void keep_ids_facts(int fd);

#endif
