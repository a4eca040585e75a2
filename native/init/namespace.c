/* SPDX-License-Identifier: Apache-2.0 */
/* Joins namespaces, and creates or fills namespaces that need a process inside. */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/stat.h>
#include <signal.h>

#include "../hutch.h"
#include "../lib/message.h"

#define MAX_JOINED 8
#define SIGNAL_BIT(sig) (1ull << ((sig) - 1))

/* Waits for GO, the child's side of the handshakes in wire/program.h. */
int await_go(int fd)
{
	char go = 0;
	long got;

	do
		got = receive(fd, &go, 1, 0);
	while (got == -EINTR);
	if (got < 0)
		return (int)got;
	/* end of file: the hutch that would send GO has ended */
	return got == 1 && go == GO_BYTE ? 0 : -EOWNERDEAD;
}

int op_await_maps(struct cursor *c)
{
	int err = finished(c);

	/*
	 * hutch waits for this report (READY) if namespaces were created after the clone; without
	 * it, both sides would wait for each other
	 */
	if (!err && made_namespaces)
		err = (int)say(REPORT_READY, 0, 0);
	return err < 0 ? err : await_go(report_socket);
}

int op_await_groups(struct cursor *c)
{
	int err = finished(c);

	return err ? err : await_go(report_socket);
}

/*
 * Waits until a descriptor can be read, or the other end of the socket `peer` is closed
 * (-EOWNERDEAD); -1 for no such socket. A user's signal to end is read from a signalfd, because PID
 * 1 would ignore it and the command has not begun. Other signals stay pending for the command.
 */
long await_input(int fd, int peer)
{
	static const u64 all = ~0ull, ends = SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGTERM);
	struct pollfd any[3] = { { .fd = fd, .events = POLLIN }, { .events = POLLIN }, { .fd = peer } };
	u32 info[32];	/* beginning of struct signalfd_siginfo: the signal's number */
	long err = sys(__NR_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, NSIG_BYTES);

	if (!err)
		err = sys(__NR_signalfd4, -1, &ends, NSIG_BYTES, O_CLOEXEC);
	if (err < 0)
		return err;
	any[1].fd = (int)err;
	do
		err = sys(__NR_ppoll, any, 3, NULL, NULL, NSIG_BYTES);
	while (err == -EINTR);
	if (err > 0 && !any[0].revents && any[1].revents &&
	    sys(__NR_read, any[1].fd, info, sizeof info) == sizeof info) {
		say(REPORT_EXITED, 0, (int)info[0]);
		sys(__NR_exit_group, 128 + info[0]);
	}
	sys(__NR_close, any[1].fd);
	if (err > 0 && !any[0].revents && any[2].revents)
		return -EOWNERDEAD;
	return err < 0 ? err : 0;
}

/*
 * Waits until hutch has connected the network. Sends no report first: the network namespace exists
 * since the clone. `by` names the network tool, only for readers of the program.
 */
int op_await_network(struct cursor *c)
{
	long err;

	take_string(c);
	err = finished(c);
	if (!err)
		err = await_input(report_socket, -1);
	return err ? (int)err : await_go(report_socket);
}

/*
 * Waits until hutch has done what must follow the namespaces of a container and precede the change
 * of its root: hooks, devices of its network. Receives the mounts that hutch has sent, which come before GO.
 */
int op_await_release(struct cursor *c)
{
	u32 mounts = take_u32(c);
	long err = finished(c);

	if (!err)
		err = hold_sent(mounts);
	if (!err)
		err = say(REPORT_READY, 0, READY_FOR_ROOT);
	if (err >= 0)
		err = await_input(report_socket, -1);
	return err < 0 ? (int)err : await_go(report_socket);
}

/* Returns true if the descriptor is this process's own user namespace, which setns refuses to join. */
static int is_own_user_namespace(int fd)
{
	struct statx own, other;

	return sys(__NR_statx, AT_FDCWD, "/proc/self/ns/user", 0, STATX_INO, &own) == 0 &&
	       sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &other) == 0 && own.stx_ino == other.stx_ino &&
	       own.stx_dev_major == other.stx_dev_major && own.stx_dev_minor == other.stx_dev_minor;
}

static int is_number(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (s[i] < '0' || s[i] > '9')
			return 0;
	return length > 0;
}

/*
 * Opens /proc/PID/ns/KIND through an open descriptor of /proc/PID. That descriptor always refers to
 * the same process, even if the process ends and its pid is reused. So all namespaces of one target
 * come from one process.
 */
static long open_namespace(const char *path, const char *before, long *target)
{
	static const char proc[] = "/proc/";
	char directory[32];
	size_t length = sizeof proc - 1;

	for (size_t i = 0; i < length; i++)
		if (path[i] != proc[i])
			return sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (path[length] && path[length] != '/')
		length++;
	if (length >= sizeof directory || !path[length] || !is_number(path + 6, length - 6))
		return sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	for (size_t i = 0; i <= length && *target >= 0; i++)
		if (before[i] != path[i]) {
			sys(__NR_close, *target);
			*target = -1;
		}
	if (*target < 0) {
		memcpy(directory, path, length);
		directory[length] = 0;
		*target = sys(__NR_openat, AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return *target < 0 ? *target : sys(__NR_openat, *target, path + length + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/*
 * Joins namespaces. All are opened before the first is joined, because paths differ in a joined
 * mount namespace. If joining one is refused, the user namespace is joined next, because it may
 * give the needed right. Otherwise the user namespace is joined last, because joining it takes away
 * the rights over the other namespaces.
 */
int op_join_namespaces(struct cursor *c)
{
	struct strings paths = take_strings(c);
	struct numbers kinds = take_numbers(c);
	const char *path = paths.first, *before = path;
	long fds[MAX_JOINED], target = -1, err = finished(c);
	u32 user = MAX_JOINED;

	if (err || paths.count != kinds.count || paths.count > MAX_JOINED)
		return -EPROTO;
	/*
	 * undumpable: a root user of the joined namespaces must not trace this process and take its
	 * descriptors before the command runs (CVE-2016-9962)
	 */
	err = sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (err)
		return (int)err;
	for (u32 i = 0; i < paths.count; i++, before = path, path = next_string(path)) {
		fds[i] = open_namespace(path, before, &target);
		if (fds[i] < 0)
			return (int)fds[i];
		if (kinds.first[i] == CLONE_NEWUSER)
			user = i;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (u32 i = 0; i < paths.count; i++) {
			if (i == user || fds[i] < 0)
				continue;
			err = sys(__NR_setns, fds[i], kinds.first[i]);
			if (err == -EPERM && pass == 0 && user != MAX_JOINED)
				continue;
			if (err < 0)
				return (int)err;
			sys(__NR_close, fds[i]);
			fds[i] = -1;
		}
		if (pass == 0 && user != MAX_JOINED && !is_own_user_namespace((int)fds[user])) {
			err = sys(__NR_setns, fds[user], CLONE_NEWUSER);
			if (err < 0)
				return (int)err;
		}
	}
	if (user != MAX_JOINED)
		sys(__NR_close, fds[user]);
	if (target >= 0)
		sys(__NR_close, target);
	return 0;
}

/*
 * Continues the program in a child. A process that joins or unshares a pid namespace stays outside
 * of it; only its children are inside. So this process forwards signals to the child, and ends with
 * the child's status.
 * `own` and `signal` are the signals to this process and to the child when their parents end; 0
 * means none.
 */
static int stay_outside(u32 own, u32 signal)
{
	u64 all = ~0ull, none = 0, early;
	long pid, err = own ? end_with_parent((int)own) : 0;

	if (err)
		return (int)err;
	err = sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (!err)
		err = sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, NSIG_BYTES);
	if (err)
		return (int)err;
	sys(__NR_prctl, PR_SET_NAME, "hutch-init", 0, 0, 0);
	err = begin_reaping(&early);
	if (err)
		return (int)err;
	pid = plain_fork();
	if (pid < 0)
		return (int)pid;
	if (pid > 0)
		return reap((int)pid, early);
	err = sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, NULL, NSIG_BYTES);
	if (err)
		return (int)err;
	return signal ? end_with_parent((int)signal) : 0;
}

int op_stay_outside(struct cursor *c)
{
	u32 signal = take_u32(c);
	int err = finished(c);

	return err ? err : stay_outside(signal, signal);
}

/*
 * Continues the program as another child of hutch, and ends this process. A process that joins or
 * unshares a pid namespace stays outside of it; only its children are inside. CLONE_PARENT makes
 * hutch the parent. The new process waits until hutch knows it.
 */
int op_continue_as_sibling(struct cursor *c)
{
	static const u64 all = ~0ull;
	long pid, err = finished(c);

	if (!err)
		err = sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* blocked signals to PID 1 wait for the command: see caller/spawn.c */
	if (!err)
		err = sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &all, NULL, NSIG_BYTES);
	if (err)
		return (int)err;
	pid = sys(__NR_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		return await_go(report_socket);
	if (pid > 0) {
		say(REPORT_SIBLING, 0, (int)pid);
		sys(__NR_exit_group, 0);
	}
	return (int)pid;
}

/* Forks as unshare --fork does. If a signal is given, the child receives it when its parent ends. */
int op_fork(struct cursor *c)
{
	u32 signal = take_u32(c);
	int err = finished(c);

	return err ? err : stay_outside(SIGKILL, signal);
}

/*
 * Creates a time namespace, sets its offsets, and then enters it: offsets can be set only while the
 * namespace has no process.
 */
int op_offset_clocks(struct cursor *c)
{
	const char *offsets = take_string(c);
	long fd, err = finished(c);

	if (!err)
		err = sys(__NR_unshare, CLONE_NEWTIME);
	if (!err && *offsets)
		err = write_text("/proc/self/timens_offsets", offsets);
	if (err)
		return (int)err;
	fd = sys(__NR_openat, AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	err = sys(__NR_setns, fd, CLONE_NEWTIME);
	sys(__NR_close, fd);
	return (int)err;
}

/*
 * Limits the number of namespaces in this user namespace through a file of /proc/sys/user. The
 * limits of the ancestor user namespaces apply too. If /proc is read-only or the kernel lacks the
 * file, only the ancestors' limits apply.
 */
int op_limit_user_count(struct cursor *c)
{
	const char *path = take_string(c), *value = take_string(c);
	int err = finished(c);

	if (!err)
		err = write_text(path, value);
	return err == -EROFS || err == -ENOENT || err == -EACCES || err == -EPERM ? 0 : err;
}
