/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much CPU time all of a job may use. The kernel tells nobody when a group
 * has used so much of it, so it is looked at when it can be used up at the
 * earliest, all CPUs at work for it.
 */
#include <linux/errno.h>

#include "../hutch.h"

/* How often a job that waits just below its limit is looked at, at the least. */
#define IDLE_MS_AT_MOST 16

/* v2: "usage_usec N" comes first in cpu.stat; v1: cpuacct.usage is nanoseconds, alone. */
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

/* Those that this process may run on; one that is told otherwise by its group is looked at a little late. */
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

void life_limit_cpu(struct life *life)
{
	struct outer *o = &life->outer;

	if (!o->cpu_ms)
		return;
	life->cpus = count_cpus();
	life->cpu_idle_ms = 1;
	life->cpu_look = now_ms() + ((u64)o->cpu_ms + o->cpu_extra_ms) / life->cpus;
}

/* Kills all of it when it has used too much: true then. */
int life_look_at_cpu(struct life *life, u64 now)
{
	struct outer *o = &life->outer;
	u64 most = ((u64)o->cpu_ms + o->cpu_extra_ms) * 1000, used = life->cpu_usec, pause;
	int err = read_cpu_usec(o->cpu_file, &used);

	if (!err && used > most) {
		life_look(life);
		outer_kill(o);
		life->stop_stage = 2;
		life->deadline = life->cpu_look = 0;
		return 1;
	}
	/* a file that cannot be read (no descriptor is free) is tried again, not given up */
	life->cpu_idle_ms = used > life->cpu_usec ? 1 : life->cpu_idle_ms * 2;
	if (life->cpu_idle_ms > IDLE_MS_AT_MOST)
		life->cpu_idle_ms = IDLE_MS_AT_MOST;
	pause = err ? 0 : (most - used) / 1000 / life->cpus;
	life->cpu_look = now + (pause > life->cpu_idle_ms ? pause : life->cpu_idle_ms);
	life->cpu_usec = used;
	return 0;
}

/* When it has to be seen to next, 0: never. */
u64 life_due(const struct life *life)
{
	if (!life->deadline || (life->cpu_look && life->cpu_look < life->deadline))
		return life->cpu_look;
	return life->deadline;
}
