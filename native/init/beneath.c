/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets a new file system take over what it will cover: the mode of the directory beneath, and with
 * BENEATH_FILES a copy of its files. Links are copied, never followed. Nobody else can use the new
 * file system yet, and a file of the covered directory is opened before it is examined.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>

#include "../hutch.h"
#include "../lib/directory.h"

#define DEPTH_AT_MOST 256
#define PERMISSIONS 07777
#define WANTED (STATX_BASIC_STATS)

struct moment { long long s, ns; };

/* Sets owner, mode and times of a copy, in this order: a change of the owner removes set-user-ID bits. */
static int take_attributes(int parent, const char *name, const struct statx *from)
{
	struct moment times[2] = { { from->stx_atime.tv_sec, from->stx_atime.tv_nsec },
				   { from->stx_mtime.tv_sec, from->stx_mtime.tv_nsec } };
	long err = sys(__NR_fchownat, parent, name, from->stx_uid, from->stx_gid, AT_SYMLINK_NOFOLLOW);

	/* an id that is not mapped in this user namespace cannot be given to a file */
	if (err == -EINVAL)
		err = 0;
	if (!err && !S_ISLNK(from->stx_mode))
		err = sys(__NR_fchmodat, parent, name, from->stx_mode & PERMISSIONS);
	return err ? (int)err : (int)sys(__NR_utimensat, parent, name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_data(int fd, int to, const char *name)
{
	char path[32];
	long from, copy, err;

	/* the open file cannot have been replaced by a device meanwhile */
	descriptor_path(path, fd);
	from = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return (int)from;
	copy = sys(__NR_openat, to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = copy < 0 ? copy : copy_all(from, copy);
	sys(__NR_close, from);
	if (copy >= 0)
		sys(__NR_close, copy);
	return (int)err;
}

static int copy_link(int fd, int to, const char *name)
{
	char text[4096];
	long length = sys(__NR_readlinkat, fd, "", text, sizeof text - 1);

	if (length < 0)
		return (int)length;
	text[length] = 0;
	return (int)sys(__NR_symlinkat, text, to, name);
}

/* Creates a device, FIFO or socket. A device that may not be created here, in a user namespace, is left out. */
static int copy_special(int to, const char *name, const struct statx *from)
{
	u32 major = from->stx_rdev_major, minor = from->stx_rdev_minor;
	long err = sys(__NR_mknodat, to, name, from->stx_mode & (S_IFMT | PERMISSIONS),
		       (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12);

	return err == -EPERM ? 1 : (int)err;
}

static int copy_files(int from, int to, int depth);

static int copy_directory(int fd, int to, const char *name, int depth)
{
	long from, copy, err = sys(__NR_mkdirat, to, name, 0700);

	if (err)
		return (int)err;
	from = sys(__NR_openat, fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	copy = sys(__NR_openat, to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	err = from < 0 ? from : copy < 0 ? copy : copy_files((int)from, (int)copy, depth + 1);
	if (from >= 0)
		sys(__NR_close, from);
	if (copy >= 0)
		sys(__NR_close, copy);
	return (int)err;
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	int fd = (int)sys(__NR_openat, from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err;
	struct statx found;

	if (fd < 0)
		return fd;
	err = (int)sys(__NR_statx, fd, "", AT_EMPTY_PATH, WANTED, &found);
	if (!err)
		switch (found.stx_mode & S_IFMT) {
		case S_IFREG: err = copy_data(fd, to, name); break;
		case S_IFDIR: err = copy_directory(fd, to, name, depth); break;
		case S_IFLNK: err = copy_link(fd, to, name); break;
		default: err = copy_special(to, name, &found);
		}
	sys(__NR_close, fd);
	if (!err)
		err = take_attributes(to, name, &found);
	return err < 0 ? err : 0;
}

static int copy_files(int from, int to, int depth)
{
	struct listing l;
	const struct entry *e;
	int err = 0;

	if (depth > DEPTH_AT_MOST)
		return -ENAMETOOLONG;
	begin_listing(&l, from);
	while (!err && (e = next_in(&l))) {
		const char *name = e->name;

		if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
			continue;
		err = copy_entry(from, to, name, depth);
	}
	return err ? err : l.got < 0 ? (int)l.got : 0;
}

/* Lets the new file system take over mode or files of the directory that it will cover. */
int take_over(int mount_fd, int target, u32 beneath)
{
	int inside = begin_inside();
	struct statx found;
	long from = -1, to, err;

	err = sys(__NR_statx, target, "", AT_EMPTY_PATH, WANTED, &found);
	to = err ? err : sys(__NR_openat, mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to >= 0 && beneath == BENEATH_FILES) {
		from = sys(__NR_openat, target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = from < 0 ? from : copy_files((int)from, (int)to, 0);
		if (!err)
			err = take_attributes((int)to, ".", &found);
	} else if (to >= 0) {
		err = sys(__NR_fchmod, to, found.stx_mode & PERMISSIONS);
	}
	end_inside(inside);
	if (from >= 0)
		sys(__NR_close, from);
	if (to < 0)
		return (int)to;
	sys(__NR_close, to);
	return (int)err;
}
