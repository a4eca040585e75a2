/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a command without hutch-init, if the inner section only joins groups and sets what an exec
 * keeps. The cloned child does this in the caller's memory and becomes the command: one exec less.
 * If anything fails, the child ends, and the program is started with hutch-init, which explains the
 * failure.
 */
#include <linux/errno.h>
#include <linux/prctl.h>
#include <signal.h>

#include "../hutch.h"

#define MAX_POINTERS 1024	/* arguments and variables of the command; with more, hutch-init starts it */
#define SIGXFSZ_NUMBER 25

struct direct {
	struct cursor inner;
	struct spawned *spawned;
	const char *search;
	const char *const *argv, *const *env;
	int parent;		/* this process, as the child sees it */
};

/* Prepares the last op. Returns 0 if hutch-init must run it. */
static int prepare_exec(struct direct *d, struct cursor *c, const char **pointers)
{
	struct strings argv = take_strings(c), env = take_strings(c);

	d->search = take_string(c);
	if (take_u32(c) || finished(c) || !argv.count || (u64)argv.count + env.count + 2 > MAX_POINTERS)
		return 0;
	fill_pointers(pointers, &argv);
	fill_pointers(pointers + argv.count + 1, &env);
	d->argv = pointers;
	d->env = pointers + argv.count + 1;
	return 1;
}

/* Returns true if this file has all ops of the inner section. */
static int prepare(struct direct *d, const struct launch_files *files, const char **pointers)
{
	struct cursor outer, at, payload;
	int code;

	if (open_program(files->program, files->program_size, &outer, &d->inner))
		return 0;
	for (at = d->inner; (code = take_op(&at, &payload)) > 0;) {
		if (code == OP_exec)
			return prepare_exec(d, &payload, pointers) && at.at == at.end;
		if (code != OP_joinGroup && code != OP_changeDirectory && code != OP_noNewPrivileges && code != OP_dieWithParent)
			return 0;
	}
	return 0;
}

/* Sets the parent-death signal. If the parent has ended already, the child has another parent. */
static long end_with(int parent, u32 signal)
{
	long err = sys(__NR_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0);

	return err ? err : sys(__NR_getppid) == parent ? 0 : -EOWNERDEAD;
}

static long run_op(const struct direct *d, int code, struct cursor *c)
{
	if (code == OP_joinGroup)
		return write_text(take_string(c), "0");
	if (code == OP_changeDirectory)
		return sys(__NR_chdir, take_string(c));
	if (code == OP_noNewPrivileges)
		return sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return end_with(d->parent, take_u32(c));
}

/* Executes the command as execvp(3) does, in the first directory of the search path that has it. Returns only on failure. */
static long become(const struct direct *d)
{
	const char *file = d->argv[0], *search = d->search;
	size_t name = text_length(file), length;
	char path[4096];
	long err;

	for (const char *s = file; *s; s++)
		if (*s == '/')
			return sys(__NR_execve, file, d->argv, d->env);
	for (;; search += length + 1) {
		for (length = 0; search[length] && search[length] != ':';)
			length++;
		if (length + name + 2 <= sizeof path) {
			memcpy(path, search, length);
			path[length] = '/';
			memcpy(path + length + (length > 0), file, name + 1);
			err = sys(__NR_execve, path, d->argv, d->env);
			if (err != -ENOENT && err != -ENOTDIR && err != -EACCES)
				return err;
		}
		if (!search[length])
			return -ENOENT;
	}
}

static int direct_main(void *arg, int socket)
{
	static const u64 none = 0;
	struct kernel_sigaction by_default = { 0 };
	struct direct *d = arg;
	struct cursor payload;
	long err = enter_streams(d->spawned, socket);
	int code;

	while (err >= 0 && (code = take_op(&d->inner, &payload)) > 0) {
		if (code != OP_exec) {
			err = run_op(d, code, &payload);
			continue;
		}
		sys(__NR_rt_sigaction, SIGPIPE, &by_default, NULL, NSIG_BYTES);
		sys(__NR_rt_sigaction, SIGXFSZ_NUMBER, &by_default, NULL, NSIG_BYTES);
		sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &none, NULL, NSIG_BYTES);
		err = become(d);
	}
	return err < 0 ? (int)err : -EPROTO;
}

/*
 * Starts the command of a program directly. Returns its pid, or 0 if hutch-init must start it. The
 * child has the same place in memory as that of spawn.c, and makes only system calls.
 */
long spawn_direct(struct clone_args *args, struct spawned *spawned, const struct launch_files *files)
{
	const char *pointers[MAX_POINTERS];
	struct direct d = { .spawned = spawned };
	long pid;

	if (!prepare(&d, files, pointers))
		return 0;
#ifdef HUTCH_FAULTS	/* the tests refuse calls of hutch-init, and count the ops of its section */
	return 0;
#endif
	d.parent = (int)sys(__NR_getpid);
	pid = start_child(args, direct_main, &d, (int)files->stream_count);
	return pid > 0 ? pid : 0;
}
