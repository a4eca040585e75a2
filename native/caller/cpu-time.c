/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enforces the CPU time limit of a whole job. The kernel does not notify when a group has used a
 * given CPU time. hutch therefore reads the group's CPU time at the earliest time at which all CPUs
 * together could have used up the limit.
 */
#include <linux/errno.h>

#include "../hutch.h"

/* Milliseconds: the longest pause between checks of an idle job just below its limit. */
#define IDLE_MS_AT_MOST 16

/*
 * Reads a group's CPU time. v2: "usage_usec N" is the first line of cpu.stat. v1: cpuacct.usage
 * holds only nanoseconds.
 */
static int read_cpu_usec(const char *file, u64 *usec)
{
	char text[64] = "", *at = text;
	long got = read_text(file, text, sizeof text - 1);
	int alone;

	if (got < 0)
		return (int)got;
	alone = *at >= '0' && *at <= '9';
	while (*at && (*at < '0' || *at > '9'))
		at++;
	if (!*at)
		return -EPROTO;
	for (*usec = 0; *at >= '0' && *at <= '9'; at++)
		*usec = *usec * 10 + (u64)(*at - '0');
	if (alone)
		*usec /= 1000;
	return 0;
}

/*
 * Counts the CPUs that this process may run on. If the group's cpuset allows more, an overrun is
 * noticed a little late.
 */
static u32 count_cpus(void)
{
	u64 mask[128];
	long got = sys(__NR_sched_getaffinity, 0, sizeof mask, mask);
	u32 count = 0;

	for (long i = 0; i < got / 8; i++)
		for (u64 left = mask[i]; left; left &= left - 1)
			count++;
	return count ? count : 1;
}

void run_limit_cpu(struct run *run)
{
	struct outer *o = &run->outer;

	if (!o->cpu_ms)
		return;
	run->cpus = count_cpus();
	run->cpu_idle_ms = 1;
	run->cpu_check_at = now_ms() + ((u64)o->cpu_ms + o->cpu_extra_ms) / run->cpus;
}

/* Kills the whole job if it has exceeded its CPU time limit, and then returns true. */
int run_check_cpu(struct run *run, u64 now)
{
	struct outer *o = &run->outer;
	u64 most = ((u64)o->cpu_ms + o->cpu_extra_ms) * 1000, used = run->cpu_usec, pause;
	int err = read_cpu_usec(o->cpu_file, &used);

	if (!err && used > most) {
		run_find_full(run);
		outer_kill(o);
		run->stop_stage = 2;
		run->deadline = run->cpu_check_at = 0;
		return 1;
	}
	/* a file that cannot be read (no free descriptor) is tried again later */
	run->cpu_idle_ms = used > run->cpu_usec ? 1 : run->cpu_idle_ms * 2;
	if (run->cpu_idle_ms > IDLE_MS_AT_MOST)
		run->cpu_idle_ms = IDLE_MS_AT_MOST;
	pause = err ? 0 : (most - used) / 1000 / run->cpus;
	run->cpu_check_at = now + (pause > run->cpu_idle_ms ? pause : run->cpu_idle_ms);
	run->cpu_usec = used;
	return 0;
}

/* Returns the time of the next deadline or check, 0: never. */
u64 run_due(const struct run *run)
{
	if (!run->deadline || (run->cpu_check_at && run->cpu_check_at < run->deadline))
		return run->cpu_check_at;
	return run->deadline;
}

/* Stores the job's CPU time limit. */
int op_limit_cpu(struct outer *o, struct cursor *c)
{
	o->cpu_ms = take_u32(c);
	o->cpu_extra_ms = take_u32(c);
	o->cpu_file = take_string(c);
	return finished(c);
}
