/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the last inner op: hutch-init becomes the command, or starts the command and stays as PID 1. */
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>

#include "../hutch.h"
#include "../lib/message.h"

#define MAX_FILTERS 32

static struct sock_fprog filters[MAX_FILTERS];
static u32 filter_flags[MAX_FILTERS];
static u32 filter_count;
static const char *program_name;

/*
 * Stores the filter. The process that becomes the command installs it right before the exec: the
 * filter may forbid calls that hutch-init still needs.
 */
int op_install_filter(struct cursor *c)
{
	struct numbers filter = take_numbers(c);
	u32 flags = take_u32(c);
	int err = finished(c);

	if (err || filter.count % 2)
		return -EPROTO;
	if (filter.count / 2 > 0xffff || filter_count == MAX_FILTERS)
		return -E2BIG;
	filter_flags[filter_count] = flags;
	/* struct sock_filter has the size of two such numbers and the same alignment */
	filters[filter_count++] = (struct sock_fprog){
		(unsigned short)(filter.count / 2), (struct sock_filter *)(uintptr_t)filter.first
	};
	return 0;
}

/*
 * Installs the filters. The kernel runs the last filter first. So every filter except the last must
 * allow the prctl that installs the next one.
 */
static int install_filters(void)
{
	long err = 0;

	for (u32 i = 0; !err && i < filter_count; i++)
		err = filter_flags[i] ? sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags[i], &filters[i])
				      : sys(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filters[i], 0, 0);
	if (!err)
		err = install_supervised();
	return in_part(PART_FILTER, err);
}

/* Sets the argv[0] of the command, which may differ from the path of its program. */
int op_name_program(struct cursor *c)
{
	const char *name = take_string(c);
	int err = finished(c);

	if (!err)
		program_name = name;
	return err;
}

/*
 * Executes a program as execvp(3) does: tries every directory of the search path. After EACCES it
 * continues, because a later directory may have the program, and returns EACCES only if none does.
 */
static int search_and_exec(const char *file, const char *const *argv, const char *const *env, const char *search)
{
	char path[4096];
	const char *all = search, *refused_in = NULL;
	int refused = -ENOENT;

	for (const char *s = file; *s; s++)
		if (*s == '/') {
			refused = (int)sys(__NR_execve, file, argv, env);
			note_failed_program(file, search, NULL);
			return refused;
		}
	for (;;) {
		size_t length = 0, name = text_length(file);
		long err;

		while (search[length] && search[length] != ':')
			length++;
		if (length + name + 2 <= sizeof path) {
			memcpy(path, search, length);
			path[length] = '/';
			memcpy(path + length + (length > 0), file, name + 1);
			err = sys(__NR_execve, path, argv, env);
			if (err != -ENOENT && err != -ENOTDIR && (err != -EACCES || !refused_in))
				refused_in = search;
			if (err == -EACCES)
				refused = -EACCES;
			else if (err != -ENOENT && err != -ENOTDIR)
				refused = (int)err, length = text_length(search);
		}
		if (!search[length]) {
			note_failed_program(file, all, refused_in);
			return refused;
		}
		search += length + 1;
	}
}

struct command {
	const char *file;
	const char *const *argv, *const *env;
	const char *search;
	int err;
	/*
	 * true if the end of this child's parent does not end its pid namespace, so that the child
	 * needs a parent-death signal
	 */
	int ends_with_parent;
	/*
	 * held: nonzero until PID 1 has its own filter; begins: nonzero until the command has
	 * begun, or has failed to begin
	 */
	u32 held, begins;
};

/* Waits while *word is nonzero. After a spurious wake-up, the word is checked again. */
static void wait_while(u32 *word)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE))
		sys6(__NR_futex, (long)word, FUTEX_WAIT, 1, 0, 0, 0);
}

static void release(u32 *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	sys6(__NR_futex, (long)word, FUTEX_WAKE, 1, 0, 0, 0);
}

static long unblock_all(void)
{
	u64 none = 0;

	return sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, NULL, NSIG_BYTES);
}

/* Becomes the command. Returns only on failure. */
static int become_command(const struct command *command)
{
	int err = in_part(PART_PROCESS, unblock_all());

	if (!err && command->ends_with_parent)
		err = in_part(PART_PROCESS, end_with_parent(SIGKILL));
	if (!err)
		err = install_filters();
	return err ? err : search_and_exec(command->file, command->argv, command->env, command->search);
}

static void command_main(void *arg)
{
	struct command *command = arg;

	wait_while(&command->held);
	if (!command->err)
		command->err = become_command(command);
	/*
	 * store the error first: a filter may end this process while it inspects the program that
	 * could not be executed
	 */
	look_at_failed_program();
	sys(__NR_exit_group, 127);
	__builtin_unreachable();
}

/*
 * Starts the command as a plain fork, where processes cannot share memory. The child reports its own
 * failure, and waits for a byte instead of the word `held`: PID 1's own filter allows sendto.
 */
static int fork_command(const struct command *command, int confined, u64 early)
{
	int pair[2], err = 0;
	char go;
	long pid = sys(__NR_socketpair, K_AF_UNIX, K_SOCK_SEQPACKET | K_SOCK_CLOEXEC, 0, pair);

	if (pid == 0)
		pid = plain_fork();
	if (pid < 0)
		return in_part(PART_PROCESS, pid);
	if (pid == 0) {
		sys(__NR_close, pair[0]);
		return receive(pair[1], &go, 1, 0) == 1 ? become_command(command) : -EOWNERDEAD;
	}
	sys(__NR_close, pair[1]);
	if (confined)
		err = in_part(PART_FILTER, confine_reaper());
	if (err)
		return err;
	transmit(pair[0], "", 1, K_MSG_NOSIGNAL);
	return reap((int)pid, early);
}

/*
 * Starts the command as a child. hutch-init stays as PID 1, or to adopt orphans. Signals are
 * blocked first, so that none is lost. If PID 1 gets its own filter, the command must not inherit
 * that filter, and must not run before PID 1 has it. The child therefore waits.
 * CLONE_CHILD_CLEARTID shows when the child has executed the command. Without a filter, clone3 uses
 * CLONE_VFORK for this. clone(2) never uses CLONE_VFORK, for which qemu-user silently forks. It
 * refuses CLONE_CHILD_CLEARTID, so the plain fork follows.
 */
static int spawn_command(struct command *command)
{
	u8 stack[16384] __attribute__((aligned(16)));
	u32 confined = filter_count || is_supervised();
	struct clone_args args = {
		.flags = CLONE_VM | (confined ? CLONE_CHILD_CLEARTID : CLONE_VFORK),
		.exit_signal = SIGCHLD,
		.stack = (u64)(uintptr_t)stack,
		.stack_size = sizeof stack,
		.child_tid = (u64)(uintptr_t)&command->begins,
	};
	u64 all = ~0ull, early;
	long pid, err;

	err = sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, NSIG_BYTES);
	if (!err)
		err = sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (err)
		return in_part(PART_PROCESS, err);
	sys(__NR_prctl, PR_SET_NAME, "hutch-init", 0, 0, 0);
	err = begin_reaping(&early);
	if (!err && sys(__NR_getpid) != 1)
		err = sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (err)
		return in_part(PART_PROCESS, err);
	command->held = command->begins = confined;
	command->ends_with_parent = dies_with_parent && sys(__NR_getpid) != 1;
	pid = noted(__NR_clone3, refused_on_purpose(__NR_clone3) ?: clone3_onto(&args, command_main, command));
	if (CALL_REFUSED(pid)) {
		command->begins = 1;
		pid = noted(__NR_clone, refused_on_purpose(__NR_clone) ?:
			    clone_onto(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, args.stack + args.stack_size, NULL,
				       args.child_tid, command_main, command));
	}
	if (pid == -EINVAL)
		return fork_command(command, confined, early);
	if (pid < 0)
		return in_part(PART_PROCESS, pid);
	if (confined) {
		command->err = in_part(PART_FILTER, confine_reaper());
		release(&command->held);
	}
	wait_while(&command->begins);
	/* atomic: the child writes it, which the compiler cannot see */
	err = __atomic_load_n(&command->err, __ATOMIC_ACQUIRE);
	return err ? (int)err : reap((int)pid, early);
}

/*
 * Prepares the arguments of execve. Resets SIGPIPE and SIGXFSZ, which Node ignores: an ignored
 * signal stays ignored over an exec.
 */
static int prepare(struct command *command, const struct strings *argv, const struct strings *env)
{
	struct kernel_sigaction by_default = { 0 };
	const char **pointers, *directory = chosen_directory();
	u32 at = 0;

	if (argv->count == 0)
		return -EPROTO;
	pointers = (const char **)sys(__NR_mmap, NULL, ((size_t)argv->count + env->count + 3) * sizeof *pointers,
				      K_PROT_READ | K_PROT_WRITE, K_MAP_PRIVATE | K_MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)pointers > -4096ul)
		return in_part(PART_PROCESS, (long)pointers);
	fill_pointers(pointers, argv);
	fill_pointers(pointers + argv->count + 1, env);
	command->file = pointers[0];
	command->argv = pointers;
	command->env = pointers + argv->count + 1;
	if (program_name)
		pointers[0] = program_name;
	if (directory) {
		pointers += argv->count + 1;
		while (pointers[at] && (pointers[at][0] != 'P' || pointers[at][1] != 'W' || pointers[at][2] != 'D' ||
					pointers[at][3] != '='))
			at++;
		if (at == env->count)
			pointers[at + 1] = NULL;
		pointers[at] = directory;
	}
	sys(__NR_rt_sigaction, SIGPIPE, &by_default, NULL, NSIG_BYTES);
	sys(__NR_rt_sigaction, 25 /* SIGXFSZ */, &by_default, NULL, NSIG_BYTES);
	return 0;
}

int op_exec(struct cursor *c)
{
	struct strings argv = take_strings(c), env = take_strings(c);
	struct command command = { .search = take_string(c) };
	u32 stays = take_u32(c);
	int err = finished(c);

	if (!err)
		err = prepare(&command, &argv, &env);
	if (err)
		return err;
	return stays ? spawn_command(&command) : become_command(&command);
}

/* Executes a program whose first argument is not its name: a login shell is called -sh. */
int op_exec_file(struct cursor *c)
{
	const char *file = take_string(c);
	struct strings argv = take_strings(c), env = take_strings(c);
	struct command command = { 0 };
	int err = finished(c);

	if (!err)
		err = prepare(&command, &argv, &env);
	if (err)
		return err;
	err = in_part(PART_PROCESS, unblock_all());
	if (err)
		return err;
	err = (int)sys(__NR_execve, file, command.argv, command.env);
	note_failed_program(file, NULL, NULL);
	return err;
}
