/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a child of hutch, by clone3 or by older calls where clone3 is refused.
 * The default seccomp profiles of Docker, containerd and Kubernetes answer clone3 with ENOSYS,
 * because a filter cannot read its flags. clone(2) then does the same in more steps: the child
 * resets the signal handlers and joins its cgroup itself. If clone(2) is refused with namespaces,
 * the child creates them by unshare(2). If processes cannot share memory, as in an emulator of user
 * programs (qemu-user), a plain fork replaces clone(2).
 * Older ways assume nothing about memory: the child reports through a socket, which its exec closes.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#include "../hutch.h"

#define LAST_SIGNAL 64
#define MAKER_STACK 4096	/* bytes of stack for the process that calls unshare(2) and ends */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWCGROUP)
#define HANDLED(handler) ((uintptr_t)(handler) > 1)	/* handlers above SIG_DFL (0) and SIG_IGN (1) are functions */

/* The ways to start a child, each tried where the previous one is refused. */
enum way { BY_CLONE3, BY_CLONE, BY_UNSHARE, BY_FORK, WAYS };

struct child {
	int (*fn)(void *arg, int socket);
	void *arg;
	int err;	/* of fn, by clone3 alone */
	/* the rest is for older ways */
	enum way way;
	u64 namespaces;	/* flags of the namespaces to create after the child has joined its cgroup */
	u64 mask;	/* signal mask to restore after the signal handlers are reset */
	u64 stack;	/* stack of the first process in a new pid namespace */
	int procs_fd;	/* descriptor of the cgroup.procs of the child's group, or -1 */
	int resets;
	int socket, parent_socket;
	int first_free;	/* the child places descriptors below this number, so the socket is above */
};

/* A message of the child: the pid of the first process in its new pid namespace, or the error that ended the child. */
struct message {
	int first;
	int err;
	int ran;	/* the error is that of fn */
};

/*
 * Duplicates a descriptor with the number of a stream to a higher number. hutch's own descriptors
 * get such numbers if the caller has closed its standard streams, or passes on more streams.
 */
long lift(int fd, int first_free)
{
	return fd < 0 || fd >= first_free ? fd : sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, first_free);
}

static void newest_main(void *arg)
{
	struct child *child = arg;

	child->err = child->fn(child->arg, -1);
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

static void end_child(const struct child *child, struct message message)
{
	transmit(child->socket, &message, sizeof message, K_MSG_NOSIGNAL);
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

/*
 * Resets the signal handlers inherited from the parent, which must not run in the shared memory.
 * Ignored signals stay ignored, as with CLONE_CLEAR_SIGHAND.
 */
static void reset_handlers(void)
{
	struct kernel_sigaction found, by_default = { 0 };

	for (int sig = 1; sig <= LAST_SIGNAL; sig++)
		if (sys(__NR_rt_sigaction, sig, NULL, &found, NSIG_BYTES) == 0 && HANDLED(found.handler))
			sys(__NR_rt_sigaction, sig, &by_default, NULL, NSIG_BYTES);
}

static void older_begin(void *arg)
{
	struct child *child = arg;

	if (child->resets)
		sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &child->mask, NULL, NSIG_BYTES);
	end_child(child, (struct message){ .err = child->fn(child->arg, child->socket), .ran = 1 });
}

/*
 * Starts the first process of the new pid namespace: unshare(2) puts only the next child into it.
 * CLONE_PARENT makes
 * the parent of this process the parent of that child.
 */
static long clone_first(struct child *child)
{
	return noted(__NR_clone, clone_onto(CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, child->stack, NULL, 0,
					    older_begin, child));
}

static void older_main(void *arg)
{
	struct child *child = arg;
	long err = 0;

	sys(__NR_close, child->parent_socket);
	if (child->resets)
		reset_handlers();
	if (child->procs_fd >= 0)
		err = sys(__NR_write, child->procs_fd, "0", 1);
	/* must come after joining the group: a new cgroup namespace has the current group as its root */
	if (err >= 0 && child->namespaces)
		err = sys(__NR_unshare, child->namespaces);
	if (err >= 0 && !(child->namespaces & CLONE_NEWPID))
		older_begin(child);
	if (err >= 0)
		err = clone_first(child);
	end_child(child, err < 0 ? (struct message){ .err = (int)err } : (struct message){ .first = (int)err });
}

/* Reaps a child that has ended or will end. */
static void drop_child(long pid, const struct clone_args *args)
{
	int *pidfd = (int *)(uintptr_t)args->pidfd;

	while (sys(__NR_wait4, pid, NULL, K_WALL, NULL) == -EINTR)
		;
	if (args->flags & CLONE_PIDFD && *pidfd >= 0)
		sys(__NR_close, *pidfd);
	if (args->flags & CLONE_PIDFD)
		*pidfd = -1;
}

/* Opens the pidfd of a child that has none yet. Only hutch reaps the child, so its pid cannot be reused before. */
static long open_pidfd(long pid, const struct clone_args *args)
{
	int *pidfd = (int *)(uintptr_t)args->pidfd;

	if (!(args->flags & CLONE_PIDFD) || *pidfd >= 0)
		return pid;
	*pidfd = (int)sys(__NR_pidfd_open, pid, 0);
	if (*pidfd >= 0)
		return pid;
	sys(__NR_kill, pid, SIGKILL);
	sys(__NR_wait4, pid, NULL, K_WALL, NULL);
	return *pidfd;
}

/*
 * Waits until the child has executed its program or failed. The first process of a pid namespace
 * replaces the process that created it, which has ended then. Returns the pid, or an error with
 * nothing left behind.
 */
static long await_begin(const struct child *child, long pid, const struct clone_args *args, int *ran)
{
	struct message message;
	long err = 0, got;

	while ((got = receive(child->parent_socket, &message, sizeof message, 0)) != 0) {
		if (got == -EINTR)
			continue;
		if (got != sizeof message)
			break;
		err = message.err ?: err;
		*ran |= message.ran;
		if (!message.first)
			continue;
		drop_child(pid, args);
		pid = message.first;
	}
	if (!err)
		return open_pidfd(pid, args);
	drop_child(pid, args);
	return err;
}

/* Opens the child's socket, and cgroup.procs of its group. */
static long open_files(struct child *child, const struct clone_args *args)
{
	int pair[2];
	long err = sys(__NR_socketpair, K_AF_UNIX, K_SOCK_SEQPACKET | K_SOCK_CLOEXEC, 0, pair);

	child->socket = child->parent_socket = child->procs_fd = -1;
	if (err < 0)
		return err;
	child->parent_socket = pair[0];
	err = child->socket = (int)lift(pair[1], child->first_free);
	if (err != pair[1])
		sys(__NR_close, pair[1]);
	/*
	 * the parent opens cgroup.procs: the kernel checks the rights of the opener, and a child in
	 * a new user namespace has too few rights
	 */
	if (err >= 0 && args->flags & CLONE_INTO_CGROUP)
		err = child->procs_fd = (int)sys(__NR_openat, args->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return err;
}

/*
 * Forks into a new pid namespace. unshare(2) changes the namespace of this thread's next children,
 * and setns(2) changes it back. setns is tried first: it needs rights over the namespace that the
 * machine's root gave, which root of an own user namespace lacks.
 */
static long fork_first(struct child *child, u64 stack)
{
	long own = sys(__NR_openat, AT_FDCWD, "/proc/self/ns/pid", O_RDONLY | O_CLOEXEC), pid;

	if (own < 0)
		return own;
	pid = sys(__NR_setns, own, CLONE_NEWPID);
	if (pid == 0)
		pid = sys(__NR_unshare, CLONE_NEWPID);
	if (pid == 0) {
		pid = noted(__NR_clone, clone_onto(SIGCHLD, stack, NULL, 0, older_main, child));
		sys(__NR_setns, own, CLONE_NEWPID);
	}
	sys(__NR_close, own);
	return pid;
}

static long clone_by(struct child *child, const struct clone_args *args)
{
	u64 stack = args->stack + args->stack_size;
	u64 flags = (args->flags & ~(CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | child->namespaces)) | args->exit_signal;

	if (child->way != BY_FORK)
		return noted(__NR_clone, refused_on_purpose(__NR_clone) ?:
			     clone_onto(flags, stack, (int *)(uintptr_t)args->pidfd, 0, older_main, child));
	/* with a user namespace, the pid namespace must belong to it */
	if ((child->namespaces & (CLONE_NEWPID | CLONE_NEWUSER)) != CLONE_NEWPID)
		return noted(__NR_clone, clone_onto(SIGCHLD, stack, NULL, 0, older_main, child));
	child->namespaces &= ~(u64)CLONE_NEWPID;
	return fork_first(child, stack);
}

static void close_open(int fd)
{
	if (fd >= 0)
		sys(__NR_close, fd);
}

static long clone_older(struct child *child, const struct clone_args *args, int *ran)
{
	static const u64 all = ~0ull;
	long pid = open_files(child, args);

	if (args->flags & CLONE_PIDFD)
		*(int *)(uintptr_t)args->pidfd = -1;
	if (pid >= 0 && child->resets)
		pid = sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &all, &child->mask, NSIG_BYTES);
	if (pid >= 0) {
		pid = clone_by(child, args);
		if (child->resets)
			sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &child->mask, NULL, NSIG_BYTES);
	}
	close_open(child->procs_fd);
	close_open(child->socket);
	if (pid > 0)
		pid = await_begin(child, pid, args, ran);
	close_open(child->parent_socket);
	return pid;
}

/* Tries one way. *ran: the error is that of fn. */
static long start_by(enum way way, struct clone_args *args, int (*fn)(void *, int), void *arg, int first_free, int *ran)
{
	struct child child = { .fn = fn, .arg = arg, .way = way, .first_free = first_free };
	long pid;

	if (way != BY_CLONE3) {
		if (args->flags & CLONE_NEWTIME)	/* clone(2) takes this bit as part of the exit signal */
			return -EINVAL;
		child.namespaces = args->flags & (way != BY_CLONE ? NAMESPACES
						  : args->flags & CLONE_INTO_CGROUP ? CLONE_NEWCGROUP : 0);
		child.stack = args->stack + args->stack_size - MAKER_STACK;
		child.resets = (args->flags & CLONE_CLEAR_SIGHAND) != 0;
		return clone_older(&child, args, ran);
	}
	pid = noted(__NR_clone3, refused_on_purpose(__NR_clone3) ?: clone3_onto(args, newest_main, &child));
	if (pid < 0 || !child.err)
		return pid;
	drop_child(pid, args);
	*ran = 1;
	return child.err;
}

/*
 * True if an older way is worth trying. EPERM may be the kernel's own answer; then older ways fail,
 * too. EINVAL and E2BIG: the kernel lacks one of the flags, or a part of struct clone_args.
 */
static int try_older(long err)
{
	return CALL_REFUSED(err) || (CALL_REFUSED(-ENOSYS) && (err == -EINVAL || err == -E2BIG));
}

/*
 * Starts a child that runs fn(arg, socket) on the stack in args. fn returns an error, or never. It
 * must keep `socket` until its exec: a descriptor with a number of at least `first_free`, or -1.
 * Returns the pid once the child has executed its program, or an error with nothing left behind.
 * Without a way, the error is that of clone(2) with the namespaces.
 */
long start_child(struct clone_args *args, int (*fn)(void *, int), void *arg, int first_free)
{
	static enum way known;	/* what works here */
	enum way way = __atomic_load_n(&known, __ATOMIC_RELAXED);
	int ran = 0;
	long pid = start_by(way, args, fn, arg, first_free, &ran), err = pid;

	while (pid < 0 && !ran && try_older(pid) && ++way < WAYS) {
		if (way == BY_UNSHARE && !(args->flags & NAMESPACES))
			way = BY_FORK;
		pid = start_by(way, args, fn, arg, first_free, &ran);
		if (way == BY_CLONE)
			err = pid;
	}
	if (pid > 0)
		__atomic_store_n(&known, way, __ATOMIC_RELAXED);
	if (pid > 0 || ran)
		return pid;
	note_failed_call(__NR_clone, err);
	return err;
}
