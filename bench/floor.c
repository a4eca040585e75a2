// SPDX-License-Identifier: Apache-2.0
/*
 * The floor: what a start costs by system calls alone, with nothing around.
 * `floor PROGRAM [WHAT…]` starts it once for each line on stdin and answers
 * with the microseconds until its end is known. WHAT: namespaces by their
 * names, init (a process beside it, as PID 1 is), and what is mounted:
 * root=DIR, tmp, proc, covers, sys, dev, pts, shm, mqueue; lo. With `once` it
 * asks nothing and says nothing, so that the whole process can be timed.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../native/lib/sys.h"

#define NODEV (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV)

static const struct { const char *name; u64 flag; } kinds[] = {
	{ "mount", CLONE_NEWNS }, { "cgroup", CLONE_NEWCGROUP }, { "uts", CLONE_NEWUTS }, { "ipc", CLONE_NEWIPC },
	{ "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET }, { "user", CLONE_NEWUSER }, { "time", CLONE_NEWTIME },
};
static u64 flags;
static const char *program, *root;
static char **parts;
static u8 stack[65536] __attribute__((aligned(16))), inner_stack[65536] __attribute__((aligned(16)));

static int has(const char *part)
{
	for (char **at = parts; *at; at++)
		if (strcmp(*at, part) == 0)
			return 1;
	return 0;
}

static void check(const char *what, long got)
{
	if (got >= 0)
		return;
	dprintf(2, "floor: %s: %s\n", what, strerror((int)-got));
	_exit(125);
}

static void write_file(const char *path, const char *text)
{
	long fd = sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);

	check(path, fd);
	check(path, sys(__NR_write, fd, text, strlen(text)));
	sys(__NR_close, fd);
}

static void attach(long mount, long at, const char *target)
{
	check(target, sys(__NR_move_mount, mount, "", at, target, MOVE_MOUNT_F_EMPTY_PATH));
}

static long copy(long at, const char *path, u64 attributes)
{
	struct mount_attr attr = { .attr_set = attributes };
	long fd = sys(__NR_open_tree, at, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	check(path, fd);
	check(path, sys(__NR_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr));
	return fd;
}

static long make(const char *type, const char *mode, u64 attributes)
{
	long mount, fs = sys(__NR_fsopen, type, FSOPEN_CLOEXEC);

	check(type, fs);
	if (mode)
		check(type, sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "mode", mode, 0));
	check(type, sys(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mount = sys(__NR_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	check(type, mount);
	sys(__NR_close, fs);
	return mount;
}

static void cover(long proc)
{
	static const char *const read_only[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };
	static const char *const hidden[] = { "acpi", "asound", "interrupts", "kcore", "keys", "latency_stats",
					      "sched_debug", "scsi", "timer_list", "timer_stats" };
	long empty = -1, null = -1, target;
	struct stat found;

	for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++)
		if (faccessat(proc, read_only[i], F_OK, 0) == 0)
			attach(copy(proc, read_only[i], NODEV | MOUNT_ATTR_RDONLY), proc, read_only[i]);
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		if (fstatat(proc, hidden[i], &found, 0))
			continue;
		long *of = S_ISDIR(found.st_mode) ? &empty : &null;

		target = *of < 0 ? S_ISDIR(found.st_mode) ? make("tmpfs", NULL, NODEV | MOUNT_ATTR_RDONLY)
							  : copy(AT_FDCWD, "/dev/null", MOUNT_ATTR_RDONLY)
				 : sys(__NR_open_tree, *of, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		check(hidden[i], target);
		attach(target, proc, hidden[i]);
		if (*of < 0)
			*of = target;
	}
}

static void fill_dev(long dev)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const char *const links[][2] = { { "pts/ptmx", "ptmx" }, { "/proc/self/fd", "fd" },
						{ "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
						{ "/proc/self/fd/2", "stderr" } };
	char path[32];

	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		strcpy(stpcpy(path, "/dev/"), nodes[i]);
		check(path, sys(__NR_mknodat, dev, nodes[i], S_IFREG | 0644, 0));
		attach(copy(AT_FDCWD, path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev, nodes[i]);
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		check(links[i][1], sys(__NR_symlinkat, links[i][0], dev, links[i][1]));
}

static void mount_in_dev(long dev, const char *name, const char *type, const char *mode, u64 attributes)
{
	if (!has(name))
		return;
	check(name, sys(__NR_mkdirat, dev, name, 0755));
	attach(make(type, mode, attributes), dev, name);
}

static void mount_all(void)
{
	long tree = -1, mount;

	check("private", sys(__NR_mount, NULL, "/", NULL, 0x44000 /* MS_REC | MS_PRIVATE */, NULL));
	if (!root)
		return;
	tree = copy(AT_FDCWD, root, MOUNT_ATTR_NODEV);
	attach(tree, AT_FDCWD, "/");
	if (has("tmp"))
		attach(make("tmpfs", "1777", NODEV), tree, "tmp");
	if (has("proc")) {
		mount = make("proc", NULL, NODEV);
		attach(mount, tree, "proc");
		if (has("covers"))
			cover(mount);
	}
	if (has("sys"))
		attach(make("sysfs", NULL, NODEV | MOUNT_ATTR_RDONLY), tree, "sys");
	if (has("dev")) {
		mount = make("tmpfs", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
		attach(mount, tree, "dev");
		fill_dev(mount);
		mount_in_dev(mount, "pts", "devpts", "0620", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
		mount_in_dev(mount, "shm", "tmpfs", "1777", NODEV);
		mount_in_dev(mount, "mqueue", "mqueue", NULL, NODEV);
	}
	check("fchdir", sys(__NR_fchdir, tree));
	check("pivot_root", sys(__NR_pivot_root, ".", "."));
	check("umount", sys(__NR_umount2, "/..", 2 /* MNT_DETACH */));
	check("chdir", sys(__NR_chdir, "/"));
}

static void exec_it(void *arg)
{
	char *const argv[] = { "true", NULL }, *const env[] = { NULL };

	(void)arg;
	sys(__NR_execve, program, argv, env);
	_exit(127);
}

static void child(void *arg)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD,
				   .stack = (u64)(uintptr_t)inner_stack, .stack_size = sizeof inner_stack };
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	long fd;

	if (flags & CLONE_NEWUSER) {
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/gid_map", "0 0 1");
		write_file("/proc/self/uid_map", "0 0 1");
	}
	if (flags & CLONE_NEWNS)
		mount_all();
	if (has("lo")) {
		fd = sys(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		check("lo", sys(__NR_ioctl, fd, SIOCSIFFLAGS, &lo));
		sys(__NR_close, fd);
	}
	if (has("init")) {
		check("clone3", clone3_onto(&args, exec_it, NULL));
		sys(__NR_wait4, -1, NULL, __WALL, NULL);
		_exit(0);
	}
	exec_it(arg);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .stack = (u64)(uintptr_t)stack, .stack_size = sizeof stack };
	char line[16];

	if (argc < 2)
		return 125;
	program = argv[1];
	parts = argv + 2;
	for (char **at = parts; *at; at++)
		if (strncmp(*at, "root=", 5) == 0)
			root = *at + 5;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (has(kinds[i].name))
			flags |= kinds[i].flag;
	/* one that stays is no part of this process */
	args.flags = flags | (has("init") ? 0 : CLONE_VM | CLONE_VFORK);
	while (has("once") || fgets(line, sizeof line, stdin)) {
		double before = now();
		long pid = clone3_onto(&args, child, NULL);
		int status = 0;

		if (pid < 0 || waitpid((pid_t)pid, &status, __WALL) != pid || status != 0)
			return 1;
		if (has("once"))
			return 0;
		printf("%.1f\n", now() - before);
		fflush(stdout);
	}
	return 0;
}
