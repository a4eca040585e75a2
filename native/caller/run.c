/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one started program: its reports, its end, its deadline and the
 * clean-up after it. Whoever waits (the addon's reactor for many, a compiled
 * file for one) decides only how.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/resource.h>
#include <signal.h>

#include "../hutch.h"

#define WALL_FLAG 0x40000000
#define DONTWAIT 0x40
/* A process in the middle of a big exit can hold its group for seconds; after these we tell what is left. */
#define RETRIES_AT_MOST 400
/* How often a group of v1 is read after SIGTERM: nothing notifies when it becomes empty. */
#define GRACE_PAUSE_MS 10

/* Its time counts from here. */
void life_begin(struct life *life)
{
	life->deadline = life->outer.timeout_ms ? now_ms() + life->outer.timeout_ms : 0;
	life_limit_cpu(life);
}

/* 0, or -errno with life->outer.step at the op that failed and nothing left behind. The bytes must outlive it. */
int life_start(struct life *life, const struct launch_files *files)
{
	struct cursor inner;
	int err = open_program(files->program, files->program_size, &life->outer.ops, &inner);

	life->command_status = -1;
	life->outer.report_fd = -1;
	life->empty_fd = -1;
	life->outer.terminal = (struct terminal){ .fd = -1, .stream = -1, .flags = { -1, -1, -1 } };
	if (!err)
		err = outer_start(&life->outer, files);
	if (!err) {
		if (!life->outer.takes_order)
			life_begin(life);
		return 0;
	}
	if (life->outer.started) {
		outer_kill(&life->outer);
		sys(__NR_wait4, life->outer.pid, NULL, WALL_FLAG, NULL);
	}
	terminal_restore(&life->outer.terminal, life->outer.session, life->outer.pid);
	outer_undo(&life->outer);
	return err;
}

/* The next refusal that hutch-init told of, or what it found at the refused program: all of *said, or its report alone. One that stayed outside of a pid namespace speaks after the one inside, which knows better. */
int life_failed(struct life *life, struct program_look *said)
{
	struct report *report = &said->report;
	long got;

	/* ECONNRESET: it ended with our GO unread; what it said comes after that. None may be lost for a moment's trouble. */
	for (int tries = 0; tries < 3;) {
		got = receive(life->outer.report_fd, said, sizeof *said, DONTWAIT);
		if (got < 0 && got != -EAGAIN) {
			tries++;
			life->unread |= got == -ECONNRESET;
			continue;
		}
		if (got == (long)sizeof *said && report->kind == REPORT_PROGRAM)
			return 1;
		if (got != (long)sizeof *report)
			return 0;
		if (report->kind == REPORT_FAILED)
			return 1;
		life->ready |= report->kind == REPORT_READY && report->value == READY_FOR_ORDER;
		if (report->kind == REPORT_EXITED || report->kind == REPORT_FULL)
			life->full_spaces |= report->step;
		if (report->kind == REPORT_EXITED && life->command_status == -1) {
			life->command_status = report->value;
			life->max_rss = report->max_rss;
			life->outer.terminal.typed = (int)report->typed;
		}
		if (report->kind == REPORT_STOPPED)
			life_stopped(life, report->value, (int)report->step);
	}
	return 0;
}

/* Opens cgroup.events of the job's v2 group, which notifies poll(2) when the group becomes empty. Returns -1 without one. */
static int open_events(const struct outer *o)
{
	static const char from[] = "cgroup.kill", to[] = "cgroup.events";
	size_t length = o->kill_file ? text_length(o->kill_file) : 0, end = sizeof from - 1;
	char path[4096];
	long fd;

	if (length < end || length + sizeof to > sizeof path)
		return -1;
	memcpy(path, o->kill_file, length - end);
	memcpy(path + length - end, to, sizeof to);
	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -1 : (int)fd;
}

/* Returns whether the job's groups have a process. Reading cgroup.events also arms its next notification. */
static int has_processes(const struct life *life)
{
	static const char empty[] = "populated 0";
	const char *path = life->outer.procs.first;
	char text[sizeof empty - 1];
	int count = 0;

	if (life->empty_fd >= 0)
		return sys(__NR_pread64, life->empty_fd, text, sizeof text, 0) == sizeof text &&
		       text[sizeof text - 1] != '0';
	for (u32 i = 0; i < life->outer.procs.count && !count; i++, path = next_string(path))
		signal_listed(path, 0, 0, &count);
	return count;
}

/* Whether the process that was cloned has ended; then it is reaped, once. */
int life_ended(struct life *life)
{
	struct rusage usage = { 0 };

	if (life->ending || !reap_child(life->outer.pid, life->outer.pidfd, &life->own_status, &usage))
		return 0;
	life->ending = 1;
	/* what else has got SIGTERM keeps its time */
	life->grace = life->stop_stage == 1 ? life->deadline : 0;
	if (life->grace)
		life->empty_fd = open_events(&life->outer);
	life->deadline = life->cpu_look = 0;
	life->voluntary = (u64)usage.ru_nvcsw;
	life->forced = (u64)usage.ru_nivcsw;
	life->user_usec = (u64)usage.ru_utime.tv_sec * 1000000 + (u64)usage.ru_utime.tv_usec;
	life->system_usec = (u64)usage.ru_stime.tv_sec * 1000000 + (u64)usage.ru_stime.tv_usec;
	return 1;
}

/*
 * After the job's end. What ^C did to the job, it would have done to hutch's group: a script that
 * waits for hutch has to end with it.
 */
static void end_terminal(struct life *life)
{
	struct terminal *t = &life->outer.terminal;
	int said = life->command_status != -1, sig = (said ? life->command_status : life->own_status) & 0x7f;

	if (terminal_restore(t, life->outer.session, life->outer.pid) && (sig == SIGINT || sig == SIGQUIT) &&
	    (!said || t->typed))
		sys(__NR_kill, 0, sig);
}

/* The rest of the outer section: 0 when done, else the milliseconds until the next try, or until life->empty_fd has POLLPRI. */
unsigned int life_finish(struct life *life)
{
	u64 now = life->grace ? now_ms() : 0;
	int err;

	if (life->grace > now && has_processes(life))
		return life->empty_fd < 0 ? GRACE_PAUSE_MS : (unsigned int)(life->grace - now);
	life->grace = 0;
	if (life->empty_fd >= 0)
		sys(__NR_close, life->empty_fd);
	life->empty_fd = -1;
	life->outer.failed = (life->command_status != -1 ? life->command_status : life->own_status) != 0 || life->stop_stage;
	while ((err = outer_finish(&life->outer)) != 0) {
		if (err == -EAGAIN && life->retries < RETRIES_AT_MOST)
			return life->retries++ < 10 ? 1 : 25;
		if (err == -EAGAIN)
			outer_skip(&life->outer);
		if (!life->failed_errno) {
			life->failed_step = (int)life->outer.step - 1;
			life->failed_errno = err == -EAGAIN ? EBUSY : -err;
			life->failed_call = (int)failed_call(err);
		}
	}
	end_terminal(life);
	return 0;
}

/*
 * Sends the stop signal to the job's processes and later SIGKILL. Returns the signal. SIGCONT follows the stop signal, since a
 * stopped process does not act on it.
 */
int life_stop(struct life *life)
{
	int sig = life->stop_stage == 0 && life->outer.kill_after_ms ? (int)life->outer.stop_signal : SIGKILL;

	if (life->stop_stage == 0)
		life_look(life);
	if (sig != SIGKILL) {
		outer_signal(&life->outer, sig);
		outer_signal(&life->outer, SIGCONT);
	} else {
		outer_kill(&life->outer);
	}
	life->stop_stage = sig == SIGKILL ? 2 : 1;
	if (sig == SIGKILL)
		life->cpu_look = 0;
	life->deadline = sig != SIGKILL ? now_ms() + life->outer.kill_after_ms : 0;
	return sig;
}

/* v1 has no memory.oom.group: the kill file of the v2 tree beside it does the same, a moment later. False when nothing came. */
int life_noticed(struct life *life, u32 index)
{
	struct watch *w = &life->outer.watch[index];
	u64 count;

	if (index >= life->outer.watches || sys(__NR_read, w->fd, &count, sizeof count) != sizeof count || life->ending)
		return 0;
	if (w->kill && *w->kill)
		write_text(w->kill, "1");
	return 1;
}
