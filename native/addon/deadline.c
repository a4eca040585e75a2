/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job may not outlive: its time, SIGTERM's grace, and its CPU time. The
 * kernel tells nobody when a group has used so much of it, so it is looked at
 * when it can be used up at the earliest, all CPUs at work for it.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "job.h"

/* How often a job that waits just below its limit is looked at, at the least. */
#define IDLE_MS_AT_MOST 16

u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

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

static void look_at_cpu(struct reactor *r, struct job *job, u64 now)
{
	struct outer *o = &job->outer;
	u64 most = ((u64)o->cpu_ms + o->cpu_extra_ms) * 1000, used = job->cpu_usec, pause;
	int err = read_cpu_usec(o->cpu_file, &used);

	if (!err && used > most) {
		outer_kill(o);
		job->stop_stage = 2;
		job->deadline = job->cpu_look = 0;
		reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_STOPPED, .a = SIGKILL, .b = 1 });
		return;
	}
	/* a file that cannot be read (no descriptor is free) is tried again, not given up */
	job->cpu_idle_ms = used > job->cpu_usec ? 1 : job->cpu_idle_ms * 2;
	if (job->cpu_idle_ms > IDLE_MS_AT_MOST)
		job->cpu_idle_ms = IDLE_MS_AT_MOST;
	pause = err ? 0 : (most - used) / 1000 / r->cpus;
	job->cpu_look = now + (pause > job->cpu_idle_ms ? pause : job->cpu_idle_ms);
	job->cpu_usec = used;
}

void begin_deadlines(struct reactor *r, struct job *job)
{
	struct outer *o = &job->outer;
	u64 now;

	if (!o->timeout_ms && !o->cpu_ms)
		return;
	now = now_ms();
	if (o->timeout_ms)
		job->deadline = now + o->timeout_ms;
	if (!o->cpu_ms)
		return;
	if (!r->cpus)
		r->cpus = (u32)sysconf(_SC_NPROCESSORS_CONF);
	job->cpu_idle_ms = 1;
	job->cpu_look = now + ((u64)o->cpu_ms + o->cpu_extra_ms) / r->cpus;
}

/* SIGTERM to all of the job, then, when its time is up, SIGKILL. */
static void stop_further(struct reactor *r, struct job *job)
{
	int sig = job->stop_stage == 0 && job->outer.kill_after_ms ? SIGTERM : SIGKILL;

	if (sig == SIGTERM)
		outer_signal(&job->outer, sig);
	else
		outer_kill(&job->outer);
	job->stop_stage = sig == SIGTERM ? 1 : 2;
	if (sig == SIGKILL)
		job->cpu_look = 0;
	job->deadline = sig == SIGTERM ? now_ms() + job->outer.kill_after_ms : 0;
	reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_STOPPED, .a = sig });
}

static u64 sooner(u64 a, u64 b)
{
	return !a || (b && b < a) ? b : a;
}

/* Does what is due; how long nothing will be, in ms for epoll_wait. */
int run_deadlines(struct reactor *r)
{
	struct job *job, *next;
	u64 now = now_ms(), first = 0;

	for (job = r->jobs; job; job = next) {
		next = job->next;
		if (job->cpu_look && job->cpu_look <= now)
			look_at_cpu(r, job, now);
		if (!job->deadline || job->deadline > now)
			continue;
		job->deadline = 0;
		if (job->ending)
			reactor_finish(r, job);
		else
			stop_further(r, job);
	}
	for (job = r->jobs; job; job = job->next)
		first = sooner(sooner(first, job->deadline), job->cpu_look);
	if (!first)
		return -1;
	return first <= now ? 0 : first - now > 1000000 ? 1000000 : (int)(first - now);
}
