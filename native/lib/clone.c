/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts children on their own stack. With CLONE_VM, a child must not return through the parent's
 * stack frame. So each call is made here in assembly. The default seccomp profiles of Docker,
 * containerd and Kubernetes answer clone3 with ENOSYS, because a filter cannot read its flags.
 * hutch then calls clone(2), which does less: the child resets the signal handlers and joins its
 * cgroup itself. If a filter refuses namespaces in clone(2) but allows unshare(2), the child also
 * creates the namespaces.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "../hutch.h"

#define LAST_SIGNAL 64
#define MAKER_STACK 4096	/* bytes of stack for the process that calls unshare(2) and ends */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWCGROUP)
#define HANDLED(handler) ((uintptr_t)(handler) > 1)	/* handlers above SIG_DFL (0) and SIG_IGN (1) are functions */

long clone3_onto(struct clone_args *args, void (*fn)(void *), void *arg);
long clone_onto(u64 flags, u64 stack, int *parent_tid, u64 child_tid, void (*fn)(void *), void *arg);

#if defined(__x86_64__)
__asm__(
	".text\n.globl clone3_onto\n.hidden clone3_onto\n.type clone3_onto,@function\nclone3_onto:\n"
	"	mov %rdx, %r8\n"	/* arg */
	"	mov %rsi, %r9\n"	/* r8 holds fn: the kernel keeps r8 and r9 unchanged for the child */
	"	mov $88, %esi\n"	/* second argument of clone3: sizeof(struct clone_args), version 2 */
	"	mov $435, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	mov %r8, %rdi\n"
	"	call *%r9\n"
	"	hlt\n"
	"1:	ret\n"
	".size clone3_onto,.-clone3_onto\n"
	".globl clone_onto\n.hidden clone_onto\n.type clone_onto,@function\nclone_onto:\n"
	"	mov %rcx, %r10\n"	/* r10: child_tid; the kernel ignores r8 (tls) without CLONE_SETTLS */
	"	mov $56, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	mov %r9, %rdi\n"
	"	call *%r8\n"
	"	hlt\n"
	"1:	ret\n"
	".size clone_onto,.-clone_onto\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(
	".text\n.globl clone3_onto\n.hidden clone3_onto\n.type clone3_onto,%function\nclone3_onto:\n"
	"	mov x10, x2\n"
	"	mov x11, x1\n"
	"	mov x1, #88\n"
	"	mov x8, #435\n"
	"	svc 0\n"
	"	cbnz x0, 1f\n"
	"	mov x29, #0\n"
	"	mov x0, x10\n"
	"	blr x11\n"
	"	brk #1\n"
	"1:	ret\n"
	".size clone3_onto,.-clone3_onto\n"
	".globl clone_onto\n.hidden clone_onto\n.type clone_onto,%function\nclone_onto:\n"
	"	mov x10, x4\n"
	"	mov x11, x5\n"
	"	mov x4, x3\n"
	"	mov x3, xzr\n"
	"	mov x8, #220\n"
	"	svc 0\n"
	"	cbnz x0, 1f\n"
	"	mov x29, #0\n"
	"	mov x0, x11\n"
	"	blr x10\n"
	"	brk #1\n"
	"1:	ret\n"
	".size clone_onto,.-clone_onto\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif

_Static_assert(sizeof(struct clone_args) == 88, "clone.c passes version 2 of clone_args");

static u32 last_failed;

void note_failed_call(long number, long result)
{
	__atomic_store_n(&last_failed, (u32)number << 12 | (u32)-result, __ATOMIC_RELAXED);
}

long noted_call6(long a, long b, long c, long d, long e, long n, long f)
{
	return noted(n, refused_on_purpose(n) ?: sys6(n, a, b, c, d, e, f));
}

long noted_call(long a, long b, long c, long d, long e, long n)
{
	return noted_call6(a, b, c, d, e, n, 0);
}

/* Returns the number of the last system call that failed, if it failed with this errno, otherwise 0. */
u32 failed_call(long err)
{
	u32 last = __atomic_load_n(&last_failed, __ATOMIC_RELAXED);

	return (last & 0xfff) == (u32)(err < 0 ? -err : err) % STEP_PART ? last >> 12 : 0;
}

/* Holds what the child must do itself after clone(2). It lives in the memory of the parent, which waits. */
struct older_child {
	void (*fn)(void *);
	void *arg;
	u64 namespaces;	/* flags of the namespaces to create after the child has joined its cgroup */
	u64 mask;	/* signal mask to restore after the signal handlers are reset */
	u64 stack;	/* stack of the first process in a new pid namespace */
	int procs_fd;	/* descriptor of the cgroup.procs of the child's group, or -1 */
	int resets;
	int first;	/* pid of the first process in the new pid namespace */
	int err;
};

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
	struct older_child *child = arg;
	long err = child->resets ? sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &child->mask, NULL, NSIG_BYTES) : 0;

	if (err >= 0)
		child->fn(child->arg);
	child->err = (int)err;
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

static void older_main(void *arg)
{
	struct older_child *child = arg;
	long err = 0;

	if (child->resets)
		reset_handlers();
	if (child->procs_fd >= 0)
		err = sys(__NR_write, child->procs_fd, "0", 1);
	/* must come after joining the group: a new cgroup namespace has the current group as its root */
	if (err >= 0 && child->namespaces)
		err = sys(__NR_unshare, child->namespaces);
	if (err >= 0 && !(child->namespaces & CLONE_NEWPID))
		older_begin(child);
	/*
	 * unshare(2) puts only the next child into the new pid namespace. CLONE_PARENT makes the
	 * parent of this process the parent of that child.
	 */
	if (err >= 0)
		err = noted(__NR_clone, clone_onto(CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, child->stack, NULL, 0,
						   older_begin, child));
	if (err >= 0)
		child->first = (int)err;
	else
		child->err = (int)err;
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

static void drop_child(long pid, const struct clone_args *args)
{
	sys(__NR_wait4, pid, NULL, K_WALL, NULL);
	if (args->flags & CLONE_PIDFD)
		sys(__NR_close, *(int *)(uintptr_t)args->pidfd);
}

/*
 * Stores the first process of the new pid namespace as the child. The process that created the
 * namespaces has ended. Only hutch reaps the first process, so its pid cannot be reused.
 */
static long take_first(long pid, long maker, const struct clone_args *args)
{
	long fd = 0;

	drop_child(maker, args);
	if (args->flags & CLONE_PIDFD) {
		fd = sys(__NR_pidfd_open, pid, 0);
		*(int *)(uintptr_t)args->pidfd = (int)fd;
	}
	if (fd >= 0)
		return pid;
	sys(__NR_kill, pid, SIGKILL);
	sys(__NR_wait4, pid, NULL, K_WALL, NULL);
	return fd;
}

static long clone_older(const struct clone_args *args, u64 unshared, void (*fn)(void *), void *arg)
{
	struct older_child child = {
		.fn = fn,
		.arg = arg,
		.namespaces = unshared | (args->flags & CLONE_INTO_CGROUP ? args->flags & CLONE_NEWCGROUP : 0),
		.stack = args->stack + args->stack_size - MAKER_STACK,
		.procs_fd = -1,
		.resets = (args->flags & CLONE_CLEAR_SIGHAND) != 0,
	};
	u64 all = ~0ull, stack = args->stack + args->stack_size;
	u64 flags = (args->flags & ~(CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | child.namespaces)) | args->exit_signal;
	long err = 0;
	int begins;

	if (args->flags & CLONE_NEWTIME)	/* clone(2) takes this bit as part of the exit signal */
		return -EINVAL;
	/*
	 * the parent opens cgroup.procs: the kernel checks the rights of the opener, and a child in
	 * a new user namespace has too few rights
	 */
	if (args->flags & CLONE_INTO_CGROUP)
		err = child.procs_fd = (int)sys(__NR_openat, args->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (err >= 0 && child.resets)
		err = sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &child.mask, NSIG_BYTES);
	if (err >= 0) {
		begins = child.procs_fd >= 0 || child.resets || child.namespaces;
		err = noted(__NR_clone, refused_on_purpose(__NR_clone) ?:
			    clone_onto(flags, stack, (int *)(uintptr_t)args->pidfd, args->child_tid,
				       begins ? older_main : fn, begins ? (void *)&child : arg));
		if (child.resets)
			sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &child.mask, NULL, NSIG_BYTES);
	}
	if (child.procs_fd >= 0)
		sys(__NR_close, child.procs_fd);
	if (err > 0 && child.err) {
		drop_child(child.first ? child.first : err, args);
		if (child.first)
			sys(__NR_wait4, err, NULL, K_WALL, NULL);
		return child.err;
	}
	return err > 0 && child.first ? take_first(child.first, err, args) : err;
}

/* The kind of call that can create a child on this machine. It is determined once. */
enum way { BY_CLONE3, BY_CLONE, BY_UNSHARE };

static long clone_by(enum way way, struct clone_args *args, void (*fn)(void *), void *arg)
{
	if (way == BY_CLONE3)
		return noted(__NR_clone3, refused_on_purpose(__NR_clone3) ?: clone3_onto(args, fn, arg));
	return clone_older(args, way == BY_UNSHARE ? args->flags & NAMESPACES : 0, fn, arg);
}

/*
 * Starts a child by clone3, clone(2) or unshare(2). EPERM from clone3 may come from the kernel and
 * not from a filter. In this case clone(2) also fails with EPERM, and clone3 stays the first
 * choice. The returned error is that of clone(2) with namespaces.
 */
long sys_clone(struct clone_args *args, void (*fn)(void *), void *arg)
{
	static enum way known;
	enum way way = __atomic_load_n(&known, __ATOMIC_RELAXED);
	long pid = clone_by(way, args, fn, arg), again;

	if (way == BY_CLONE3 && CALL_REFUSED(pid)) {
		way = BY_CLONE;
		pid = clone_by(way, args, fn, arg);
	}
	if (way == BY_CLONE && CALL_REFUSED(pid) && args->flags & NAMESPACES) {
		again = clone_by(BY_UNSHARE, args, fn, arg);
		if (again < 0)
			note_failed_call(__NR_clone, pid);
		else
			way = BY_UNSHARE, pid = again;
	}
	if (pid > 0)
		__atomic_store_n(&known, way, __ATOMIC_RELAXED);
	return pid;
}
