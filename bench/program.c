// SPDX-License-Identifier: Apache-2.0
/*
 * The floor of a start: runs a program of hutch (native/wire/program.h) by the system calls that its operations need,
 * without a check, a lock, a look at a result, Node or hutch-init. `program FILE` runs the program in FILE once for each
 * line on stdin, and answers with the microseconds until its groups are removed. With `once` it runs it once, silently, between two marks for strace.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../native/lib/lib.h"
#include "../native/wire/decode.h"

#define LAST_CAPABILITY 40
/* host ids in place of those that reserveIds would look for */
#define FREE_IDS "3000041472 65536"

static u8 *bytes, stack[65536] __attribute__((aligned(16))), inner_stack[65536] __attribute__((aligned(16)));
static u64 size;
static struct cursor inner;
static int go[2], inside, filtered, empty;	/* empty: the root is a new file system */
static long root = -1, held = -1, covers[2] = { -1, -1 };
static struct sock_fprog filter;

static long check(const char *what, long got)
{
	if (got >= 0)
		return got;
	dprintf(2, "program: %s: %s\n", what, strerror((int)-got));
	_exit(125);
}

static void write_file(const char *path, const char *text)
{
	long fd = check(path, sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC));

	check(path, sys(__NR_write, fd, text, strlen(text)));
	sys(__NR_close, fd);
}

/* Not every kernel and group has each file of a figure. */
static void read_file(const char *path)
{
	char text[4096];
	long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	sys(__NR_read, fd, text, sizeof text);
	sys(__NR_close, fd);
}

static void await_go(void)
{
	char byte;

	check("go", sys(__NR_read, go[0], &byte, 1));
}

static long base_of(const char **path)
{
	long base = **path == '/' ? root : held;

	while (**path == '/')
		++*path;
	return base;
}

/* Attaches a mount, and makes its mount point in a new file system. */
static void attach(long mount, const char *target, int directory)
{
	const char *name = strrchr(target, '/');
	long base = base_of(&target);
	char above[256];

	if (base == held && name > target) {
		snprintf(above, sizeof above, "%.*s", (int)(name - target), target);
		sys(__NR_mkdirat, base, above, 0755);
	}
	if (base == held || empty)
		directory ? sys(__NR_mkdirat, base, target, 0755) : sys(__NR_mknodat, base, target, S_IFREG | 0644, 0);
	check(target, sys(__NR_move_mount, mount, "", base, target, MOVE_MOUNT_F_EMPTY_PATH));
}

static long set_attributes(long fd, u64 attributes, int flags)
{
	struct mount_attr attr = { .attr_set = attributes };

	check("attributes", sys(__NR_mount_setattr, fd, "", AT_EMPTY_PATH | flags, &attr, sizeof attr));
	return fd;
}

static long copy(long at, const char *path, u64 attributes, int flags)
{
	long fd = check(path, sys(__NR_open_tree, at, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH) | flags));

	return attributes ? set_attributes(fd, attributes, flags) : fd;
}

static long make(const char *type, const struct strings *options, u64 attributes)
{
	long mount, fs = check(type, sys(__NR_fsopen, type, FSOPEN_CLOEXEC));
	const char *option = options->first, *value;
	char key[32];

	for (u32 i = 0; i < options->count; i++, option = next_string(option)) {
		value = strchr(option, '=');
		snprintf(key, sizeof key, "%.*s", value ? (int)(value - option) : 31, option);
		check(option, sys(__NR_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value ? value + 1 : NULL, 0));
	}
	check(type, sys(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mount = check(type, sys(__NR_fsmount, fs, FSMOUNT_CLOEXEC, attributes));
	sys(__NR_close, fs);
	return mount;
}

static void attach_new(const char *type, const struct strings *options, const char *target, u64 attributes)
{
	long mount = make(type, options, attributes), *at = &held;

	if (target[0] == '/' && !target[1])
		check("/", sys(__NR_move_mount, mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH)), at = &root, empty = 1;
	else
		attach(mount, target, 1);
	if (*target == '/')
		*at = mount;
}

static void cover(const char *path, u32 read_only)
{
	struct strings none = { 0, 0, "" };
	long base = base_of(&path), *of;
	struct stat found;

	if (strchr(path, '*') || fstatat((int)base, path, &found, 0))
		return;
	if (read_only) {
		long fd = copy(base, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, AT_RECURSIVE);

		check(path, sys(__NR_move_mount, fd, "", base, path, MOVE_MOUNT_F_EMPTY_PATH));
		return;
	}
	of = &covers[S_ISDIR(found.st_mode) != 0];
	if (*of >= 0)
		check(path, sys(__NR_move_mount, copy(*of, "", 0, 0), "", base, path, MOVE_MOUNT_F_EMPTY_PATH));
	else {
		*of = S_ISDIR(found.st_mode) ? make("tmpfs", &none, MOUNT_ATTR_RDONLY) : copy(AT_FDCWD, "/dev/null", MOUNT_ATTR_RDONLY, 0);
		check(path, sys(__NR_move_mount, *of, "", base, path, MOVE_MOUNT_F_EMPTY_PATH));
	}
}

/* The groups of the job, read-only at its /sys/fs/cgroup. */
static void attach_groups(struct cursor *c)
{
	const char *target = take_string(c), *name, *source;
	struct strings names = take_strings(c), sources = take_strings(c);
	u64 attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	struct stat found;

	source = sources.first;
	if (!names.count) {
		attach(copy(AT_FDCWD, source, attributes, 0), target, 1);
		return;
	}
	attach_new("tmpfs", &(struct strings){ 1, 10, "mode=0755" }, target, attributes & ~(u64)MOUNT_ATTR_RDONLY);
	for (name = names.first; names.count--; name = next_string(name), source = next_string(source)) {
		if (*source != '/')
			check(name, sys(__NR_symlinkat, source, held, name));
		else if (!stat(source, &found))
			attach(copy(AT_FDCWD, source, attributes, 0), name, S_ISDIR(found.st_mode));
	}
	set_attributes(held, MOUNT_ATTR_RDONLY, 0);
}

static void attach_text(const char *target, const char *text)
{
	long fd = check("text", sys(__NR_openat, root, ".text", O_CREAT | O_WRONLY | O_CLOEXEC, 0444));

	sys(__NR_write, fd, text, strlen(text));
	sys(__NR_close, fd);
	attach(copy(root, ".text", MOUNT_ATTR_RDONLY, 0), target, 0);
	sys(__NR_unlinkat, root, ".text", 0);
}

static void pivot(void)
{
	check("fchdir", sys(__NR_fchdir, root));
	check("pivot_root", sys(__NR_pivot_root, ".", "."));
	check("umount", sys(__NR_umount2, "/..", 2 /* MNT_DETACH */));
	check("chdir", sys(__NR_chdir, "/"));
}

static void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	long fd = check("socket", sys(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	check("lo", sys(__NR_ioctl, fd, SIOCSIFFLAGS, &lo));
	sys(__NR_close, fd);
}

static void hold_capabilities(u64 permitted, u64 inheritable)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){ (u32)(permitted >> 32 * i), (u32)(permitted >> 32 * i), (u32)(inheritable >> 32 * i) };
	check("capset", sys(__NR_capset, &header, data));
}

struct command { const char *argv[64], *env[512]; };

static void become(void *arg)
{
	struct command *command = arg;

	if (filtered)
		check("filter", sys(__NR_prctl, PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, &filter, 0, 0));
	sys(__NR_execve, command->argv[0], command->argv, command->env);
	_exit(127);
}

static void run(struct cursor *c)
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD,
				   .stack = (u64)(uintptr_t)inner_stack, .stack_size = sizeof inner_stack };
	struct strings argv = take_strings(c), env = take_strings(c);
	static struct command command;

	take_string(c);
	fill_pointers(command.argv, &argv);
	fill_pointers(command.env, &env);
	if (!take_u32(c))
		become(&command);
	check("clone3", clone3_onto(&args, become, &command));
	sys(__NR_wait4, -1, NULL, __WALL, NULL);
	_exit(0);
}

static void run_inner_op(int code, struct cursor *c)
{
	const char *a, *b, *d;
	struct strings options;
	struct numbers numbers;
	u64 wide;

	switch (code) {
	case OP_joinGroup: write_file(take_string(c), "0"); break;
	case OP_limitUserCount: a = take_string(c); write_file(a, take_string(c)); break;
	case OP_setOomScore: write_file("/proc/self/oom_score_adj", take_string(c)); break;
	case OP_unshare: check("unshare", sys(__NR_unshare, take_u64(c))); break;
	case OP_mount:
		a = take_string(c), b = take_string(c), d = take_string(c);
		check(b, sys(__NR_mount, *a ? a : NULL, b, *d ? d : NULL, take_u64(c), NULL));
		break;
	case OP_awaitMaps:
		await_go();
		if (inside) {
			sys(__NR_setfsgid, 0);
			sys(__NR_setfsuid, 0);
		}
		break;
	case OP_awaitGroups: await_go(); break;
	case OP_openRoot:
		a = take_string(c);
		root = copy(AT_FDCWD, a, take_u64(c), AT_RECURSIVE);
		check("/", sys(__NR_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
		break;
	case OP_attachTree: {
		struct stat found;

		a = take_string(c), b = take_string(c), wide = take_u64(c);
		check(a, stat(a, &found));
		attach(copy(AT_FDCWD, a, wide, AT_RECURSIVE), b, S_ISDIR(found.st_mode));
		break;
	}
	case OP_attachNew:
		a = take_string(c), options = take_strings(c), b = take_string(c);
		attach_new(a, &options, b, take_u64(c));
		break;
	case OP_attachText: a = take_string(c); attach_text(a, take_string(c)); break;
	case OP_attachGroups: attach_groups(c); break;
	case OP_coverPath: a = take_string(c); cover(a, take_u32(c)); break;
	case OP_makeLink: a = take_string(c); check(a, sys(__NR_symlinkat, take_string(c), held, a)); break;
	case OP_makeReadOnly: set_attributes(root, MOUNT_ATTR_RDONLY, 0); break;
	case OP_pivotRoot: pivot(); break;
	case OP_setHostname: a = take_string(c); check("hostname", sys(__NR_sethostname, a, strlen(a))); break;
	case OP_loopbackUp: loopback_up(); break;
	case OP_boundLimit:
	case OP_setLimit: {
		u64 pair[2];
		u32 resource = take_u32(c);

		pair[0] = take_u64(c), pair[1] = take_u64(c);
		check("limit", sys(__NR_prlimit64, 0, resource, pair, NULL));
		break;
	}
	case OP_dropBounding:
		wide = take_u64(c);
		for (int i = 0; i <= LAST_CAPABILITY; i++)
			if (!(wide >> i & 1))
				check("bounding", sys(__NR_prctl, PR_CAPBSET_DROP, i, 0, 0, 0));
		break;
	case OP_setUser:
		take_u64(c), numbers = take_numbers(c);
		check("setgroups", sys(__NR_setgroups, numbers.count, numbers.first));
		check("setresgid", sys(__NR_setresgid, 0, 0, 0));
		check("setresuid", sys(__NR_setresuid, 0, 0, 0));
		break;
	case OP_setCapabilities: wide = take_u64(c); hold_capabilities(wide, take_u64(c)); break;
	case OP_changeDirectory: a = take_string(c); check(a, sys(__NR_chdir, a)); break;
	case OP_noNewPrivileges: check("nnp", sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); break;
	case OP_dieWithParent: check("pdeathsig", sys(__NR_prctl, PR_SET_PDEATHSIG, take_u32(c), 0, 0, 0)); break;
	case OP_installFilter:
		numbers = take_numbers(c), filtered = 1;
		filter = (struct sock_fprog){ (unsigned short)(numbers.count / 2), (struct sock_filter *)(uintptr_t)numbers.first };
		break;
	case OP_attachTerminal:
	case OP_checkStreams: break;
	case OP_exec: run(c); break;
	default: dprintf(2, "program: operation %d has no floor\n", code); _exit(125);
	}
}

static void child(void *arg)
{
	struct cursor payload;
	int code;

	(void)arg;
	while ((code = take_op(&inner, &payload)) > 0)
		run_inner_op(code, &payload);
	_exit(126);
}

/* Creates the child, in its group. One that stays as PID 1 is a process of its own; another one shares memory until its exec. */
static pid_t spawn(struct cursor *c, int stays)
{
	struct clone_args args = { .flags = take_u64(c), .exit_signal = SIGCHLD,
				   .stack = (u64)(uintptr_t)stack, .stack_size = sizeof stack };
	const char *group = take_string(c);
	long pid;

	args.flags |= stays ? 0 : CLONE_VM | CLONE_VFORK;
	if (*group) {
		args.cgroup = (u64)check(group, sys(__NR_openat, AT_FDCWD, group, O_PATH | O_DIRECTORY | O_CLOEXEC));
		args.flags |= CLONE_INTO_CGROUP;
	}
	pid = check("clone3", clone3_onto(&args, child, NULL));
	if (*group)
		sys(__NR_close, args.cgroup);
	return (pid_t)pid;
}

static void map_ids(struct cursor *c, pid_t pid)
{
	struct strings maps[2];
	char path[64], text[64];

	maps[0] = take_strings(c), maps[1] = take_strings(c);
	if (take_u32(c)) {
		snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
		write_file(path, "deny");
	}
	for (int i = 1; i >= 0; i--) {
		snprintf(path, sizeof path, "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
		snprintf(text, sizeof text, strchr(maps[i].first, '*') ? "0 " FREE_IDS "\n" : "0 0 1\n");
		write_file(path, text);
	}
	sys(__NR_write, go[1], "g", 1);
}

static void run_program(void)
{
	struct cursor outer, payload, *c = &payload, look;
	int code, status = 0, stays = 0;
	const char *path;
	pid_t pid = 0;

	check("the program", open_program(bytes, size, &outer, &inner));
	for (look = inner; (code = take_op(&look, &payload)) > 0;)
		if (code == OP_exec) {
			take_strings(c), take_strings(c), take_string(c);
			stays = (int)take_u32(c);
		}
	for (look = outer, inside = 0; (code = take_op(&look, &payload)) > 0;)
		inside |= code == OP_reserveIds;
	while ((code = take_op(&outer, &payload)) > 0)
		switch (code) {
		case OP_makeGroup: path = take_string(c); check(path, sys(__NR_mkdirat, AT_FDCWD, path, 0755)); break;
		case OP_writeFile: path = take_string(c); write_file(path, take_string(c)); break;
		case OP_spawn: pid = spawn(c, stays); break;
		case OP_mapIds: map_ids(c, pid); break;
		case OP_sendGo: sys(__NR_write, go[1], "g", 1); break;
		case OP_wait: check("wait4", sys(__NR_wait4, pid, &status, __WALL, NULL)); break;
		case OP_readFile: read_file(take_string(c)); break;
		case OP_removeGroup: path = take_string(c); check(path, sys(__NR_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)); break;
		default: break;
		}
	if (status)
		exit(1);
}

int main(int argc, char **argv)
{
	struct timespec begun, ended;
	struct stat found;
	char line[16];
	int fd;

	if (argc < 2 || (fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 || fstat(fd, &found) || pipe2(go, O_CLOEXEC))
		return 125;
	size = (u64)found.st_size;
	bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (argc > 2) {
		access("/hutch-mark", F_OK);
		run_program();
		access("/hutch-mark", F_OK);
		return 0;
	}
	while (fgets(line, sizeof line, stdin)) {
		clock_gettime(CLOCK_MONOTONIC, &begun);
		run_program();
		clock_gettime(CLOCK_MONOTONIC, &ended);
		printf("%.1f\n", (double)(ended.tv_sec - begun.tv_sec) * 1e6 + (double)(ended.tv_nsec - begun.tv_nsec) / 1e3);
		fflush(stdout);
	}
	return 0;
}
