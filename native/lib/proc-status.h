/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the fields that hutch reads from /proc/PID/status. Used by supervisor.c and the tests. */
#ifndef HUTCH_STATUS_H
#define HUTCH_STATUS_H

#include "../hutch.h"

struct process_status {
	u32 tgid;	/* 0 if unknown */
	u64 blocked, ignored, caught;	/* signal masks of the process: bit n - 1 is signal n */
	int complete;	/* true if all masks, and the pid in the innermost pid namespace, were found */
	int first_in_namespace;
};

void parse_status(const char *text, struct process_status *status);

/* Returns true if the process might ignore `sig`, or if this is unknown. */
int loses_signal(const struct process_status *status, int sig);

#endif
