/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One clone3 from the caller straight into hutch-init. The child shares the
 * caller's memory and the caller's thread waits (CLONE_VM, CLONE_VFORK) until
 * it has exec'd, so no page table is copied. It only makes system calls.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "../hutch.h"

#ifndef AF_UNIX
#define AF_UNIX 1
#endif
#define SEQPACKET_CLOEXEC (5 | 02000000)
#define LIFTED_FD (INIT_PROGRAM_FD + 1)

struct child {
	const struct launch_files *files;
	struct numbers keep;
	int report_fd;
	int program_fd;
	int unmapped;	/* in a new user namespace: no id has a meaning yet */
	int first;	/* PID 1 of its namespace */
	const struct terminal *terminal;
	u32 session;
	int err;	/* the child's word to the parent: same memory */
};

/*
 * The descriptor table is a copy. Sources may stand where a target must go, so
 * all are lifted out of the way first; close_range makes every other
 * descriptor of Node's, also one that some library forgot, end at the exec,
 * but for those that are to be kept.
 */
static long place_descriptors(struct child *c)
{
	int from[5] = { c->files->stdio[0], c->files->stdio[1], c->files->stdio[2],
			c->report_fd, c->program_fd };
	static const int to[5] = { 0, 1, 2, INIT_REPORT_FD, INIT_PROGRAM_FD };
	long fd, null = -1;

	for (int i = 0; i < 5; i++) {
		if (from[i] < 0 && null < 0)
			null = sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
		if (from[i] < 0 && null < 0)
			return null;
		fd = sys(__NR_fcntl, from[i] < 0 ? null : from[i], F_DUPFD_CLOEXEC, LIFTED_FD);
		if (fd < 0)
			return fd;
		from[i] = (int)fd;
	}
	fd = close_on_exec_from(3);
	for (u32 i = 0; fd >= 0 && i < c->keep.count; i++)
		fd = sys(__NR_fcntl, c->keep.first[i], F_SETFD, 0);
	for (int i = 0; fd >= 0 && i < 5; i++)
		fd = sys(__NR_dup3, from[i], to[i], 0);
	return fd;
}

static void child_main(void *arg)
{
	static const char *const argv[] = { "hutch-init", NULL };
	static const char *const env[] = { NULL };
	static const u64 all = ~0ull;
	struct child *c = arg;
	long init_fd, err;

	/* the memfd of hutch-init may sit on a target descriptor */
	init_fd = sys(__NR_fcntl, c->files->init_fd, F_DUPFD_CLOEXEC, LIFTED_FD);
	err = init_fd < 0 ? init_fd : place_descriptors(c);
	if (err >= 0)
		err = terminal_enter(c->terminal, c->session);
	if (err >= 0 && c->unmapped)
		err = raise_to_ambient();
	/* what PID 1 has no handler for is lost, but for what is blocked: that waits until there is a command to have it */
	if (err >= 0 && c->first)
		err = sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, NSIG_BYTES);
	if (err >= 0)
		err = exec_descriptor((int)init_fd, argv, env);
	c->err = (int)err;
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

int spawn_init(struct outer *o, const struct launch_files *files, u64 flags, const char *group)
{
	u8 stack[16384] __attribute__((aligned(16)));
	struct clone_args args = {
		.flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.stack = (u64)(uintptr_t)stack,
		.stack_size = sizeof stack,
		.pidfd = (u64)(uintptr_t)&o->pidfd,
	};
	struct child child = {
		.files = files,
		.keep = o->keep,
		.unmapped = (flags & CLONE_NEWUSER) != 0,
		.first = (flags & CLONE_NEWPID) != 0,
		.terminal = &o->terminal,
		.session = o->session,
	};
	int pair[2], group_fd = -1;
	long pid, err;

	err = program_file(files->program, files->program_size);
	if (err < 0)
		return (int)err;
	child.program_fd = (int)err;
	terminal_open(&o->terminal, o->session, files->stdio);
	err = sys(__NR_socketpair, AF_UNIX, SEQPACKET_CLOEXEC, 0, pair);
	if (err < 0)
		goto out_program;
	child.report_fd = pair[1];
	if (*group) {
		err = sys(__NR_openat, AT_FDCWD, group, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (err < 0)
			goto out_pair;
		group_fd = (int)err;
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (u64)group_fd;
	}
	pid = sys_clone(&args, child_main, &child);
	err = pid < 0 ? pid : child.err;
	if (group_fd >= 0)
		sys(__NR_close, group_fd);
	if (pid > 0 && err) {
		sys(__NR_wait4, pid, NULL, __WALL, NULL);
		sys(__NR_close, o->pidfd);
	}
	if (!err) {
		o->pid = (int)pid;
		o->report_fd = pair[0];
		o->cloned = flags;
		o->started = 1;
		pair[0] = -1;
	}
out_pair:
	if (pair[0] >= 0)
		sys(__NR_close, pair[0]);
	sys(__NR_close, pair[1]);
out_program:
	sys(__NR_close, child.program_fd);
	return err < 0 ? (int)err : 0;
}

int op_keep_descriptors(struct outer *o, struct cursor *c)
{
	o->keep = take_numbers(c);
	return finished(c);
}

static void tool_main(void *arg)
{
	static const char *const env[] = { NULL };
	const char *const *argv = arg;
	long null = sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		sys(__NR_dup3, null, fd, 0);
	close_on_exec_from(3);
	if (null >= 0)
		sys(__NR_execve, argv[0], argv, env);
	sys(__NR_exit_group, 127);
	__builtin_unreachable();
}

/* Runs a program by its path to its end, with no environment and nothing open: its wait status, or -errno. */
int run_tool(const char *const *argv)
{
	u8 stack[16384] __attribute__((aligned(16)));
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
		.stack = (u64)(uintptr_t)stack,
		.stack_size = sizeof stack,
	};
	long pid = sys_clone(&args, tool_main, (void *)(uintptr_t)argv), got;
	int status = 0;

	if (pid < 0)
		return (int)pid;
	/* no exit signal: nobody else in this process may reap it */
	do
		got = sys(__NR_wait4, pid, &status, __WALL, NULL);
	while (got == -EINTR);
	return got < 0 ? (int)got : status;
}
