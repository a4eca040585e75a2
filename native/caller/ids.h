/* SPDX-License-Identifier: Apache-2.0 */
/* The ids that sandboxes may have on this host: shared by ids-facts.c, which finds them, and ids.c, which reserves some. */
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

/* A slot is one sandbox's ids: `each` of both kinds. */
struct ids_facts {
	u32 version;
	u32 last_pid;		/* processes up to this one were looked at */
	u64 read_at;
	u64 key[KEY_LENGTH];
	struct ranges free[KINDS];
	u32 shared[KINDS];	/* there is one id only, so all have that */
	u32 each, slots;
	u8 taken[MAX_SLOTS / 8];
};

extern struct ids_facts facts;

void read_ids_facts(void);
void refresh_ids_facts(int fd);
void keep_ids_facts(int fd);

#endif
