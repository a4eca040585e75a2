/* SPDX-License-Identifier: Apache-2.0 */
/* Declares lib/directory.c, which reads the entries of a directory. */
#ifndef HUTCH_DIRECTORY_H
#define HUTCH_DIRECTORY_H

#include "../hutch.h"

/* struct linux_dirent64 */
struct entry {
	u64 inode;
	long long offset;
	u16 length;
	u8 type;
	char name[];
};

struct listing {
	int fd;
	long got, at;
	char buffer[2048] __attribute__((aligned(8)));
};

void begin_listing(struct listing *l, int fd);
const struct entry *next_in(struct listing *l);

#endif
