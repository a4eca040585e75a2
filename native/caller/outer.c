/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the outer ops, the steps of a start outside of the job: creates and limits the group, and
 * clones the child. After the child's end, reads the figures and removes the group.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <signal.h>

#include "../hutch.h"
#include "groups.h"

#define AGAIN_WHILE_DYING -EAGAIN

/* Creates a group. A shared group may exist, the job's own must not. The plan refuses ".." in paths. */
static int op_make_group(struct outer *o, struct cursor *c)
{
	const char *path = take_string(c);
	u32 lifetime = take_u32(c);
	long err = finished(c);

	if (err)
		return (int)err;
	err = sys(__NR_mkdirat, AT_FDCWD, path, 0755);
	if (err == -EEXIST && lifetime == LIFETIME_SHARED)
		return 0;
	/* mode regardless of the umask: on v1 a process with another user id opens the group by its path */
	if (!err)
		sys(__NR_fchmodat, AT_FDCWD, path, 0755);
	if (!err && o->made_count < MAX_GROUPS) {
		o->lock[o->made_count] = lifetime == LIFETIME_JOB ? lock_group(path) : -1;
		o->made[o->made_count++] = path;
	}
	return (int)err;
}

static int op_write_file(struct outer *o, struct cursor *c)
{
	const char *path = take_string(c), *value = take_string(c);
	int err = finished(c);

	(void)o;
	return err ? err : write_text(path, value);
}

/* Reads a file or, for DIRECTORY/user.NAME, an extended attribute of the directory. */
static long read_figure(const char *path, char *text, size_t size)
{
	static const char note[] = "/user.";
	char directory[512];
	size_t slash = 0;

	for (size_t i = 0; path[i]; i++)
		if (path[i] == '/')
			slash = i;
	for (size_t i = 0; i < sizeof note - 1; i++)
		if (path[slash + i] != note[i])
			return read_text(path, text, size);
	if (slash >= sizeof directory)
		return -ENAMETOOLONG;
	memcpy(directory, path, slash);
	directory[slash] = 0;
	return sys(__NR_lgetxattr, directory, path + slash + 1, text, size);
}

/* Reads a file as a figure, such as a usage. If this fails, the error is recorded and the figure is absent, not 0. */
static int op_read_file(struct outer *o, struct cursor *c)
{
	const char *path = take_string(c);
	u32 at = o->figures_length, room = FIGURES_SIZE - at;
	long got;

	if (finished(c))
		return -EPROTO;
	if (room < 16)
		return 0;
	room -= 8;
	got = read_figure(path, o->figures + at + 8, room > 4096 ? 4096 : room);
	memcpy(o->figures + at, &o->step, 4);
	memcpy(o->figures + at + 4, &(int){ (int)got }, 4);
	o->figures_length = at + 8 + (got > 0 ? ((u32)got + 3) & ~3u : 0);
	return 0;
}

/* Reads a file that is needed only to explain a failure, such as a limit that may have changed during the run. */
static int op_read_if_failed(struct outer *o, struct cursor *c)
{
	if (o->failed)
		return op_read_file(o, c);
	take_string(c);
	return finished(c) ? -EPROTO : 0;
}

static int op_spawn(struct outer *o, struct cursor *c)
{
	u64 flags = take_u64(c);
	const char *group = take_string(c);
	int err;

	o->session = take_u32(c);
	err = finished(c);
	return err ? err : spawn_init(o, o->files, flags, group);
}

static struct watch *add_watch(struct outer *o)
{
	struct watch *w;

	if (o->watches == MAX_WATCHES)
		return NULL;
	w = &o->watch[o->watches++];
	*w = (struct watch){ .step = o->step, .fd = -1, .descriptor = -1 };
	return w;
}

/*
 * Watches a file, if it exists, with inotify. A change of memory.events or pids.events counts as a
 * write (cgroup-v2.rst).
 */
static int op_watch_file(struct outer *o, struct cursor *c)
{
	const char *path = take_string(c);
	struct watch *w;
	long wd;

	if (finished(c))
		return -EPROTO;
	if (o->inotify_fd < 0)
		return 0;
	wd = sys(__NR_inotify_add_watch, o->inotify_fd, path, IN_MODIFY);
	/* if inotify is refused (a seccomp filter), events are read only at the end */
	if (wd == -ENOENT || CALL_REFUSED(wd))
		return 0;
	if (wd < 0)
		return (int)wd;
	w = add_watch(o);
	if (!w)
		return -E2BIG;
	w->descriptor = (int)wd;
	w->path = path;
	return 0;
}

/* Watches for out-of-memory events on v1, which come through an eventfd (cgroup-v1/memory.rst, section 10). */
static int op_watch_oom(struct outer *o, struct cursor *c)
{
	const char *group = take_string(c), *kill = take_string(c);
	struct watch *w;
	int event;

	if (finished(c))
		return -EPROTO;
	event = legacy_eventfd(group, "memory.oom_control", "");
	if (event < 0)
		return event;
	w = add_watch(o);
	if (!w) {
		sys(__NR_close, event);
		return -E2BIG;
	}
	w->fd = event;
	w->kill = kill;
	return 0;
}

/* Handles the op `wait`, at which outer_start returns. outer_finish later continues after it. */
static int op_wait(struct outer *o, struct cursor *c)
{
	o->timeout_ms = take_u32(c);
	o->kill_after_ms = take_u32(c);
	o->stop_signal = take_u32(c);
	o->reaps = take_u32(c);
	o->procs = take_strings(c);
	o->kill_file = take_string(c);
	return finished(c) ? -EPROTO : 1;
}

/* Reports what the child waits for. The time limit of a prestarted sandbox starts when it receives a job, not at its launch. */
static int op_watch_ready(struct outer *o, struct cursor *c)
{
	o->takes_order = take_u32(c);
	o->hears_ready = 1;
	return finished(c);
}

/* Stores the answers to system calls that a seccomp filter reports. hutch-init sends the listener before the exec. */
static int op_supervise_calls(struct outer *o, struct cursor *c)
{
	o->answers = take_numbers(c);
	o->arguments = take_numbers(c);
	o->learns = take_u32(c);
	o->supervises = 1;
	return finished(c);
}

static int contains(const char *text, const char *part, size_t length)
{
	for (; *text; text++) {
		size_t n = 0;

		while (n < length && text[n] == part[n])
			n++;
		if (n == length)
			return 1;
	}
	return 0;
}

/*
 * Reaps zombies that the job created as children of this process by CLONE_PARENT. waitid(2) reports
 * the oldest ended child. Other children belong to other parts of this process.
 */
static void reap_siblings(const char *procs)
{
	size_t end = text_length(procs), start;
	char path[32], digits[12], text[4096];

	while (end && procs[end - 1] != '/')
		end--;
	for (start = end ? --end : 0; start && procs[start - 1] != '/'; start--)
		;
	for (;;) {
		siginfo_t info = { 0 };
		int at = sizeof digits - 1;
		u32 rest;
		long got;

		if (start >= end || sys(__NR_waitid, K_P_ALL, 0, &info, K_WEXITED | K_WNOHANG | K_WALL | K_WNOWAIT, NULL) < 0 || !info.si_pid)
			return;
		rest = (u32)info.si_pid;
		digits[at] = 0;
		do
			digits[--at] = (char)('0' + rest % 10);
		while (rest /= 10);
		memcpy(path, "/proc/", 6);
		memcpy(path + 6, digits + at, sizeof digits - 1 - (size_t)at);
		memcpy(path + 6 + sizeof digits - 1 - at, "/cgroup", 8);
		got = read_text(path, text, sizeof text - 1);
		text[got > 0 ? got : 0] = 0;
		if (!contains(text, procs + start, end - start) ||
		    sys(__NR_waitid, K_P_PID, info.si_pid, &info, K_WEXITED | K_WNOHANG | K_WALL, NULL) < 0)
			return;
	}
}

static int op_kill_group(struct outer *o, struct cursor *c)
{
	struct strings procs = take_strings(c);
	const char *kill_file = take_string(c), *path = procs.first;
	long err, failed = 0;
	int count = 0;

	(void)o;
	if (finished(c))
		return -EPROTO;
	for (u32 i = 0; i < procs.count; i++, path = next_string(path)) {
		err = signal_listed(path, 0, 0, &count);
		if (err && err != -ENOENT)
			failed = err;
	}
	if (count == 0 && !failed) {
		reap_siblings(procs.first);
		return 0;
	}
	kill_all(&procs, kill_file);
	/*
	 * the error is reported unless the next check lists more processes: some may be invisible
	 * (other pid namespace)
	 */
	return count == 0 ? (int)failed : AGAIN_WHILE_DYING;
}

/* Removes a group. The job's own group must be removed; a shared group is removed when its last job ends. */
static int op_remove_group(struct outer *o, struct cursor *c)
{
	const char *path = take_string(c);
	u32 shared = take_u32(c);
	long err;

	(void)o;
	if (finished(c))
		return -EPROTO;
	err = remove_directory(AT_FDCWD, path);
	if (err == -ENOENT || (err && shared))
		return 0;
	/* a job may have created groups inside its group, for example by running hutch */
	if (err == -EBUSY)
		clear_below(path);
	return err == -EBUSY ? AGAIN_WHILE_DYING : (int)err;
}

/* Releases the groups' locks after their removal: another hutch kills the processes of groups without a lock. */
static void release_locks(struct outer *o)
{
	for (u32 i = 0; i < o->made_count; i++)
		if (o->lock[i] >= 0) {
			sys(__NR_close, o->lock[i]);
			o->lock[i] = -1;
		}
}

static int run_op(struct outer *o, int code, struct cursor *payload)
{
	switch (code) {
#define CASE(number, name, handler, fields) case number: return handler(o, payload);
	OUTER_OPS(CASE)
#undef CASE
	}
	return -EPROTO;
}

/* Runs the ops up to and including `wait`. Returns 0, or -errno with o->step at the failed op. */
int outer_start(struct outer *o, const struct launch_files *files)
{
	struct cursor payload;
	int code, err = 0;

	o->files = files;
	o->inotify_fd = files->inotify_fd;
	arm_fault(files->program, 0, files->streams[2], &o->step);
	while (err == 0 && (code = take_op(&o->ops, &payload)) != 0) {
		err = code < 0 ? code : run_op(o, code, &payload);
		if (err == 0 || err == 1)
			o->step++;
	}
	forget_maps(o);
	return err == 1 ? 0 : err ? err : -EPROTO;
}

/*
 * Runs the remaining ops. Returns -EAGAIN while a process is still dying: the caller tries again in
 * a moment. Returns any other failure of an op at once. The next call continues with the op after
 * the failed one, so everything removable is removed.
 */
int outer_finish(struct outer *o)
{
	struct cursor payload, before;
	int code, err;

	for (;;) {
		before = o->ops;
		code = take_op(&o->ops, &payload);
		if (code <= 0) {
			release_ids(o);
			disarm_fault();
			release_locks(o);
			return code;
		}
		err = run_op(o, code, &payload);
		if (err == -EAGAIN) {
			o->ops = before;
			return err;
		}
		o->step++;
		if (err)
			return err;
	}
}

/* Skips the op for which outer_finish keeps returning -EAGAIN. */
void outer_skip(struct outer *o)
{
	struct cursor payload;

	take_op(&o->ops, &payload);
	o->step++;
}

/* Cleans up after a failed start: removes only the groups that this run created. */
void outer_undo(struct outer *o)
{
	release_ids(o);
	for (u32 i = o->made_count; i--;) {
		const char *path = o->made[i];

		for (int tries = 0; tries < 100; tries++) {
			if (remove_directory(AT_FDCWD, path) != -EBUSY)
				break;
			sleep_ms(1);
		}
	}
	release_locks(o);
	o->made_count = 0;
}
