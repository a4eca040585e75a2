/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts hutch-init by one clone3. CLONE_VM and CLONE_VFORK let the child share the caller's
 * memory, while the caller's thread waits until the exec. No page table is copied. The child makes
 * only system calls. start-child.c has the older ways.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "../hutch.h"

#define DIGITS 12

/* Returns true if the number is that of one of hutch's own descriptors, so the caller cannot have meant it. */
static int is_own(const struct spawned *c, u32 number)
{
	return number == (u32)c->init_fd || number == (u32)c->report_fd || number == (u32)c->program_fd ||
	       number == (u32)c->parent_fd || number == (u32)c->socket;
}

/*
 * Places the standard streams and hutch's descriptors in the child's copy of the descriptor table.
 * Only descriptors numbered 0 to 2 are moved. So a low `ulimit -n` is enough, and no descriptor
 * kept for the command is overwritten. close_range marks all other descriptors as close-on-exec,
 * including those opened by libraries.
 */
static long place_descriptors(struct spawned *c)
{
	int from[MAX_STREAMS], count = (int)c->files->stream_count;
	int *own[3] = { &c->init_fd, &c->report_fd, &c->program_fd };
	long fd = 0, null = -1;

	for (int i = 0; fd >= 0 && i < count; i++) {
		from[i] = c->files->streams[i];
		fd = from[i] >= 0 && is_own(c, (u32)from[i]) ? -EBADF : 0;
	}
	for (int i = 0; fd >= 0 && i < 3; i++) {
		if (*own[i] < 0)
			continue;
		fd = lift(*own[i], count);
		*own[i] = (int)fd;
	}
	for (int i = 0; fd >= 0 && i < count; i++) {
		if (from[i] < 0 && i >= STANDARD_STREAMS)
			continue;
		if (from[i] < 0 && null < 0)
			fd = null = lift((int)sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC), count);
		else if (from[i] >= 0 && from[i] != i)
			fd = lift(from[i], count);
		if (fd >= 0 && from[i] != i)
			from[i] = (int)(from[i] < 0 ? null : fd);
	}
	if (fd >= 0)
		fd = close_on_exec_from(STANDARD_STREAMS);
	for (u32 i = 0; fd >= 0 && i < c->keep.count; i++)
		fd = is_own(c, c->keep.first[i]) ? -EBADF : sys(__NR_fcntl, c->keep.first[i], F_SETFD, 0);
	for (int i = 0; fd >= 0 && i < count; i++)
		if (from[i] >= 0)
			fd = from[i] == i ? sys(__NR_fcntl, i, F_SETFD, 0) : sys(__NR_dup3, from[i], i, 0);
	return fd;
}

/* Places the streams, and enters the session. `socket`: the socket of start-child.c. */
long enter_streams(struct spawned *c, int socket)
{
	long err;

	c->socket = socket;
	err = place_descriptors(c);
	return err < 0 ? err : terminal_enter(c->terminal, c->session);
}

static const char *decimal(char *room, int number)
{
	char *at = room + DIGITS - 1;

	*at = 0;
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	return at;
}

static int child_main(void *arg, int socket)
{
	static const char *const env[] = { NULL };
	static const u64 all = ~0ull;
	struct spawned *c = arg;
	char report[DIGITS], program[DIGITS], streams[DIGITS];
	const char *argv[] = { "hutch-init", NULL, NULL, NULL, NULL };
	long err;

	err = enter_streams(c, socket);
	argv[1] = decimal(report, c->report_fd);
	argv[2] = decimal(program, c->program_fd);
	argv[3] = decimal(streams, (int)c->files->stream_count);
	if (err >= 0)
		err = sys(__NR_fcntl, c->report_fd, F_SETFD, 0);
	if (err >= 0)
		err = sys(__NR_fcntl, c->program_fd, F_SETFD, 0);
	if (err >= 0 && c->kept)
		err = raise_to_ambient(c->kept);
	/*
	 * the kernel discards a signal to PID 1 that has no handler, unless it is blocked: blocked
	 * signals wait for the command
	 */
	if (err >= 0 && c->first)
		err = sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, NSIG_BYTES);
	if (err >= 0)
		err = exec_descriptor(c->init_fd, argv, env);
	return (int)err;
}

#define BIT(capability) (1ull << (capability))

/* Capabilities that no op of hutch-init uses in a new user namespace. */
static const u64 unused = BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_BROADCAST) | BIT(CAP_NET_RAW) |
			  BIT(CAP_IPC_LOCK) | BIT(CAP_IPC_OWNER) | BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) |
			  BIT(CAP_SYS_PACCT) | BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_TTY_CONFIG) | BIT(CAP_LEASE) |
			  BIT(CAP_AUDIT_WRITE) | BIT(CAP_AUDIT_CONTROL) | BIT(CAP_AUDIT_READ) | BIT(CAP_MAC_OVERRIDE) |
			  BIT(CAP_MAC_ADMIN) | BIT(CAP_SYSLOG) | BIT(CAP_WAKE_ALARM) | BIT(CAP_BLOCK_SUSPEND) |
			  BIT(CAP_PERFMON) | BIT(CAP_BPF) | BIT(CAP_CHECKPOINT_RESTORE);

/*
 * Returns the capabilities that hutch-init needs in a new user namespace: those of its ops and those of the command. Keeping one through
 * an exec takes a call. Returns all if no op sets those of the command.
 */
static u64 needed_capabilities(const struct launch_files *files)
{
	struct cursor outer, inner, payload;
	u64 needed = 0;
	int code;

	if (open_program(files->program, files->program_size, &outer, &inner))
		return ~0ull;
	while ((code = take_op(&inner, &payload)) > 0)
		if (code == OP_setCapabilities)
			needed |= ~unused | take_u64(&payload) | take_u64(&payload) | take_u64(&payload) | take_u64(&payload);
	return needed ? needed : ~0ull;
}

#define MAX_PROCESSORS 8192
#define WORD_BITS (8 * sizeof(u64))

struct processors {
	u64 words[MAX_PROCESSORS / WORD_BITS];
};

/*
 * Moves this thread to the processors that its next child will inherit. `before` receives the current
 * ones. Returns 1 if they must be restored.
 */
static long move_thread(const struct numbers *to, struct processors *before)
{
	struct processors set = { { 0 } };
	long got;

	if (!to->count)
		return 0;
	got = sys(__NR_sched_getaffinity, 0, sizeof *before, before);
	if (got < 0)
		return got;
	memset((u8 *)before + got, 0, sizeof *before - (size_t)got);
	for (u32 i = 0; i < to->count; i++) {
		if (to->first[i] >= MAX_PROCESSORS)
			return -EINVAL;
		set.words[to->first[i] / WORD_BITS] |= 1ull << to->first[i] % WORD_BITS;
	}
	got = sys(__NR_sched_setaffinity, 0, sizeof set, &set);
	return got < 0 ? got : 1;
}

int op_spawn_on(struct outer *o, struct cursor *c)
{
	o->processors = take_numbers(c);
	return finished(c);
}

int spawn_init(struct outer *o, const struct launch_files *files, u64 flags, const char *group)
{
	struct processors before;
	long moved;
	u8 stack[16384] __attribute__((aligned(16)));
	struct clone_args args = {
		.flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.stack = (u64)(uintptr_t)stack,
		.stack_size = sizeof stack,
		.pidfd = (u64)(uintptr_t)&o->pidfd,
	};
	struct spawned child = {
		.files = files,
		.init_fd = files->init_fd,
		.report_fd = -1,
		.program_fd = -1,
		.parent_fd = -1,
		.keep = o->keep,
		.kept = flags & CLONE_NEWUSER ? needed_capabilities(files) : 0,
		.first = (flags & CLONE_NEWPID) != 0,
		.terminal = &o->terminal,
		.session = o->session,
	};
	int pair[2] = { -1, -1 }, group_fd = -1;
	long err = 0;

	terminal_open(&o->terminal, o->session, files->streams);
	if (*group) {
		err = sys(__NR_openat, AT_FDCWD, group, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (err < 0)
			return (int)err;
		group_fd = (int)err;
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (u64)group_fd;
	}
	moved = move_thread(&o->processors, &before);
	err = moved > 0 ? 0 : moved;
	if (!err && !flags)
		err = spawn_direct(&args, &child, files);
	if (!err)
		err = child.program_fd = program_file(files->program, files->program_size);
	if (child.program_fd >= 0) {
		err = sys(__NR_socketpair, K_AF_UNIX, K_SOCK_SEQPACKET | K_SOCK_CLOEXEC, 0, pair);
		child.report_fd = pair[1];
		child.parent_fd = pair[0];
		if (!err)
			err = start_child(&args, child_main, &child, (int)files->stream_count);
		sys(__NR_close, child.program_fd);
	}
	if (moved > 0)
		sys(__NR_sched_setaffinity, 0, sizeof before, &before);
	if (group_fd >= 0)
		sys(__NR_close, group_fd);
	if (pair[1] >= 0)
		sys(__NR_close, pair[1]);
	if (err > 0) {
		o->pid = (int)err;
		o->report_fd = pair[0];
		o->cloned = flags;
		o->started = 1;
		return 0;
	}
	if (pair[0] >= 0)
		sys(__NR_close, pair[0]);
	return (int)err;
}

int op_keep_descriptors(struct outer *o, struct cursor *c)
{
	o->keep = take_numbers(c);
	return finished(c);
}

static int tool_main(void *arg, int socket)
{
	static const char *const env[] = { NULL };
	const char *const *argv = arg;
	long null = sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		sys(__NR_dup3, null, fd, 0);
	close_on_exec_from(3);
	(void)socket;
	if (null >= 0)
		sys(__NR_execve, argv[0], argv, env);
	sys(__NR_exit_group, 127);
	__builtin_unreachable();
}

/*
 * Runs a program by its path until it ends, with an empty environment and no open descriptors.
 * Returns its wait status, or -errno.
 */
int run_tool(const char *const *argv)
{
	u8 stack[16384] __attribute__((aligned(16)));
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
		.stack = (u64)(uintptr_t)stack,
		.stack_size = sizeof stack,
	};
	long pid = start_child(&args, tool_main, (void *)(uintptr_t)argv, STANDARD_STREAMS), got;
	int status = 0;

	if (pid < 0)
		return (int)pid;
	/* no exit signal: other code of this process that waits for any child cannot reap this one */
	do
		got = sys(__NR_wait4, pid, &status, __WALL, NULL);
	while (got == -EINTR);
	return got < 0 ? (int)got : status;
}
