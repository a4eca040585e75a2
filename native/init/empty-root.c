/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates an empty root, as bubblewrap(1) does, and fills it with directories, links, files with
 * the caller's data, and modes. Paths are resolved inside the root (see root.c). The caller of
 * hutch provides the descriptors that the data is read from.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

#define OWN_NAME ".hutch-data"

static long empty_fd = -1;	/* the tmpfs that is the job's root: stays reachable when another mount covers it */
static long proc_fd = -1;	/* the /proc from before pivot_root, for later steps */

/* Writes to a file of this process in the /proc from before pivot_root, such as self/uid_map. */
int write_held_proc(const char *path, const char *text)
{
	long fd, written, length = (long)text_length(text);

	if (proc_fd < 0)
		return -ENOENT;
	fd = sys(__NR_openat, proc_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	written = sys(__NR_write, fd, text, length);
	sys(__NR_close, fd);
	return written == length ? 0 : written < 0 ? (int)written : -EIO;
}

/* Attaches the new root on top of "/", as openRoot in root.c does. */
int op_empty_root(struct cursor *c)
{
	struct strings options = { 1, 10, "mode=0755" };
	int fd, err = finished(c);
	long target;

	if (err)
		return err;
	proc_fd = sys(__NR_openat, AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = new_mount("tmpfs", &options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (fd < 0)
		return in_part(PART_FILE_SYSTEM, fd);
	target = sys(__NR_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = target < 0 ? (int)target : attach(fd, (int)target);
	if (target >= 0)
		sys(__NR_close, target);
	if (!err)
		err = (int)(empty_fd = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 3));
	if (err < 0) {
		sys(__NR_close, fd);
		return in_part(PART_ATTACH, err);
	}
	keep(fd, "/", 0);
	return 0;
}

int op_make_missing(struct cursor *c)
{
	u32 parents = take_u32(c), directory = take_u32(c), file = take_u32(c);
	int err = finished(c);

	if (!err)
		make_missing(parents, directory, file);
	return err;
}

int op_make_directory(struct cursor *c)
{
	const char *path = take_string(c);
	int fd, err = finished(c);

	if (err)
		return err;
	note_target(path);
	fd = make_target(base_of(path), path, 1, 0);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	err = (int)is_directory(fd);
	sys(__NR_close, fd);
	return in_part(PART_TARGET, err < 0 ? err : err ? 0 : -ENOTDIR);
}

/* Creates the working directory if it is missing. A failure shows when the directory is entered. */
int op_make_working_directory(struct cursor *c)
{
	const char *path = take_string(c);
	int fd, err = finished(c);

	if (err)
		return err;
	fd = make_target(base_of(path), path, 1, 0);
	if (fd >= 0)
		sys(__NR_close, fd);
	return 0;
}

/*
 * Opens the parent directory of a path, and creates it if it is missing. Sets *name to the last
 * component of the path.
 */
int open_parent(const char *path, const char **name, u64 resolve)
{
	char directory[4096];
	size_t slash = 0, length = text_length(path);

	note_target(path);
	for (size_t i = 0; i < length; i++)
		if (path[i] == '/')
			slash = i + 1;
	if (length >= sizeof directory || slash + 2 > sizeof directory)
		return -ENAMETOOLONG;
	*name = path + slash;
	memcpy(directory, path, slash);
	memcpy(directory + slash, ".", 2);
	/* the component "." lets "/" and "" be handled like other paths; "." is never created */
	return make_target(base_of(path), directory, 1, resolve);
}

/* Returns true if a symbolic link with the same target already exists. */
static int is_same_link(int parent, const char *name, const char *to)
{
	char found[4096];
	long length = sys(__NR_readlinkat, parent, name, found, sizeof found);

	if (length != (long)text_length(to))
		return 0;
	for (long i = 0; i < length; i++)
		if (found[i] != to[i])
			return 0;
	return 1;
}

/*
 * Creates a symbolic link. If `path` is relative, it is a name in the top directory of the file
 * system attached last, so no other link can redirect it. keeps: whatever exists at the path is
 * kept, and no link of the image may lead there.
 */
int op_make_link(struct cursor *c)
{
	const char *name = take_string(c), *to = take_string(c);
	u32 keeps = take_u32(c);
	int parent, inside, err = finished(c);

	if (err)
		return err;
	err = link_new_name(name, to);
	if (err <= 0)
		return err;
	parent = open_parent(name, &name, keeps ? RESOLVE_NO_SYMLINKS : 0);
	if (parent < 0)
		return in_part(PART_TARGET, parent);
	inside = begin_inside();
	err = (int)sys(__NR_symlinkat, to, parent, name);
	end_inside(inside);
	if (err == -EEXIST && (keeps || is_same_link(parent, name, to)))
		err = 0;
	sys(__NR_close, parent);
	return err;
}

/* Copies the rest of a file to another one. */
long copy_all(long from, long to)
{
	char buffer[16384];
	long got, put, at;

	for (;;) {
		got = sys(__NR_read, from, buffer, sizeof buffer);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			return got;
		for (at = 0; at < got; at += put) {
			put = sys(__NR_write, to, buffer + at, got - at);
			if (put == -EINTR)
				put = 0;
			if (put < 0)
				return put;
		}
	}
}

/* Opens a file without following magic links, and without waiting for the other end of a FIFO. */
static long open_file(const char *path, u32 mode)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd, mask, parent = open_parent(path, &path, 0);

	if (parent < 0)
		return parent;
	mask = sys(__NR_umask, 0);
	fd = sys(__NR_openat2, parent, path, &how, sizeof how);
	sys(__NR_umask, mask);
	sys(__NR_close, parent);
	return fd;
}

/*
 * Creates a temporary file in the tmpfs of the root. An unnamed file cannot be mounted, so this
 * file has a name until it is mounted.
 */
static long open_own(u32 mode)
{
	long fd = sys(__NR_openat, empty_fd, OWN_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	long err = fd < 0 ? fd : sys(__NR_fchmod, fd, mode);

	if (err < 0 && fd >= 0)
		sys(__NR_close, fd);
	return err < 0 ? err : fd;
}

/*
 * Writes the caller's data to a file, and closes the descriptor of the data. attached: mounts a
 * temporary file at the path instead of creating a file there.
 */
int op_write_data(struct cursor *c)
{
	u32 descriptor = take_u32(c);
	const char *path = take_string(c);
	u32 mode = take_u32(c), attached = take_u32(c);
	u64 attributes = take_u64(c);
	long fd, tree, err = finished(c);

	if (err)
		return (int)err;
	fd = attached ? open_own(mode) : open_file(path, mode);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	err = in_part(PART_SOURCE, copy_all(descriptor, fd));
	sys(__NR_close, descriptor);
	if (err >= 0 && attached) {
		tree = sys(__NR_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		err = in_part(PART_FILE_SYSTEM, tree);
		if (err >= 0) {
			err = in_part(PART_ATTRIBUTES, set_attributes((int)tree, attributes, 0));
			if (err < 0)
				sys(__NR_close, tree);
			else
				err = attach_at((int)tree, path, 0, 0, 0);
		}
	}
	if (attached) {
		tree = sys(__NR_unlinkat, empty_fd, OWN_NAME, 0);
		err = err < 0 ? err : tree;
	}
	sys(__NR_close, fd);
	return err < 0 ? (int)err : 0;
}

/*
 * Changes the mode of a file through the descriptor's name in /proc. chmod by the path would follow
 * symbolic links that lead outside of the root.
 */
int op_change_mode(struct cursor *c)
{
	const char *path = take_string(c);
	u32 mode = take_u32(c);
	int fd, err = finished(c);
	char name[32];

	if (err)
		return err;
	note_target(path);
	fd = resolve_in(base_of(path), path, 0);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	descriptor_path(name, fd);
	err = (int)sys(__NR_fchmodat, AT_FDCWD, name, mode);
	sys(__NR_close, fd);
	return err;
}

/* Makes one mount read-only, without the mounts below it. */
int op_make_read_only(struct cursor *c)
{
	const char *path = take_string(c);
	int fd, err = finished(c);

	if (err)
		return err;
	note_target(path);
	fd = resolve_in(base_of(path), path, 0);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	err = in_part(PART_ATTRIBUTES, set_attributes(fd, MOUNT_ATTR_RDONLY, 0));
	sys(__NR_close, fd);
	return err;
}
