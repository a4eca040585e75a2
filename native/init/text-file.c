/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches a read-only file with text from hutch in the job's root, such as resolv.conf. The file
 * is in a tmpfs that has no path, so nothing is left behind.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "../hutch.h"

#define NAME ".hutch-text"

static int write_text_file(int directory, const char *text)
{
	long fd = sys(__NR_openat, directory, NAME, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
	size_t length = text_length(text);
	long err;

	if (fd < 0)
		return (int)fd;
	err = sys(__NR_write, fd, text, length);
	/* set the mode regardless of the caller's umask */
	if (err == (long)length)
		err = sys(__NR_fchmod, fd, 0444);
	sys(__NR_close, fd);
	return err > 0 ? -EIO : (int)err;
}

/*
 * Creates a file with the text, and a mount of it. The file is in a new tmpfs. Before Linux 6.15,
 * no mount can be copied from a detached tree, so the tmpfs is attached on top of the root for a
 * moment.
 */
static int text_mount(const char *text)
{
	struct strings options = { 1, 10, "mode=0755" };
	int scratch = new_mount("tmpfs", &options, 0), top, fd = -1, err, inside;
	char name[32];

	if (scratch < 0)
		return in_part(PART_FILE_SYSTEM, scratch);
	top = resolve_in(base_of("/"), "/", 0);
	err = top < 0 ? top : attach(scratch, top);
	if (top >= 0)
		sys(__NR_close, top);
	if (err < 0) {
		sys(__NR_close, scratch);
		return in_part(PART_FILE_SYSTEM, err);
	}
	inside = begin_inside();
	err = write_text_file(scratch, text);
	end_inside(inside);
	if (!err)
		fd = err = (int)sys(__NR_open_tree, scratch, NAME, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (err >= 0)
		err = set_attributes(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0);
	descriptor_path(name, scratch);
	top = (int)sys(__NR_umount2, name, K_MNT_DETACH);
	sys(__NR_close, scratch);
	if (err < 0 || top < 0) {
		if (fd >= 0)
			sys(__NR_close, fd);
		return in_part(PART_FILE_SYSTEM, err < 0 ? err : top);
	}
	return fd;
}

/*
 * Creates the file with the text in the job's root if that is a tmpfs, and unlinks it after it is
 * attached. Unmounting a separate tmpfs would wait for an RCU grace period.
 */
static int own_text_mount(const char *text, int root)
{
	int inside = begin_inside(), err = write_text_file(root, text), fd;

	end_inside(inside);
	if (err < 0)
		return in_part(PART_FILE_SYSTEM, err);
	fd = (int)sys(__NR_open_tree, root, NAME, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	err = fd < 0 ? fd : set_attributes(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0);
	if (err >= 0)
		return fd;
	if (fd >= 0)
		sys(__NR_close, fd);
	return in_part(PART_FILE_SYSTEM, err);
}

/*
 * Attaches the file with the text. If its target does not exist and cannot be created, the file is
 * skipped unless it is required.
 */
int op_attach_text(struct cursor *c)
{
	const char *target = take_string(c), *text = take_string(c);
	u32 own = take_u32(c), required = take_u32(c);
	int fd, place, root = -1, err = finished(c);

	if (err)
		return err;
	note_target(target);
	place = make_target(base_of(target), target, 0, 0);
	if (!required && (place == -ENOENT || place == -EROFS))
		return 0;
	if (place < 0)
		return in_part(PART_TARGET, place);
	err = (int)is_directory(place);
	if (err)
		err = err < 0 ? err : -EISDIR;
	if (!err && own)
		root = resolve_in(base_of("/"), "/", 0);
	fd = err ? in_part(PART_TARGET, err) : root >= 0 ? own_text_mount(text, root) : text_mount(text);
	if (fd >= 0) {
		err = in_part(PART_ATTACH, attach(fd, place));
		sys(__NR_close, fd);
	} else {
		err = fd;
	}
	if (root >= 0) {
		int inside = begin_inside(), gone = (int)sys(__NR_unlinkat, root, NAME, 0);

		end_inside(inside);
		sys(__NR_close, root);
		err = err ? err : gone;
	}
	sys(__NR_close, place);
	return err;
}
