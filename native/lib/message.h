/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a message that carries one descriptor, without libc. Used by the caller, hutch-init and compiled files. */
#ifndef HUTCH_MESSAGE_H
#define HUTCH_MESSAGE_H

#include "../wire/program.h"
#include "sys.h"

/* A message with one descriptor, in the layout of sendmsg(2) and recvmsg(2) on 64-bit machines. */
struct descriptor_message {
	char byte;
	struct { char *base; size_t length; } piece;
	struct { size_t length; int level, type, fd, padding; } control;
	struct {
		void *name;
		u32 name_length;
		void *pieces;
		size_t count;
		void *control;
		size_t control_length;
		int flags;
	} header;
};

#define CONTROL_LENGTH (sizeof(size_t) + 3 * sizeof(int))

/* Initialises the message. It contains pointers to itself, so it cannot be copied. */
static inline void make_message(struct descriptor_message *m, int fd)
{
	*m = (struct descriptor_message){ .byte = GO_BYTE };
	m->piece.base = &m->byte;
	m->piece.length = 1;
	m->control.length = CONTROL_LENGTH;
	m->control.level = 1;	/* SOL_SOCKET */
	m->control.type = 1;	/* SCM_RIGHTS */
	m->control.fd = fd;
	m->header.pieces = &m->piece;
	m->header.count = 1;
	m->header.control = &m->control;
	m->header.control_length = sizeof m->control;
}

/* struct statfs of 64-bit machines. hutch reads only the mount flags. */
struct mount_facts {
	long other[10], flags, spare[4];
};

/* init/init.c: the socket to hutch */
extern int report_socket;

/* lib/mount-flags.c */
struct numbers;
int change_mount(int fd, const struct numbers *changes);
int refuse_attributes(int fd, u64 absent);

/* init/program-look.c: reports a program that could not be executed */

void note_failed_program(const char *file, const char *search, const char *refused_in);
int has_failed_program(void);
void look_at_failed_program(void);
void report_failed_program(void);

/* init/target-look.c: reports a refused mount target */
void note_target(const char *path);
void report_refused_target(int err);

#endif
