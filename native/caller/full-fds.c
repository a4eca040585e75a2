/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what a job had used up at its timeout. The kernel does not count full descriptor tables, so
 * they are examined here; PID 1 reports the rest. Only a stopped job is examined.
 */
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/stat.h>

#include "../hutch.h"

/* A fork bomb has more processes than are worth checking. */
#define LOOKS_AT_MOST 128

/* The lowest free number is given first, so these three are in use when none below is free; a shell keeps the last one alone. */
static int has_last(u64 pid, u64 limit)
{
	char path[80], *end = add_text(add_decimal(add_text(path, "/proc/"), pid), "/fd/");
	struct statx found;

	for (u64 number = limit - 3; number < limit; number++) {
		add_decimal(end, number);
		if (sys(__NR_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &found))
			return 0;
	}
	return 1;
}

static void look_at(struct run *run, u64 pid)
{
	struct rlimit64 limit;

	if (sys(__NR_prlimit64, pid, RLIMIT_NOFILE, NULL, &limit) || limit.rlim_cur < 4 || limit.rlim_cur > 1 << 30 ||
	    !has_last(pid, limit.rlim_cur))
		return;
	run->full_tables++;
	run->table_limit = (u32)limit.rlim_cur;
}

void run_find_full(struct run *run)
{
	const struct outer *o = &run->outer;
	char list[4096];
	long got = o->procs.count ? read_text(o->procs.first, list, sizeof list) : 0;
	u64 pid = 0;

	if (o->reaps)
		send_request(o->pid, o->pidfd, REQUEST_STOP);
	if (!o->procs.count)
		look_at(run, (u64)o->pid);
	for (long i = 0, looks = 0; i < got && looks < LOOKS_AT_MOST; i++) {
		if (list[i] >= '0' && list[i] <= '9') {
			pid = pid * 10 + (u64)(list[i] - '0');
			continue;
		}
		if (pid) {
			look_at(run, pid);
			looks++;
		}
		pid = 0;
	}
}
