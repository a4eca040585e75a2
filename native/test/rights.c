// SPDX-License-Identifier: Apache-2.0
/* Tests how a job is confined: paths inside its root, limits, Landlock, and the id maps of its user namespace. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/*
 * Tests that a path stays inside the root despite its links, and that missing components are
 * created only where that is allowed.
 */
void test_root(const char *directory)
{
	char root[512], path[600], long_path[5000];
	struct stat found;
	int base;

	snprintf(root, sizeof root, "%s/root", directory);
	CHECK(mkdir(root, 0700) == 0);
	base = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof path, "%s/up", root);
	CHECK(symlink("../../../../../..", path) == 0);
	snprintf(path, sizeof path, "%s/absolute", root);
	CHECK(symlink(directory, path) == 0);
	snprintf(path, sizeof path, "%s/loop", root);
	CHECK(symlink("loop", path) == 0);

	CHECK(resolve_in(-1, "/", 0) == -EPROTO);
	/* a relative path fails as long as no file system of the job is attached */
	CHECK(attach_new_name(-1, "x", 1) == 1 && link_new_name("x", "y") == 1);
	CHECK(resolve_in(base, "/up/etc", 0) == -ENOENT);
	CHECK(resolve_in(base, "/loop", 0) == -ELOOP);
	CHECK(resolve_in(base, "/up", RESOLVE_NO_SYMLINKS) == -ELOOP);
	CHECK(make_target(base, "/new/x", 1, 0) == -ENOENT);
	make_in(base);
	close(make_target(base, "/new//x/", 1, 0));
	snprintf(path, sizeof path, "%s/new/x", root);
	CHECK(stat(path, &found) == 0 && S_ISDIR(found.st_mode));
	close(make_target(base, "/new/file", 0, 0));
	snprintf(path, sizeof path, "%s/new/file", root);
	CHECK(stat(path, &found) == 0 && S_ISREG(found.st_mode));
	close(make_target(base, "/up/../../made", 1, 0));
	snprintf(path, sizeof path, "%s/made", root);
	CHECK(exists(path));
	/* a dangling link: its target is created inside the root, and never outside */
	close(make_target(base, "/absolute/y", 1, 0));
	snprintf(path, sizeof path, "%s/y", directory);
	CHECK(!exists(path));
	snprintf(path, sizeof path, "%s%s/y", root, directory);
	CHECK(exists(path));
	snprintf(path, sizeof path, "%s/mtab", root);
	CHECK(symlink("../proc/self/mounts", path) == 0);
	CHECK(make_target(base, "/mtab", 0, 0) == -ENOENT);
	snprintf(path, sizeof path, "%s/turning", root);
	CHECK(symlink("missing/../turning", path) == 0);
	CHECK(make_target(base, "/turning", 1, 0) == -ELOOP);
	CHECK(make_target(base, "/new/file/z", 1, 0) == -ENOTDIR);
	CHECK(make_target(base, "/up/z", 1, RESOLVE_NO_SYMLINKS) == -ELOOP);
	memset(long_path, 'n', sizeof long_path);
	for (size_t i = 0; i < sizeof long_path; i += 100)
		long_path[i] = '/';
	long_path[sizeof long_path - 1] = 0;
	CHECK(make_target(base, long_path, 1, 0) == -ENAMETOOLONG);
	CHECK(in_part(PART_TARGET, -ENOENT) == -(ENOENT + 2 * STEP_PART) && in_part(PART_TARGET, 3) == 3);
	close(base);
}

/* Tests that an op with a payload of a wrong length changes nothing, and that ops fail before a root is open. */
void test_root_ops(void)
{
	static int (*const handlers[])(struct cursor *) = {
		op_open_root, op_attach_tree, op_attach_new, op_attach_overlay, op_make_link, op_cover_path, op_pivot_root,
		op_write_data, op_change_mode, op_make_read_only, op_nest_user, op_attach_text,
	};
	static const u8 zeros[64];
	struct builder *b = malloc(sizeof *b);

	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
		CHECK(handlers[i](&(struct cursor){ zeros, zeros, 0 }) == -EPROTO);
		CHECK(handlers[i](&(struct cursor){ zeros, zeros + sizeof zeros, 0 }) == -EPROTO);
	}
	CHECK(op_pivot_root(&(struct cursor){ zeros, zeros + 4, 0 }) == -EPROTO);
	b->size = 0, put_string(b, "fd"), put_string(b, "/proc/self/fd"), put(b, 0);
	CHECK(op_make_link(&(struct cursor){ b->bytes, b->bytes + b->size, 0 }) == in_part(PART_TARGET, -EPROTO));
	b->size = 0, put_string(b, "/tmp/link"), put_string(b, "/"), put(b, 0);
	CHECK(op_make_link(&(struct cursor){ b->bytes, b->bytes + b->size, 0 }) == in_part(PART_TARGET, -EPROTO));
	/* fails because no root is open yet */
	b->size = 0, put_string(b, "/etc/resolv.conf"), put_string(b, "nameserver 192.0.2.7\n");
	CHECK(op_attach_text(&(struct cursor){ b->bytes, b->bytes + b->size, 0 }) < 0);
	free(b);
}

static void put_words(struct builder *b, u32 count, const char *words, u32 length)
{
	put(b, count);
	put(b, length);
	memset(b->bytes + b->size, 0, length + 4);
	memcpy(b->bytes + b->size, words, length);
	b->size += (length + 3) & ~3u;
}

static int run_op(int (*handler)(struct cursor *), const struct builder *b)
{
	u8 *bytes = copy_exact(b);
	struct cursor c = { bytes, bytes + b->size, 0 };
	int err = handler(&c);

	free(bytes);
	return err;
}

/* Tests that a resource limit is lowered to the given bound, and never raised. */
void test_bound(void)
{
	struct builder *b = malloc(sizeof *b);
	struct rlimit limit = { 100, 200 };

	CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
	for (u32 most = 150; most >= 50; most -= 50) {
		b->size = 0, put(b, RLIMIT_CORE), put(b, most), put(b, 0), put(b, most), put(b, 0);
		CHECK(run_op(op_bound_limit, b) == 0);
		CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
		CHECK(limit.rlim_max == most && limit.rlim_cur == (most < 100 ? most : 100));
	}
	b->size = 0, put(b, RLIMIT_CORE), put(b, 1000), put(b, 0), put(b, 1000), put(b, 0);
	CHECK(run_op(op_bound_limit, b) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 50);
	b->size = 0, put(b, RLIMIT_CORE), put(b, 20), put(b, 0), put(b, 40), put(b, 0);
	CHECK(run_op(op_bound_limit, b) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0);
	CHECK(limit.rlim_cur == 20 && limit.rlim_max == 40);
	b->size = 0, put(b, 1000), put(b, 1), put(b, 0), put(b, 1), put(b, 0);
	CHECK(run_op(op_bound_limit, b) == -EINVAL);
	b->size = 0, put(b, RLIMIT_CORE);
	CHECK(run_op(op_bound_limit, b) == -EPROTO);
	free(b);
}

/*
 * Tests Landlock in a child process, because its rules cannot be removed. Paths with a rule stay
 * accessible, other paths do not. Without Landlock in the kernel, each op returns that error.
 */
void test_landlock(const char *directory)
{
	struct builder *b = malloc(sizeof *b);
	int status = -1, err;
	pid_t pid;

	b->size = 0;
	CHECK(run_op(op_restrict_paths, b) == -EPROTO);
	put(b, 1);
	CHECK(run_op(op_allow_path, b) == -EPROTO);
	pid = fork();
	if (pid == 0) {
		b->size = 0, put_string(b, "/no/such/path"), put(b, 1);
		err = run_op(op_allow_path, b);
		if (err == -ENOSYS || err == -EOPNOTSUPP)
			_exit(77);
		if (err != in_part(PART_SOURCE, -ENOENT))
			_exit(1);
		b->size = 0, put_string(b, directory), put(b, 3);
		if (run_op(op_allow_path, b) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			_exit(2);
		b->size = 0, put_string(b, "/dev/null"), put(b, 2);
		if (run_op(op_allow_path, b))
			_exit(3);
		b->size = 0;
		if (run_op(op_restrict_paths, b))
			_exit(4);
		if (open(directory, O_RDONLY) < 0 || open("/dev/null", O_WRONLY) < 0)
			_exit(5);
		_exit(open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES || open("/dev/null", O_RDONLY) >= 0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	free(b);
}

/* Tests the ops on descriptors (wait, mark as close-on-exec, close) and the choice of a working directory. */
void test_session(void)
{
	struct builder *b = malloc(sizeof *b);
	int pair[2];

	CHECK(pipe(pair) == 0);
	b->size = 0, put(b, 2), put(b, (u32)pair[0]), put(b, (u32)pair[1]);
	CHECK(run_op(op_close_on_exec, b) == 0);
	CHECK(fcntl(pair[0], F_GETFD) == FD_CLOEXEC && fcntl(pair[1], F_GETFD) == FD_CLOEXEC);
	b->size = 0, put(b, 1), put(b, 9999);
	CHECK(run_op(op_close_on_exec, b) == -EBADF);
	CHECK(write(pair[1], "xy", 2) == 2);
	b->size = 0, put(b, (u32)pair[0]);
	CHECK(run_op(op_block_on, b) == 0);
	CHECK(run_op(op_block_on, b) == -EBADF);
	close(pair[1]);
	CHECK(chosen_directory() == NULL);
	b->size = 0, put_words(b, 2, "/no/such\0/usr", 14), put(b, 1);
	CHECK(run_op(op_choose_directory, b) == -ENOENT);
	b->size = 0, put_words(b, 2, "/no/such\0/usr", 14), put(b, 0);
	CHECK(run_op(op_choose_directory, b) == 0 && !strcmp(chosen_directory(), "PWD=/usr"));
	b->size = 0, put_words(b, 0, "", 0), put(b, 0);
	CHECK(run_op(op_choose_directory, b) == -EPROTO);
	/* fails without a descriptor of /proc, so nothing is written outside of a root */
	CHECK(write_held_proc("self/comm", "x") == -ENOENT);
	b->size = 0, put_string(b, "/no/such/file");
	CHECK(run_op(op_take_lock, b) == in_part(PART_TARGET, -ENOENT));
	free(b);
}

/* Runs the child's side of awaitMaps. Returns 0 if its ids were mapped to root. */
static void be_mapped(int fd)
{
	struct report ready = { .kind = REPORT_READY };
	char go = 0;

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	if (send(fd, &ready, sizeof ready, 0) < 0 || recv(fd, &go, 1, 0) != 1 || go != GO_BYTE)
		_exit(1);
	_exit(getuid() == 0 && getgid() == 0 ? 0 : 2);
}

static int run_map(struct outer *o, const struct builder *b)
{
	u8 *bytes = copy_exact(b);
	struct cursor c = { bytes, bytes + b->size, 0 };
	int err = op_map_ids(o, &c);

	free(bytes);
	return err;
}

/*
 * Tests that the parent writes the id maps of a real user namespace. If the child has failed or
 * ended, the op succeeds: only the child's end is reported.
 */
void test_maps(void)
{
	struct builder *b = malloc(sizeof *b);
	struct report report = { .kind = REPORT_FAILED, .step = 3, .value = 13 };
	struct outer o = { 0 };
	int pair[2], status = 0;
	char users[32], groups[32];
	u32 users_length = (u32)snprintf(users, sizeof users, "0%c%u%c1", 0, getuid(), 0) + 1;
	u32 groups_length = (u32)snprintf(groups, sizeof groups, "0%c%u%c1", 0, getgid(), 0) + 1;

	b->size = 0;
	put_words(b, 3, users, users_length);
	put_words(b, 3, groups, groups_length);
	put(b, 1);
	put_string(b, "");
	put_string(b, "");

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	o.report_fd = pair[0];
	o.pid = fork();
	if (o.pid == 0)
		be_mapped(pair[1]);
	close(pair[1]);
	status = run_map(&o, b);
	CHECK(status == 0);
	waitpid(o.pid, &status, 0);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	/* the child has ended without a report, so the op succeeds */
	CHECK(run_map(&o, b) == 0);
	close(pair[0]);

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	o.report_fd = pair[0];
	CHECK(send(pair[1], &report, sizeof report, 0) == sizeof report);
	CHECK(run_map(&o, b) == 0);
	memset(&report, 0, sizeof report);
	CHECK(recv(pair[0], &report, sizeof report, MSG_DONTWAIT) == sizeof report && report.step == 3);

	/* two words are not an entry of an id map, which has three */
	b->size = 0;
	put_words(b, 2, "0\0000", 4);
	put_words(b, 0, "", 0);
	put(b, 0);
	put_string(b, "");
	put_string(b, "");
	CHECK(run_map(&o, b) == -EPROTO);
	close(pair[0]);
	close(pair[1]);
	free(b);
}

/* Tests mounts by the parent. Without a file or a mount, the child gets no GO; an odd number of words is refused. */
void test_binds(void)
{
	struct report ready = { .kind = REPORT_READY };
	struct outer o = { .pid = getpid() };
	struct builder *b = malloc(sizeof *b);
	struct cursor c;
	int pair[2];
	char go = 0;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	o.report_fd = pair[0];
	for (u32 files = 0; files < 2; files++) {
		b->size = 0;
		put_words(b, 1, "net", 4);
		put_words(b, files, "/no/such/file", files ? 14 : 0);
		c = (struct cursor){ b->bytes, b->bytes + b->size, 0 };
		CHECK(send(pair[1], &ready, sizeof ready, 0) == sizeof ready);
		CHECK(files ? op_bind_namespaces(&o, &c) < 0 : op_bind_namespaces(&o, &c) == -EPROTO);
		CHECK(recv(pair[1], &go, 1, MSG_DONTWAIT) < 0);
	}
	close(pair[0]);
	close(pair[1]);
	free(b);
}

void test_tool(void)
{
	CHECK(run_tool((const char *const[]){ "/bin/true", NULL }) == 0);
	CHECK(run_tool((const char *const[]){ "/bin/false", NULL }) == 1 << 8);
	CHECK(run_tool((const char *const[]){ "/no/such/tool", NULL }) == 127 << 8);
}
