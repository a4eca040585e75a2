/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates device files in the job's root. No symbolic link of the image may lead to them: an image
 * whose /dev is a link could otherwise place them elsewhere.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

struct node {
	const char *path;	/* absolute path in the root */
	u32 mode, major, minor, uid, gid;	/* mode includes the type */
};

/* The directory of the last device file, since most are in the same one. */
static struct { int fd; const char *path; size_t length; } last = { -1, NULL, 0 };

static int directory_of(const char *path, const char **name)
{
	size_t slash = 0, same = 0;

	for (size_t i = 0; path[i]; i++)
		if (path[i] == '/')
			slash = i;
	while (last.path && same < slash && same < last.length && path[same] == last.path[same])
		same++;
	if (last.fd >= 0 && same == slash && same == last.length) {
		*name = path + slash + 1;
		return last.fd;
	}
	if (last.fd >= 0)
		sys(__NR_close, last.fd);
	last.fd = open_parent(path, name, RESOLVE_NO_SYMLINKS);
	last.path = path;
	last.length = slash;
	return last.fd;
}

static int is_node(int fd, const struct node *n)
{
	struct statx found;
	long err = stat_in(fd, "", &found);

	if (err < 0)
		return (int)err;
	return (found.stx_mode & S_IFMT) == (n->mode & S_IFMT) &&
	       (S_ISFIFO(n->mode) || (found.stx_rdev_major == n->major && found.stx_rdev_minor == n->minor));
}

/* Opens a file of a directory, and checks that it is this device. Returns -EEXIST for another file. */
static int open_node(int parent, const char *name, const struct node *n)
{
	int fd = (int)sys(__NR_openat, parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), is;

	if (fd < 0)
		return fd;
	is = is_node(fd, n);
	if (is > 0)
		return fd;
	sys(__NR_close, fd);
	return is < 0 ? is : -EEXIST;
}

/* Creates a device file. An existing one of the same device is kept. */
static int create_node(int parent, const char *name, const struct node *n)
{
	u32 device = (n->minor & 0xff) | n->major << 8 | (n->minor & ~0xffu) << 12;
	long mask = sys(__NR_umask, 0), err;
	int fd, inside = begin_inside();

	err = sys(__NR_mknodat, parent, name, n->mode, device);
	end_inside(inside);
	sys(__NR_umask, mask);
	if (err < 0 && err != -EEXIST)
		return (int)err;
	if (!err && !n->uid && !n->gid)
		return 0;
	fd = open_node(parent, name, n);
	if (fd < 0)
		return fd;
	if (!err)
		err = sys(__NR_fchownat, fd, "", n->uid, n->gid, AT_EMPTY_PATH);
	sys(__NR_close, fd);
	return err == -EEXIST ? 0 : (int)err;
}

/* Mounts the host's device of the same path, if it is the same device. */
static int bind_node(const struct node *n)
{
	int is, fd = (int)sys(__NR_open_tree, AT_FDCWD, n->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	is = is_node(fd, n);
	if (is > 0)
		is = set_attributes(fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0) ?: 1;
	if (is > 0)
		return attach_at(fd, n->path, 0, RESOLVE_NO_SYMLINKS, 0);
	sys(__NR_close, fd);
	return in_part(PART_SOURCE, is < 0 ? is : -ENODEV);
}

/*
 * Creates a device file. binds: this process may not create devices (in a user namespace), so the
 * host's is mounted.
 */
int op_make_node(struct cursor *c)
{
	struct node n = { .path = take_string(c) };
	const char *name;
	int parent, err;
	u32 binds;

	n.mode = take_u32(c);
	n.major = take_u32(c);
	n.minor = take_u32(c);
	n.uid = take_u32(c);
	n.gid = take_u32(c);
	binds = take_u32(c);
	err = finished(c);
	if (err)
		return err;
	note_target(n.path);
	if (binds && !S_ISFIFO(n.mode))
		return bind_node(&n);
	parent = directory_of(n.path, &name);
	if (parent < 0)
		return in_part(PART_TARGET, parent);
	err = create_node(parent, name, &n);
	/* inside a container without CAP_MKNOD */
	return err == -EPERM && !S_ISFIFO(n.mode) ? bind_node(&n) : in_part(PART_TARGET, err);
}
