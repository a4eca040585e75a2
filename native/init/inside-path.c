/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves paths inside the job's root, and creates what is missing on them. The owner of the tree
 * may be hostile, see root.c.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

#define MAX_OURS 64
#define RACES 1000	/* maximum tries of openat2, which returns EAGAIN after a concurrent rename */

static u64 ours[MAX_OURS];	/* mounts in which missing mount points may be created */
static u32 ours_count;
static int everywhere;		/* true if missing mount points may be created in every mount of the root */
static struct { int anywhere; u32 parents, directory, file; } missing = { 0, 0755, 0755, 0644 };

long stat_in(int fd, const char *path, struct statx *found)
{
	return sys(__NR_statx, fd, path, *path ? 0 : AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, found);
}

long is_directory(int fd)
{
	struct statx found;
	long err = stat_in(fd, "", &found);

	if (!err && (found.stx_mode & S_IFMT) == S_IFLNK)
		return -ELOOP;
	return err < 0 ? err : (found.stx_mode & S_IFMT) == S_IFDIR;
}

static long may_make_in(int fd)
{
	struct statx found;
	long err;

	if (everywhere)
		return 1;
	err = stat_in(fd, "", &found);

	if (err < 0 || !(found.stx_mask & STATX_MNT_ID))
		return err;
	for (u32 i = 0; i < ours_count; i++)
		if (ours[i] == found.stx_mnt_id)
			return 1;
	return 0;
}

/*
 * Records that missing mount points may be created in this mount. It must belong only to the job,
 * or be the root that the user named.
 */
long make_in(int fd)
{
	struct statx found;
	long err;

	if (everywhere)
		return 0;
	err = stat_in(fd, "", &found);

	if (!err && ours_count < MAX_OURS && found.stx_mask & STATX_MNT_ID)
		ours[ours_count++] = found.stx_mnt_id;
	return err;
}

/*
 * Opens a path below base as a mount target. O_PATH never opens a device or FIFO. In a root where
 * anything may be created, a link at the end is not followed, as in bubblewrap.
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

/* Allows missing directories and files of a path to be created, with these modes, anywhere this process may write. */
void make_missing(u32 parents, u32 directory, u32 file)
{
	missing.anywhere = 1;
	missing.parents = parents;
	missing.directory = directory;
	missing.file = file;
}

/* Allows missing mount points to be created in every mount of the root, as in a container of an OCI runtime. */
void make_everywhere(void)
{
	everywhere = 1;
}

/* Returns true if this process's id is not mapped in its user namespace. setfsuid(-1) only returns the id. */
int is_outside(void)
{
	return sys(__NR_setfsuid, -1) == K_OVERFLOW_ID;
}

/*
 * Switches this process to root of the user namespace to create files; end_inside switches back. A
 * process without a mapped id cannot create anything inside (EOVERFLOW). With the caller's own id,
 * the process can open files outside that only the caller may open. setreuid copies the effective id to the file system id, also where
 * the effective id is not mapped.
 */
int begin_inside(void)
{
	if (!is_outside())
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

/*
 * Creates one component of a path. mkdirat and mknodat do not follow a link that another process
 * creates under this name meanwhile.
 */
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

/* Resolves path[0, end) below the base. Creates its last component if that is missing. */
static int make_part(int base, int parent, char *path, size_t start, size_t end, int directory, u64 resolve)
{
	char prefix[4096];
	int last = 1, next, err;

	for (size_t i = end; path[i]; i++)
		last &= path[i] == '/';
	memcpy(prefix, path, end);
	/* the slash at the end makes openat2 follow a link in this component */
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
 * Resolves a target like resolve_in, and creates missing components on the way. Resolves each
 * parent again from the base, and creates the next component through the parent's descriptor.
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
		/* a dangling link is refused if anything may be created, as in bubblewrap; otherwise it is followed */
		if (next == -ENOENT && !missing.anywhere && links++ < K_MAXSYMLINKS && !follow_dangling(parent, path, at, end)) {
			/* the link was replaced by its target: resolve again from the root */
			next = resolve_in(base, ".", resolve);
			end = 0;
		}
		sys(__NR_close, parent);
		parent = next;
		at = end;
	}
	return parent;
}
