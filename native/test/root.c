/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of paths inside a root as plain functions, in a scratch directory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../hutch.h"
#include "check.h"

/* A path inside a root stays there, whatever its links say, and what is missing is made only where it may be. */
static void test_root(const char *directory)
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
	CHECK(access(path, F_OK) == 0);
	CHECK(make_target(base, "/absolute/y", 1, 0) == -ENOENT);
	snprintf(path, sizeof path, "%s/y", directory);
	CHECK(access(path, F_OK) < 0);
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

/* A payload that is too short or too long touches nothing; nor does an op before a root is open. */
static void test_root_ops(void)
{
	static int (*const handlers[])(struct cursor *) = {
		op_open_root, op_attach_tree, op_attach_new, op_attach_overlay, op_make_link, op_cover_path, op_pivot_root,
	};
	static const u8 zeros[64];
	static const struct { u32 length; char name[4]; u32 to_length; char to[4]; } inside = { 2, "fd", 1, "/" },
		outside = { 2, "/x", 1, "/" };

	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
		CHECK(handlers[i](&(struct cursor){ zeros, zeros, 0 }) == -EPROTO);
		CHECK(handlers[i](&(struct cursor){ zeros, zeros + sizeof zeros, 0 }) == -EPROTO);
	}
	CHECK(op_pivot_root(&(struct cursor){ zeros, zeros + 4, 0 }) == -EPROTO);
	CHECK(op_make_link(&(struct cursor){ (const u8 *)&inside, (const u8 *)(&inside + 1), 0 }) == -EPROTO);
	CHECK(op_make_link(&(struct cursor){ (const u8 *)&outside, (const u8 *)(&outside + 1), 0 }) == -EPROTO);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	test_root(argv[1]);
	test_root_ops();
	printf("%d checks, %d failed\n", done, failed);
	return failed != 0;
}
