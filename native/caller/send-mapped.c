/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps the ids of mounts outside of the job, and sends the mounts to the child. Only the owner of a
 * file system may map its ids, so the child cannot (mount_setattr(2)).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <signal.h>

#include "../hutch.h"

/* Returns true if the child reported a failure or is gone. The report is read at its end. */
static int has_failed(int fd)
{
	struct report report;
	long got = receive(fd, &report, sizeof report, K_MSG_PEEK | K_MSG_DONTWAIT);

	return got == 0 || got == -ECONNRESET || (got == (long)sizeof report && report.kind == REPORT_FAILED);
}

/* Lives in a new user namespace until the other end of the pipe is closed, also by the end of hutch. */
static void keep_namespace(const int *ends)
{
	char byte;

	sys(__NR_close, ends[1]);
	while (sys(__NR_read, ends[0], &byte, 1) == -EINTR)
		;
	sys(__NR_exit_group, 0);
	__builtin_unreachable();
}

/*
 * Creates a user namespace with these maps, and returns its descriptor. The process in which it is
 * born has ended then. It has no exit signal, so other code that waits for any child ignores it.
 */
static int make_namespace(const struct strings *users, const struct strings *groups)
{
	int ends[2], status, err = (int)sys(__NR_pipe2, ends, O_CLOEXEC);
	char path[64];
	long pid, user = -1;

	if (err)
		return err;
	pid = sys6(__NR_clone, CLONE_NEWUSER, 0, 0, 0, 0, 0);
	if (pid == 0)
		keep_namespace(ends);
	sys(__NR_close, ends[0]);
	err = pid < 0 ? (int)pid : write_map((int)pid, "uid_map", users, 0, 0);
	if (!err)
		err = write_map((int)pid, "gid_map", groups, 0, 0);
	if (!err) {
		add_text(add_decimal(add_text(path, "/proc/"), (u64)pid), "/ns/user");
		user = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	}
	sys(__NR_close, ends[1]);
	while (pid > 0 && sys(__NR_wait4, pid, &status, K_WALL, NULL) == -EINTR)
		;
	return err ? err : (int)user;
}

static int is_same(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count || a->length != b->length)
		return 0;
	for (u32 i = 0; i < a->length; i++)
		if (a->first[i] != b->first[i])
			return 0;
	return 1;
}

/* Closes the user namespace that was made for the mounts of this run. */
void forget_maps(struct outer *o)
{
	if (o->has_maps)
		sys(__NR_close, o->maps_fd);
	o->has_maps = 0;
}

/*
 * Returns a descriptor of the user namespace with the maps of a mount. It is a new one with the
 * mount's own maps, that of a file, or the child's. The next mounts with the same maps share it.
 */
static int namespace_of(struct outer *o, const char *file, const struct strings *users, const struct strings *groups)
{
	char path[64];

	if (users->count && o->has_maps && is_same(users, &o->map_users) && is_same(groups, &o->map_groups))
		return o->maps_fd;
	forget_maps(o);
	if (users->count) {
		o->maps_fd = make_namespace(users, groups);
	} else {
		add_text(add_decimal(add_text(path, "/proc/"), (u64)o->pid), "/ns/user");
		o->maps_fd = (int)sys(__NR_openat, AT_FDCWD, *file ? file : path, O_RDONLY | O_CLOEXEC);
	}
	o->has_maps = o->maps_fd >= 0;
	o->map_users = *users;
	o->map_groups = *groups;
	return o->maps_fd;
}

/*
 * Maps the ids of a mount and sends it to the child, which attaches it. maps: whether the ids of the
 * mounts below it are mapped too.
 */
int op_send_mapped(struct outer *o, struct cursor *c)
{
	const char *source = take_string(c);
	u64 attributes = take_u64(c), absent = take_u64(c);
	u32 recursive = take_u32(c) ? AT_RECURSIVE : 0;
	struct numbers changes = take_numbers(c);
	struct strings users = take_strings(c), groups = take_strings(c);
	u32 whole = take_u32(c) ? AT_RECURSIVE : 0;
	const char *file = take_string(c);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP }, others = { .attr_set = attributes };
	struct descriptor_message message;
	long user, tree, err = finished(c);

	if (err)
		return (int)err;
	/* without this check, a later step would fail with an error about unmapped ids */
	if (has_failed(o->report_fd))
		return 0;
	user = namespace_of(o, file, &users, &groups);
	if (user < 0)
		return (int)user;
	tree = sys(__NR_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	err = in_part(PART_SOURCE, tree);
	attr.userns_fd = (u64)user;
	if (err >= 0)
		err = refuse_attributes((int)tree, absent);
	if (err >= 0)
		err = in_part(PART_ATTRIBUTES,
			      sys(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | whole, &attr, sizeof attr));
	if (err >= 0 && attributes)
		err = in_part(PART_ATTRIBUTES,
			      sys(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &others, sizeof others));
	if (err >= 0)
		err = in_part(PART_ATTRIBUTES, change_mount((int)tree, &changes));
	if (err >= 0) {
		make_message(&message, (int)tree);
		err = sent(sys(__NR_sendmsg, o->report_fd, &message.header, K_MSG_NOSIGNAL));
	}
	if (tree >= 0)
		sys(__NR_close, tree);
	return (int)err;
}
