/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches mounts to the job's root: copies of trees, new file systems, overlays. Sources are the
 * user's paths and are opened once, from outside. Targets are resolved inside the job's root (see
 * root.c). A target that does not begin with "/" is relative to the file system attached last. So
 * no link can redirect a mount that belongs into /dev or /proc.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

/*
 * Attaches a mount at the target and closes the mount's descriptor. Creates a missing target where
 * that is allowed.
 */
int attach_at(int mount_fd, const char *target, int directory, u64 resolve, int holds)
{
	int fd, err;

	note_target(target);
	err = in_part(PART_ATTRIBUTES, propagate(mount_fd));
	if (err >= 0)
		err = attach_new_name(mount_fd, target, directory);
	if (err < 0) {
		sys(__NR_close, mount_fd);
		return err;
	}
	if (err == 0) {
		keep(mount_fd, target, holds);
		return 0;
	}
	fd = make_target(base_of(target), target, directory, resolve);
	if (fd < 0) {
		sys(__NR_close, mount_fd);
		return in_part(PART_TARGET, fd);
	}
	/* check the type first: kernels differ in the errno for a file attached on a directory */
	err = (int)is_directory(fd);
	if (err >= 0)
		err = err == directory ? attach(mount_fd, fd) : directory ? -ENOTDIR : -EISDIR;
	sys(__NR_close, fd);
	if (err < 0) {
		sys(__NR_close, mount_fd);
		return in_part(PART_ATTACH, err);
	}
	keep(mount_fd, target, holds);
	return 0;
}

/*
 * Returns true if a path and a descriptor lead to the same file, through mounts with the same
 * flags. Mount ids cannot be compared: a mount's copy in a new namespace has a new id. The flags
 * are compared because another mount of the same file may be writable where this source is
 * read-only.
 */
static int is_same(const char *path, int fd)
{
	struct mount_facts source, found;
	struct statx one, other;

	return sys(__NR_statfs, path, &source) == 0 && sys(__NR_fstatfs, fd, &found) == 0 && source.flags == found.flags &&
	       sys(__NR_statx, AT_FDCWD, path, 0, STATX_INO, &one) == 0 &&
	       sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &other) == 0 && one.stx_ino == other.stx_ino &&
	       one.stx_dev_major == other.stx_dev_major && one.stx_dev_minor == other.stx_dev_minor;
}

/*
 * Copies a mount tree, to attach it elsewhere. A descriptor that was opened before this mount
 * namespace was created belongs to a mount of the old namespace, which cannot be copied. If the
 * descriptor's path leads to the same file here, the path is copied. Otherwise the source is
 * refused.
 */
int copy_tree(const char *source, u32 recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	long fd = sys(__NR_open_tree, AT_FDCWD, source, flags), length;
	static const char prefix[] = "/proc/self/fd/";
	char path[4096];

	if (fd != -EINVAL)
		return (int)fd;
	for (size_t i = 0; i < sizeof prefix - 1; i++)
		if (source[i] != prefix[i])
			return (int)fd;
	length = sys(__NR_readlinkat, AT_FDCWD, source, path, sizeof path - 1);
	if (length <= 0 || path[0] != '/')
		return (int)fd;
	path[length] = 0;
	fd = sys(__NR_open_tree, AT_FDCWD, path, flags);
	if (fd >= 0 && !is_same(source, (int)fd)) {
		sys(__NR_close, fd);
		fd = -ESTALE;
	}
	return (int)fd;
}

int op_attach_tree(struct cursor *c)
{
	const char *source = take_string(c), *target = take_string(c);
	u64 attributes = take_u64(c), absent = take_u64(c);
	u32 recursive = take_u32(c);
	struct numbers changes = take_numbers(c);
	u32 links = take_u32(c);
	long directory;
	int fd, err = finished(c);

	if (err)
		return err;
	fd = recursive & TREE_HELD ? take_held_tree() : copy_tree(source, recursive);
	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	err = refuse_attributes(fd, absent);
	if (err) {
		sys(__NR_close, fd);
		return err;
	}
	directory = is_directory(fd);
	err = directory < 0 ? (int)directory : set_attributes(fd, attributes, 1);
	if (err >= 0)
		err = change_mount(fd, &changes);
	if (err < 0) {
		sys(__NR_close, fd);
		return in_part(PART_ATTRIBUTES, err);
	}
	return attach_at(fd, target, (int)directory, links ? 0 : RESOLVE_NO_SYMLINKS, 0);
}

#define MAX_SENT 64

static int sent_mounts[MAX_SENT];	/* received mounts that are not attached yet, the next one last */
static u32 sent_count;

/* Receives a mount that hutch created outside: see op_send_mapped. */
static int receive_mount(void)
{
	struct descriptor_message message;
	long got;

	make_message(&message, -1);
	do
		got = sys(__NR_recvmsg, report_socket, &message.header, K_MSG_CMSG_CLOEXEC);
	while (got == -EINTR);
	if (got < 0)
		return (int)got;
	if (got == 0)
		return -EOWNERDEAD;
	return message.header.control_length < CONTROL_LENGTH || message.control.fd < 0 ? -EPROTO : message.control.fd;
}

/* Receives mounts that are attached later, so that other messages can come before then. */
int hold_sent(u32 count)
{
	if (count > MAX_SENT)
		return -E2BIG;
	for (u32 i = count; i--;) {
		sent_mounts[i] = receive_mount();
		if (sent_mounts[i] < 0)
			return sent_mounts[i];
	}
	sent_count = count;
	return 0;
}

/* Attaches a mount that hutch created outside and sent over the socket. */
int op_attach_sent(struct cursor *c)
{
	const char *source = take_string(c), *target = take_string(c);
	u32 links = take_u32(c);
	long directory;
	int fd, err = finished(c);

	(void)source;
	if (err)
		return err;
	fd = sent_count ? sent_mounts[--sent_count] : receive_mount();
	if (fd < 0)
		return fd;
	directory = is_directory(fd);
	if (directory < 0)
		return in_part(PART_SOURCE, directory);
	return attach_at(fd, target, (int)directory, links ? 0 : RESOLVE_NO_SYMLINKS, 0);
}

/*
 * Sets the options of a new file system, and creates a mount of it. Each option is "key=value" or
 * "key". Closes fs.
 */
int configured_mount(int fs, const struct strings *options, u64 attributes)
{
	const char *option = options->first;
	char key[32];
	long err = 0;

	for (u32 i = 0; i < options->count && err >= 0; i++, option = next_string(option)) {
		size_t length = 0;

		while (option[length] && option[length] != '=')
			length++;
		if (length >= sizeof key) {
			err = -EINVAL;
			break;
		}
		memcpy(key, option, length);
		key[length] = 0;
		err = option[length] ? sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, key, option + length + 1, 0)
				     : sys(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, key, NULL, 0);
	}
	if (err >= 0)
		err = sys(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (err >= 0)
		err = sys(__NR_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	sys(__NR_close, fs);
	return (int)err;
}

static int sourced_mount(const char *type, const char *source, const struct strings *options, u64 attributes)
{
	int inside = begin_inside();
	long fs = sys(__NR_fsopen, type, FSOPEN_CLOEXEC);

	if (fs >= 0) {
		sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "source", source, 0);	/* the source shown by mount(8) */
		/* the mount of a device must not begin to write to it */
		if (attributes & MOUNT_ATTR_RDONLY && *source == '/')
			sys(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0);
		fs = configured_mount((int)fs, options, attributes);
	}
	end_inside(inside);
	return (int)fs;
}

int new_mount(const char *type, const struct strings *options, u64 attributes)
{
	return sourced_mount(type, type, options, attributes);
}

/*
 * Lets a new file system take over what exists at its target. Concurrent changes of the target
 * matter as little as changes right before this op: what is read is inside the root.
 */
static int fill(int mount_fd, const char *target, u64 resolve, u32 beneath)
{
	int fd = resolve_in(base_of(target), target, resolve), err;

	note_target(target);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	err = (int)is_directory(fd);
	err = err < 0 ? in_part(PART_TARGET, err) : err ? in_part(PART_FILE_SYSTEM, take_over(mount_fd, fd, beneath)) : 0;
	sys(__NR_close, fd);
	return err;
}

/*
 * Attaches a new file system. links: the target may contain symbolic links of the image. /proc,
 * /sys and /dev refuse links: an image that can redirect them could give the job its own files
 * instead (CVE-2019-19921).
 */
int op_attach_new(struct cursor *c)
{
	const char *type = take_string(c);
	struct strings options = take_strings(c);
	const char *target = take_string(c);
	u64 attributes = take_u64(c);
	u32 links = take_u32(c);
	const char *source = take_string(c);
	u32 beneath = take_u32(c);
	u64 resolve = links ? 0 : RESOLVE_NO_SYMLINKS;
	int fd, begins, held = -1, err = finished(c);

	if (err)
		return err;
	source = *source ? source : type;
	if (is_too_long(&options))
		return mount_at(source, target, type, &options, attributes, resolve);
	/* a read-only mount could not be filled */
	fd = sourced_mount(type, source, &options, beneath ? attributes & ~(u64)MOUNT_ATTR_RDONLY : attributes);
	if (fd < 0)
		return in_part(PART_FILE_SYSTEM, fd);
	err = beneath ? fill(fd, target, resolve, beneath) : 0;
	if (!err && beneath)
		err = in_part(PART_ATTRIBUTES, set_attributes(fd, attributes & MOUNT_ATTR_RDONLY, 0));
	if (err < 0) {
		sys(__NR_close, fd);
		return err;
	}
	err = (int)make_in(fd);
	if (err >= 0)
		err = begin_holding(fd, type, &options, &held);
	if (err < 0) {
		sys(__NR_close, fd);
		return in_part(PART_ATTACH, err);
	}
	begins = base_of("/") < 0 && target[0] == '/' && !target[1];
	err = begins ? attach_new_root(fd) : attach_at(fd, target, 1, resolve, 1);
	if (err < 0) {
		if (held >= 0)
			sys(__NR_close, held);
		return err;
	}
	if (*target == '/')
		make_places(fd, begins);
	return in_part(PART_ATTACH, end_holding(held));
}

/* Changes the flags and the propagation of a mount of the root. The target must be where it is mounted. */
int op_change_mount(struct cursor *c)
{
	const char *target = take_string(c);
	struct numbers changes = take_numbers(c);
	int fd, err = finished(c);

	if (err)
		return err;
	note_target(target);
	fd = resolve_in(base_of(target), target, 0);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	err = change_mount(fd, &changes);
	if (err >= 0)
		err = propagate(fd);
	sys(__NR_close, fd);
	return in_part(PART_ATTRIBUTES, err);
}
