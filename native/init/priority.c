/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets resource limits and priorities of this process, which the command inherits. Must run before
 * the ids change, because raising a limit needs root.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"

#define NO_CORE_HANDLER 1

struct limit_pair {
	u64 soft, hard;
};

int op_set_oom_score(struct cursor *c)
{
	const char *value = take_string(c);
	u32 keeps = take_u32(c);
	int err = finished(c);

	if (err)
		return err;
	err = write_text("/proc/self/oom_score_adj", value);
	return err == -EACCES && keeps ? 0 : err;
}

int op_set_limit(struct cursor *c)
{
	u32 resource = take_u32(c);
	struct limit_pair pair;
	int err;

	pair.soft = take_u64(c);
	pair.hard = take_u64(c);
	err = finished(c);
	return err ? err : (int)sys(__NR_prlimit64, 0, resource, &pair, NULL);
}

/*
 * Prevents core dumps by setting RLIMIT_CORE. If core_pattern is a pipe, a limit of 0 still runs
 * the handler; only 1 prevents it (fs/coredump.c). A hard limit of 0 can be raised to 1 only with
 * CAP_SYS_RESOURCE in the initial user namespace. Otherwise the limit stays 0.
 */
static int forbid_core_handler(void)
{
	const struct limit_pair pair = { NO_CORE_HANDLER, NO_CORE_HANDLER };
	int err = (int)sys(__NR_prlimit64, 0, K_RLIMIT_CORE, &pair, NULL);

	return err == -EPERM ? 0 : err;
}

/* Lowers resource limits to the given values. A limit that is already lower stays unchanged, so no right is needed. */
int op_bound_limit(struct cursor *c)
{
	u32 resource = take_u32(c);
	u64 soft = take_u64(c), hard = take_u64(c);
	struct limit_pair pair;
	int err = finished(c);

	if (!err)
		err = (int)sys(__NR_prlimit64, 0, resource, NULL, &pair);
	if (err)
		return err;
	if (pair.hard > hard)
		pair.hard = hard;
	if (pair.soft > soft)
		pair.soft = soft;
	if (pair.soft > pair.hard)
		pair.soft = pair.hard;
	if (resource == K_RLIMIT_CORE && soft == NO_CORE_HANDLER)
		return forbid_core_handler();
	return (int)sys(__NR_prlimit64, 0, resource, &pair, NULL);
}

int op_set_nice(struct cursor *c)
{
	int nice = (int)take_u32(c), err = finished(c);

	return err ? err : (int)sys(__NR_setpriority, 0 /* PRIO_PROCESS */, 0, nice);
}

int op_set_io_priority(struct cursor *c)
{
	u32 priority = take_u32(c);
	int err = finished(c);

	return err ? err : (int)sys(__NR_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, priority);
}

int op_set_scheduler(struct cursor *c)
{
	u32 policy = take_u32(c);
	int priority = (int)take_u32(c), err = finished(c);

	return err ? err : (int)sys(__NR_sched_setscheduler, 0, policy, &priority);
}
