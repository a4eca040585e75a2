/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job's own root: a detached copy of a tree, assembled from inside by descriptors, and made "/" by
 * pivot_root. The tree may be hostile, with links and renames during the assembly. A path in it is
 * therefore only resolved by openat2(RESOLVE_IN_ROOT), which keeps links, ".." and absolute links
 * below the root's descriptor.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

#define MAX_OURS 64
#define RACES 1000	/* renames in the same tree make RESOLVE_IN_ROOT say EAGAIN */

/* One root a process: hutch-init builds it and never another. */
static int root_fd = -1;	/* the new root, once opened */
static int held_fd = -1;	/* the file system attached last at an absolute path */
static u64 ours[MAX_OURS];	/* mounts in which missing mount points may be made */
static u32 ours_count;
static struct { int anywhere; u32 parents, directory, file; } missing = { 0, 0755, 0755, 0644 };

static long look_at(int fd, const char *path, struct statx *found)
{
	return sys(__NR_statx, fd, path, *path ? 0 : AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, found);
}

long is_directory(int fd)
{
	struct statx found;
	long err = look_at(fd, "", &found);

	if (!err && (found.stx_mode & S_IFMT) == S_IFLNK)
		return -ELOOP;
	return err < 0 ? err : (found.stx_mode & S_IFMT) == S_IFDIR;
}

static long may_make_in(int fd)
{
	struct statx found;
	long err = look_at(fd, "", &found);

	if (err < 0 || !(found.stx_mask & STATX_MNT_ID))
		return err;
	for (u32 i = 0; i < ours_count; i++)
		if (ours[i] == found.stx_mnt_id)
			return 1;
	return 0;
}

/* Mount points may be made in this mount: it is the job's alone, or the root that the user named. */
long make_in(int fd)
{
	struct statx found;
	long err = look_at(fd, "", &found);

	if (!err && ours_count < MAX_OURS && found.stx_mask & STATX_MNT_ID)
		ours[ours_count++] = found.stx_mnt_id;
	return err;
}

/* An absolute path is meant from the root, another one from the file system attached last. */
int base_of(const char *path)
{
	return *path == '/' ? root_fd : held_fd;
}

/*
 * Opens a path below base to attach a mount there. Its type does not matter, so no device or fifo is
 * ever opened. If missing parts may be created, a link at the end is not followed, as in bubblewrap.
 */
int resolve_in(int base, const char *path, u64 resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (missing.anywhere ? O_NOFOLLOW : 0),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	long fd;

	if (base < 0)
		return -EPROTO;
	for (int tries = 0; tries < RACES; tries++) {
		fd = sys(__NR_openat2, base, path, &how, sizeof how);
		if (fd != -EAGAIN)
			break;
	}
	return (int)fd;
}

/* From here on what is missing is made wherever this process may write, and with these modes. */
void make_missing(u32 parents, u32 directory, u32 file)
{
	missing.anywhere = 1;
	missing.parents = parents;
	missing.directory = directory;
	missing.file = file;
}

/*
 * A caller without mapped ids cannot create files inside (EOVERFLOW), but only the caller can open
 * files that are closed to other users outside. Files are therefore created as root of the user
 * namespace, and then the ids are restored. -1 is an invalid id: setfsuid then only returns the
 * current one. setreuid restores the file id from the effective one, which has no name here.
 */
int begin_inside(void)
{
	if (sys(__NR_setfsuid, -1) != K_OVERFLOW_ID)
		return 0;
	sys(__NR_setfsgid, 0);
	sys(__NR_setfsuid, 0);
	return 1;
}

void end_inside(int begun)
{
	if (!begun)
		return;
	sys(__NR_setreuid, -1, -1);
	sys(__NR_setregid, -1, -1);
}

/* mkdirat and mknodat do not follow a link that was put at the name meanwhile. */
static int make_one(int parent, const char *name, int directory, int last)
{
	long err = may_make_in(parent), mask;
	int inside;

	if (!missing.anywhere && err <= 0)
		return err < 0 ? (int)err : -ENOENT;
	mask = sys(__NR_umask, 0);
	inside = begin_inside();
	err = directory ? sys(__NR_mkdirat, parent, name, last ? missing.directory : missing.parents)
			: sys(__NR_mknodat, parent, name, S_IFREG | missing.file, 0);
	end_inside(inside);
	sys(__NR_umask, mask);
	return err == -EEXIST ? 0 : (int)err;
}

/* Resolves the part of path that ends at end, and makes it if it is missing. */
static int make_part(int base, int parent, char *path, size_t start, size_t end, int directory, u64 resolve)
{
	char prefix[4096];
	int last = 1, next, err;

	for (size_t i = end; path[i]; i++)
		last &= path[i] == '/';
	memcpy(prefix, path, end);
	/* a link on the way is followed */
	prefix[end] = last ? 0 : '/';
	prefix[end + 1] = 0;
	next = resolve_in(base, prefix, resolve);
	if (next != -ENOENT)
		return next;
	prefix[end] = 0;
	err = make_one(parent, prefix + start, directory || !last, last);
	prefix[end] = last ? 0 : '/';
	return err < 0 ? err : resolve_in(base, prefix, resolve);
}

/*
 * Like resolve_in, but creates missing parts. Each parent is resolved again from the base, and the
 * next name is created in that descriptor.
 */
int make_target(int base, const char *target, int directory, u64 resolve)
{
	char path[4096];
	size_t length = text_length(target), at = 0, end;
	int parent, next, links = 0;

	next = resolve_in(base, target, resolve);
	if (next != -ENOENT)
		return next;
	if (length >= sizeof path - 2)
		return -ENAMETOOLONG;
	memcpy(path, target, length + 1);
	parent = resolve_in(base, ".", resolve);
	while (parent >= 0) {
		while (path[at] == '/')
			at++;
		for (end = at; path[end] && path[end] != '/'; end++)
			;
		if (end == at)
			break;
		next = make_part(base, parent, path, at, end, directory, resolve);
		/* bubblewrap refuses such a link, so it is not followed where anything may be made */
		if (next == -ENOENT && !missing.anywhere && links++ < K_MAXSYMLINKS && !follow_dangling(parent, path, at, end)) {
			/* from the root again */
			next = resolve_in(base, ".", resolve);
			end = 0;
		}
		sys(__NR_close, parent);
		parent = next;
		at = end;
	}
	return parent;
}

/* A name alone, so that it can only be in the top of the file system attached last. */
static int is_in_held(const char *name)
{
	size_t i = 0;

	while (name[i] && name[i] != '/')
		i++;
	return held_fd >= 0 && i && !name[i];
}

/*
 * Creates a mount point in the top directory of the last attached file system, and attaches there. No
 * other process has had access to that file system: a name that could be created is the created one,
 * so nothing needs resolving. move_mount does not follow a link at the end either. The mount covers
 * the directory's mode. 1: unsuitable name, or it exists.
 */
int attach_new_name(int mount_fd, const char *name, int directory)
{
	long err;
	int inside;

	if (!is_in_held(name))
		return 1;
	inside = begin_inside();
	err = directory ? sys(__NR_mkdirat, held_fd, name, 0755) : sys(__NR_mknodat, held_fd, name, S_IFREG | 0644, 0);
	end_inside(inside);
	if (err)
		return err == -EEXIST ? 1 : in_part(PART_TARGET, err);
	return in_part(PART_ATTACH, sys(__NR_move_mount, mount_fd, "", held_fd, name, MOVE_MOUNT_F_EMPTY_PATH));
}

/* The same for a link; symlinkat neither follows nor replaces what is there. */
int link_new_name(const char *name, const char *to)
{
	long err;
	int inside;

	if (!is_in_held(name))
		return 1;
	inside = begin_inside();
	err = sys(__NR_symlinkat, to, held_fd, name);
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

/* Puts a detached mount onto target; both are descriptors, so nothing that changes its name meanwhile matters. */
int attach(int mount_fd, int target)
{
	return (int)sys(__NR_move_mount, mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/*
 * After attaching at an absolute path. What is attached at "/" is the root
 * from now on. Closes mount_fd unless it is kept.
 */
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

/*
 * The copy is attached on top of "/", which changes nothing for a process whose root is below it:
 * paths from outside still mean the host's. (Before 6.15 nothing can be attached to a detached tree.)
 * makes: missing mount points may be created in it.
 */
int op_open_root(struct cursor *c)
{
	const char *source = take_string(c);
	u64 attributes = take_u64(c);
	u32 makes = take_u32(c);
	long err = finished(c);
	int fd;

	if (err)
		return (int)err;
	fd = (int)sys(__NR_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	err = is_directory(fd);
	if (err <= 0)
		return in_part(PART_SOURCE, err < 0 ? err : -ENOTDIR);
	err = set_attributes(fd, attributes, 1);
	if (err < 0)
		return in_part(PART_ATTRIBUTES, err);
	err = sys(__NR_move_mount, fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	if (err < 0)
		return in_part(PART_ATTACH, err);
	err = makes ? make_in(fd) : 0;
	keep(fd, "/", 0);
	return in_part(PART_ATTACH, err);
}

/*
 * pivot_root(".", ".") stacks the old root on the new one; whatever is on top
 * of us is then taken off until we are on top ourselves. "/.." is the one
 * path that leads to the top of that stack. In the end no mount of the host
 * can be reached, whatever it had mounted over its "/".
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
	err = look_at(root_fd, "", &self);
	if (!err && !(self.stx_mask & STATX_MNT_ID))
		err = -ENOSYS;
	if (!err)
		err = sys(__NR_fchdir, root_fd);
	if (!err)
		err = sys(__NR_pivot_root, ".", ".");
	while (!err) {
		err = look_at(AT_FDCWD, "/..", &top);
		if (err || top.stx_mnt_id == self.stx_mnt_id)
			break;
		err = sys(__NR_umount2, "/..", K_MNT_DETACH);
	}
	if (!err)
		err = sys(__NR_chdir, "/");
	if (err)
		return (int)err;
	/* as the caller's directory may be missing in there */
	if (where[1])
		sys(__NR_chdir, where);
	sys(__NR_close, root_fd);
	if (held_fd >= 0)
		sys(__NR_close, held_fd);
	root_fd = held_fd = -1;
	forget_covers();
	return 0;
}
