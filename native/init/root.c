/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the job's root: a detached copy of a tree, in which mounts are attached through
 * descriptors, and which pivot_root then makes "/". The owner of the tree may be hostile, and may
 * rename files and create links in it meanwhile. So every path in it is resolved by
 * openat2(RESOLVE_IN_ROOT). Then links, ".." and absolute links cannot lead out of the root.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

/* State of the job's root. It is global because hutch-init builds at most one root. */
static int root_fd = -1;	/* descriptor of the new root, or -1 before it is opened */
static int held_fd = -1;	/* the file system that was last mounted at an absolute path */
static int covers_source;	/* true if the new root is attached at its own path, not on top of "/" */
static int own_root;		/* true if the new root is a file system that only this process has used */

/*
 * Returns the descriptor from which a path is resolved. An absolute path begins at the root, a
 * relative one at the file system attached last.
 */
int base_of(const char *path)
{
	return *path == '/' ? root_fd : held_fd;
}

/*
 * Returns the descriptor of a new file system if a path is a name in its top directory, otherwise
 * -1. A relative path is in the file system attached last. Advances *name to the name itself.
 */
static int new_base(const char **name)
{
	int absolute = **name == '/', base = absolute ? own_root ? root_fd : -1 : held_fd;
	size_t i = 0;

	*name += absolute;
	while ((*name)[i] && (*name)[i] != '/')
		i++;
	return i && !(*name)[i] && (*name)[0] != '.' ? base : -1;
}

/*
 * Creates a mount point in the top directory of a new file system, and attaches a mount there. Only
 * this process has used that file system. So a newly created name needs no resolving, and
 * move_mount does not follow a link at its end. The mode does not matter, because the mount covers
 * it. Returns 1 if the path is not such a name, or exists already.
 */
int attach_new_name(int mount_fd, const char *name, int directory)
{
	int inside, absolute = *name == '/', base = new_base(&name);
	long err = 0;

	if (base < 0)
		return 1;
	if (!take_place(name, absolute)) {
		inside = begin_inside();
		err = directory ? sys(__NR_mkdirat, base, name, 0755) : sys(__NR_mknodat, base, name, S_IFREG | 0644, 0);
		end_inside(inside);
	}
	if (err)
		return err == -EEXIST ? 1 : in_part(PART_TARGET, err);
	return in_part(PART_ATTACH, sys(__NR_move_mount, mount_fd, "", base, name, MOVE_MOUNT_F_EMPTY_PATH));
}

/*
 * Creates a symbolic link in the top directory of the file system attached last. symlinkat neither
 * follows nor replaces an existing name.
 */
int link_new_name(const char *name, const char *to)
{
	int inside, base = *name == '/' ? -1 : new_base(&name);
	long err;

	if (base < 0)
		return 1;
	if (take_place(name, 0))
		return 0;
	inside = begin_inside();
	err = sys(__NR_symlinkat, to, base, name);
	end_inside(inside);
	return err == -EEXIST ? 1 : (int)err;
}

int set_attributes(int mount_fd, u64 attributes, int recursive)
{
	struct mount_attr attr = { .attr_set = attributes };

	if (!attributes)
		return 0;
	return (int)sys(__NR_mount_setattr, mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			sizeof attr);
}

/*
 * Attaches a detached mount at a target. The mount and the target are descriptors, so concurrent
 * renames have no effect.
 */
int attach(int mount_fd, int target)
{
	return (int)sys(__NR_move_mount, mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Stores a mount attached at an absolute path, for later relative paths. One at "/" becomes the job's root. Closes others. */
void keep(int mount_fd, const char *path, int holds)
{
	int *at = path[0] == '/' && path[1] == 0 ? &root_fd : holds && path[0] == '/' ? &held_fd : NULL;

	if (at && *at >= 0)
		sys(__NR_close, *at);
	if (at)
		*at = mount_fd;
	else
		sys(__NR_close, mount_fd);
}

/* Attaches a new file system on top of "/", which becomes the job's root. */
int attach_new_root(int mount_fd)
{
	long err = sys(__NR_move_mount, mount_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);

	if (err) {
		sys(__NR_close, mount_fd);
		return in_part(PART_ATTACH, err);
	}
	own_root = 1;
	keep(mount_fd, "/", 0);
	return 0;
}

/*
 * Opens the new root and attaches it on top of "/": before Linux 6.15, nothing can be attached to a
 * detached tree. This process's own root is below the new one, so its absolute paths still lead to
 * the host. makes: where missing mount points may be created: MAKES_NOTHING, MAKES_IN_ROOT or
 * MAKES_EVERYWHERE. covers: attaches the new root at its own path instead, where hooks see it. The
 * path is resolved once, so a link that takes its place meanwhile has no effect.
 */
int op_open_root(struct cursor *c)
{
	const char *source = take_string(c);
	u64 attributes = take_u64(c);
	u32 makes = take_u32(c);
	u32 covers = take_u32(c);
	long place = AT_FDCWD, err = finished(c);
	int fd;

	if (err)
		return (int)err;
	if (covers) {
		place = sys(__NR_openat, AT_FDCWD, source, O_PATH | O_CLOEXEC);
		if (place < 0)
			return in_part(PART_SOURCE, place);
		source = "";
	}
	fd = (int)sys(__NR_open_tree, place, source,
		      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | (covers ? AT_EMPTY_PATH : 0));
	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	err = is_directory(fd);
	if (err <= 0)
		return in_part(PART_SOURCE, err < 0 ? err : -ENOTDIR);
	err = set_attributes(fd, attributes, 1);
	if (err >= 0)
		err = propagate(fd);
	if (err < 0)
		return in_part(PART_ATTRIBUTES, err);
	err = covers ? attach(fd, (int)place) : sys(__NR_move_mount, fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (err < 0)
		return in_part(PART_ATTACH, err);
	if (covers)
		sys(__NR_close, place);
	covers_source = covers != 0;
	if (makes == MAKES_EVERYWHERE)
		make_everywhere();
	err = makes ? make_in(fd) : 0;
	keep(fd, "/", 0);
	return in_part(PART_ATTACH, err);
}

/* Closes what was only needed to make the root. */
static void forget_root(void)
{
	sys(__NR_close, root_fd);
	if (held_fd >= 0)
		sys(__NR_close, held_fd);
	root_fd = held_fd = -1;
	forget_covers();
}

/*
 * Makes the new root "/". pivot_root(".", ".") stacks the old root on the new one. Then every mount
 * on top is detached until the new root is on top. "/.." is the only path to the top of this stack.
 * At the end, no host mount is reachable, even if the host had mounts over its "/".
 */
int op_pivot_root(struct cursor *c)
{
	u32 stays = take_u32(c);
	char where[4096] = "/";
	struct statx self, top;
	long err = finished(c);

	if (err)
		return (int)err;
	if (root_fd < 0)
		return -EPROTO;
	if (stays && (sys(__NR_getcwd, where, sizeof where) < 0 || where[0] != '/'))
		where[0] = '/', where[1] = 0;
	err = stat_in(root_fd, "", &self);
	if (!err && !(self.stx_mask & STATX_MNT_ID))
		err = -ENOSYS;
	if (!err)
		err = sys(__NR_fchdir, root_fd);
	if (!err)
		err = sys(__NR_pivot_root, ".", ".");
	while (!err) {
		err = stat_in(AT_FDCWD, "/..", &top);
		if (err || top.stx_mnt_id == self.stx_mnt_id)
			break;
		err = sys(__NR_umount2, "/..", K_MNT_DETACH);
	}
	if (!err)
		err = sys(__NR_chdir, "/");
	if (err)
		return (int)err;
	/* enter "/" first: the caller's working directory may not exist in the new root */
	if (where[1])
		sys(__NR_chdir, where);
	forget_root();
	return 0;
}

/*
 * Makes the new root "/" where pivot_root(2) is impossible, because the host's root is a ramfs. The
 * new root is on top of it, or is moved there from its own path. The host's /proc and /sys are
 * detached, because they stay below the new root, and nothing in them is masked.
 */
int op_move_root(struct cursor *c)
{
	long err = finished(c);

	if (err)
		return (int)err;
	if (root_fd < 0)
		return -EPROTO;
	if (covers_source) {
		err = sys(__NR_move_mount, root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
		if (err)
			return (int)err;
	}
	sys(__NR_umount2, "/proc", K_MNT_DETACH);
	sys(__NR_umount2, "/sys", K_MNT_DETACH);
	err = sys(__NR_fchdir, root_fd);
	if (!err)
		err = sys(__NR_chroot, ".");
	if (!err)
		err = sys(__NR_chdir, "/");
	if (err)
		return (int)err;
	forget_root();
	return 0;
}
