/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the resources that a stopped job had exhausted. The kernel does not count failed descriptor
 * allocations, so this process inspects the descriptor tables. PID 1 reports the other resources.
 */
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/stat.h>

#include "../hutch.h"

/* Processes that are inspected at most. A fork bomb has more, and they are not worth the time. */
#define LOOKS_AT_MOST 128

/*
 * Returns true if the last three numbers below the limit are in use. The kernel assigns the lowest
 * free number first, so the table is then full. A shell uses only the last number.
 */
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
