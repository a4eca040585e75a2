/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before hutch stops a job at its deadline, finds what may have delayed the job: exhausted
 * resources, processes stopped by a signal, a frozen group. The kernel does not count failed
 * descriptor allocations, so this process inspects the descriptor tables. PID 1 reports the other
 * resources.
 */
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/stat.h>

#include "../hutch.h"

/*
 * Maximum number of processes that are inspected. A fork bomb has more, and inspecting all would
 * delay the stop.
 */
#define LOOKS_AT_MOST 128

/*
 * Returns true if the last three numbers below the limit are in use. The kernel assigns the lowest
 * free number first, so the table is then full. The last number alone proves nothing: a shell uses
 * it for a descriptor of its own.
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

/*
 * Returns the letter of a process's state (proc_pid_stat(5)), or 0. The process name in the line
 * may contain any byte.
 */
static char state_of(u64 pid)
{
	char path[80], text[256] = { 0 };
	long got;

	add_text(add_decimal(add_text(path, "/proc/"), pid), "/stat");
	got = read_text(path, text, sizeof text - 2);
	while (got > 0 && text[got - 1] != ')')
		got--;
	return got > 0 && text[got] == ' ' ? text[got + 1] : 0;
}

static void look_at(struct run *run, u64 pid)
{
	struct rlimit64 limit;

	run->stopped_processes += state_of(pid) == 'T';

	if (sys(__NR_prlimit64, pid, RLIMIT_NOFILE, NULL, &limit) || limit.rlim_cur < 4 || limit.rlim_cur > 1 << 30 ||
	    !has_last(pid, limit.rlim_cur))
		return;
	run->full_tables++;
	run->table_limit = (u32)limit.rlim_cur;
}

/*
 * Returns true if the job's v2 group is frozen, even if a group above was frozen. `procs` is the
 * path of its cgroup.procs.
 */
static int is_frozen(const char *procs)
{
	static const char file[] = "cgroup.events", frozen[] = "frozen 1";
	char path[4352], text[256];
	size_t length = text_length(procs), same = 0;
	long got;

	while (length && procs[length - 1] != '/')
		length--;
	if (length + sizeof file > sizeof path)
		return 0;
	memcpy(path, procs, length);
	memcpy(path + length, file, sizeof file);
	got = read_text(path, text, sizeof text);
	for (long i = 0; i < got && frozen[same]; i++)
		same = text[i] == frozen[same] ? same + 1 : text[i] == *frozen;
	return !frozen[same];
}

/* Inspects the processes of a list of ids that are separated by spaces or newlines. */
static void look_at_all(struct run *run, const char *list, long length)
{
	u64 pid = 0;

	for (long i = 0, looks = 0; i < length && looks < LOOKS_AT_MOST; i++) {
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

/* If the job has no group and hutch-init stays, the command is one of the children of hutch-init. */
static void look_at_tree(struct run *run)
{
	char path[80], list[4096], *end;
	u64 pid = (u64)run->outer.pid;

	look_at(run, pid);
	end = add_text(add_decimal(add_text(path, "/proc/"), pid), "/task/");
	add_text(add_decimal(end, pid), "/children");
	look_at_all(run, list, read_text(path, list, sizeof list));
}

void run_find_full(struct run *run)
{
	const struct outer *o = &run->outer;
	char list[4096];

	if (o->reaps)
		send_request(o->pid, o->pidfd, REQUEST_STOP);
	if (!o->procs.count) {
		look_at_tree(run);
		return;
	}
	run->frozen = is_frozen(o->procs.first);
	look_at_all(run, list, read_text(o->procs.first, list, sizeof list));
}
