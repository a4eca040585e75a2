/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals a job that has no cgroup: the descendants of the cloned process, as listed in /proc. A
 * process is identified by its pid and start time, so a reused pid gets no signal.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "groups.h"

#define MAX_PROCESSES 1024
#define MAX_PASSES 100
#define START_FIELD 22	/* proc_pid_stat(5) */

struct process {
	int pid;
	u64 started;
};

struct tree {
	u32 count;
	struct process at[MAX_PROCESSES];
};

/*
 * Reads /proc/PID/stat: "PID (NAME) STATE PARENT …". NAME may contain any bytes. Returns 0 if the
 * process does not exist.
 */
int read_process(int pid, int *parent, u64 *started)
{
	char path[32], text[512] = { 0 }, *end;
	u64 fields[START_FIELD + 1] = { 0 };
	long got;

	add_text(add_decimal(add_text(path, "/proc/"), (u64)pid), "/stat");
	got = read_text(path, text, sizeof text - 1);
	while (got > 0 && text[got - 1] != ')')
		got--;
	if (got <= 0)
		return 0;
	end = text + got;
	for (int field = 3; *end++ == ' ' && field <= START_FIELD; field++)
		for (; *end && *end != ' '; end++)
			fields[field] = fields[field] * 10 + (u64)(*end - '0');
	*parent = (int)fields[4];
	*started = fields[START_FIELD];
	return 1;
}

static void add_process(struct tree *t, int pid)
{
	struct process one = { .pid = pid };
	int parent;

	if (t->count < MAX_PROCESSES && read_process(pid, &parent, &one.started))
		t->at[t->count++] = one;
}

static void add_children(struct tree *t, int pid)
{
	char path[80], *end = add_text(add_decimal(add_text(path, "/proc/"), (u64)pid), "/task/");
	struct listing threads;
	const struct entry *thread;
	struct reader r;
	long child;

	begin_listing(&threads, (int)sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (threads.fd < 0)
		return;
	while ((thread = next_in(&threads)) != NULL) {
		if (thread->name[0] == '.')
			continue;
		add_text(add_text(end, thread->name), "/children");
		if (open_list(&r, AT_FDCWD, path) < 0)
			continue;
		while (next_pid(&r, &child) > 0)
			add_process(t, (int)child);
		sys(__NR_close, r.fd);
	}
	sys(__NR_close, threads.fd);
}

/* Lists all descendants before the first signal: after its parent has ended, a process is no longer listed below it. */
static void read_tree(struct tree *t, int root, int with_root)
{
	t->count = 0;
	if (with_root)
		add_process(t, root);
	else
		add_children(t, root);
	for (u32 i = 0; i < t->count; i++)
		add_children(t, t->at[i].pid);
}

static void signal_process(const struct process *p, int sig)
{
	struct listed one = { .pid = p->pid, .fd = sys(__NR_pidfd_open, p->pid, 0) };
	u64 started;
	int parent;

	if (one.fd != -ESRCH && read_process(p->pid, &parent, &started) && started == p->started)
		signal_one(&one, sig);
	if (one.fd >= 0)
		sys(__NR_close, one.fd);
}

/* Signals the descendants of a process, and first the process itself if with_root. Returns the number of processes. */
u32 signal_tree(int root, int sig, int with_root)
{
	struct tree t;

	read_tree(&t, root, with_root);
	for (u32 i = 0; i < t.count; i++)
		signal_process(&t.at[i], sig);
	return t.count;
}

static int contains(const struct tree *t, const struct process *p)
{
	for (u32 i = 0; i < t->count; i++)
		if (t->at[i].pid == p->pid && t->at[i].started == p->started)
			return 1;
	return 0;
}

/*
 * Kills the descendants of a process that adopts its orphans. Repeats until a pass finds only
 * processes that were sent SIGKILL before.
 */
void kill_below(int root)
{
	struct tree trees[2];
	int fresh = 1;

	trees[1].count = 0;
	for (int pass = 0; fresh && pass < MAX_PASSES; pass++) {
		struct tree *now = &trees[pass % 2], *before = &trees[1 - pass % 2];

		fresh = 0;
		read_tree(now, root, 0);
		for (u32 i = 0; i < now->count; i++) {
			fresh |= !contains(before, &now->at[i]);
			signal_process(&now->at[i], SIGKILL);
		}
	}
}
