/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masks paths: hides them from the job, or makes them read-only. The mount that hides a path is
 * created once and copied. A new file system for each path would be the most expensive step of a
 * start.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

#define CPUS_AT_MOST 8192
#define COVER_WRITABLE 2	/* flag: make the path read-only only if the caller could write to it */

/*
 * The first mounts that cover a file and a directory; later paths get copies of them. They are
 * attached first: before Linux 6.15, a mount that is not attached cannot be copied.
 */
static int covers[2] = { -1, -1 };

void forget_covers(void)
{
	for (int i = 0; i < 2; i++) {
		if (covers[i] >= 0)
			sys(__NR_close, covers[i]);
		covers[i] = -1;
	}
}

/*
 * Returns true if the user and group ids permit writing to a file, as access(2) does. If so, only a
 * read-only mount can prevent writing.
 */
static int may_write(int fd)
{
	char name[32];

	descriptor_path(name, fd);
	return sys(__NR_faccessat, AT_FDCWD, name, 2 /* W_OK */) == 0;
}

static int check_null(int fd)
{
	struct statx found;
	long err = stat_in(fd, "", &found);

	if (err < 0)
		return (int)err;
	return S_ISCHR(found.stx_mode) && found.stx_rdev_major == 1 && found.stx_rdev_minor == 3 ? 0 : -ENODEV;
}

/*
 * Returns an empty, read-only mount. /dev/null is the host's and is opened from outside: the
 * image's /dev/null may be another file (CVE-2025-31133).
 */
static int hiding_mount(int directory)
{
	struct strings none = { 0, 0, "" };
	u64 attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	int fd, err;

	/* a copy of a mount has the attributes of its original, so they are set only once */
	if (covers[directory] >= 0)
		return in_part(PART_SOURCE, sys(__NR_open_tree, covers[directory], "",
						AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	if (directory)
		return in_part(PART_SOURCE, new_mount("tmpfs", &none, attributes | MOUNT_ATTR_NODEV));
	fd = (int)sys(__NR_open_tree, AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	err = check_null(fd) ?: set_attributes(fd, attributes, 0);
	if (err < 0) {
		sys(__NR_close, fd);
		return in_part(PART_ATTRIBUTES, err);
	}
	return fd;
}

static int hide(int target)
{
	long directory = is_directory(target);
	int fd, err;

	if (directory < 0)
		return (int)directory;
	fd = hiding_mount((int)directory);
	if (fd < 0)
		return fd;
	err = in_part(PART_ATTACH, attach(fd, target));
	if (!err && covers[directory] < 0)
		covers[directory] = fd;
	else
		sys(__NR_close, fd);
	return err;
}

static int make_tree_read_only(int target)
{
	int fd, err;

	fd = (int)sys(__NR_open_tree, target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	err = in_part(PART_ATTRIBUTES, set_attributes(fd, MOUNT_ATTR_RDONLY, 1));
	if (!err)
		err = in_part(PART_ATTACH, attach(fd, target));
	sys(__NR_close, fd);
	return err;
}

/*
 * Hides a path of each CPU: the number of the CPU replaces the star in the pattern. Either all CPUs
 * have the path or none, so the first missing path ends the search.
 */
static int hide_numbered(const char *path)
{
	for (u32 cpu = 0; cpu < CPUS_AT_MOST; cpu++) {
		char name[256], *to = name, digits[12];
		int at = sizeof digits - 1, target, err;
		u32 rest = cpu;

		digits[at] = 0;
		do
			digits[--at] = (char)('0' + rest % 10);
		while (rest /= 10);
		for (const char *from = path; *from && to < name + sizeof name - 16; from++) {
			if (*from != '*')
				*to++ = *from;
			else
				for (const char *digit = digits + at; *digit; digit++)
					*to++ = *digit;
		}
		*to = 0;
		target = resolve_in(base_of(name), name, RESOLVE_NO_SYMLINKS);
		if (target < 0)
			return target == -ENOENT ? 0 : in_part(PART_TARGET, target);
		err = hide(target);
		sys(__NR_close, target);
		if (err)
			return err;
	}
	return 0;
}

static int is_numbered(const char *path)
{
	while (*path && *path != '*')
		path++;
	return *path == '*';
}

/*
 * Hides a path, or makes it read-only. A relative path is in the file system attached last. A path
 * that this kernel does not have needs no mask.
 */
int op_cover_path(struct cursor *c)
{
	const char *path = take_string(c);
	u32 read_only = take_u32(c);
	int target, err = finished(c);

	if (err)
		return err;
	note_target(path);
	if (!read_only && is_numbered(path))
		return hide_numbered(path);
	/* a file of /proc or /sys is never a symbolic link, but a path in a root of host files may be one */
	target = resolve_in(base_of(path), path, read_only == COVER_WRITABLE || *path == '/' ? 0 : RESOLVE_NO_SYMLINKS);
	if (target < 0)
		return target == -ENOENT ? 0 : in_part(PART_TARGET, target);
	if (!read_only) {
		err = hide(target);
	} else if (read_only != COVER_WRITABLE) {
		err = make_tree_read_only(target);
	} else if (may_write(target)) {
		/* fails with ELOOP if the target is a symbolic link */
		err = (int)is_directory(target);
		err = err < 0 ? err : make_tree_read_only(target);
	}
	sys(__NR_close, target);
	return err;
}
