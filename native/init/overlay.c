/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches overlays to the job's root. Their layers are the user's paths, opened once, from outside. */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"

#define MAX_LAYERS 10	/* an option string passed to fsconfig(2) is limited to 255 bytes */
#define OVERLAY_DROPS 1
#define OVERLAY_USER_ATTRIBUTES 2	/* mounts overlayfs with userxattr, also outside of a user namespace */

static int open_layer(int base, const char *path)
{
	if (base < 0)
		return (int)sys(__NR_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return resolve_in(base, path, RESOLVE_NO_SYMLINKS);
}

/*
 * Returns true outside of the initial user namespace. Elsewhere a process may not set trusted.*
 * attributes, in which overlayfs stores its markers by default.
 */
static int in_user_namespace(void)
{
	struct statx found;

	return sys(__NR_statx, AT_FDCWD, "/proc/self/ns/user", 0, STATX_INO, &found) != 0 ||
	       found.stx_ino != K_PROC_USER_INIT_INO;
}

static int overlay_mount(const struct strings *lower, int upper, int work, int how, u64 attributes)
{
	char layers[256], *at = layers, name[32];
	const char *path = lower->first;
	int layer[MAX_LAYERS], opened = 0, inside;
	long err = 0, fs = -1;

	if (lower->count == 0 || lower->count > MAX_LAYERS)
		return in_part(PART_SOURCE, -E2BIG);
	for (; opened < (int)lower->count; opened++, path = next_string(path)) {
		layer[opened] = open_layer(-1, path);
		if (layer[opened] < 0) {
			err = in_part(PART_SOURCE, layer[opened]);
			break;
		}
		if (opened)
			*at++ = ':';
		at = descriptor_path(at, layer[opened]);
	}
	/* overlayfs accesses its layers with the credentials of the process that mounts it */
	inside = begin_inside();
	if (!err)
		fs = err = in_part(PART_FILE_SYSTEM, sys(__NR_fsopen, "overlay", FSOPEN_CLOEXEC));
	if (err >= 0)
		err = sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "source", "overlay", 0);
	if (err >= 0)
		err = sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir", layers, 0);
	if (err >= 0 && upper >= 0) {
		descriptor_path(name, upper);
		err = sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "upperdir", name, 0);
	}
	if (err >= 0 && work >= 0) {
		descriptor_path(name, work);
		err = sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, "workdir", name, 0);
	}
	if (err >= 0 && (how & OVERLAY_USER_ATTRIBUTES || in_user_namespace()))
		err = sys(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
	/* the changes are discarded with the job, so they need not be written to a disk */
	if (err >= 0 && how & OVERLAY_DROPS)
		err = sys(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
	if (fs >= 0 && err >= 0)
		err = in_part(PART_FILE_SYSTEM, configured_mount((int)fs, &(struct strings){ 0, 0, "" }, attributes));
	else if (fs >= 0)
		sys(__NR_close, fs), err = in_part(PART_FILE_SYSTEM, err);
	end_inside(inside);
	while (opened)
		sys(__NR_close, layer[--opened]);
	return (int)err;
}

/*
 * Attaches an overlay. If upper and work are empty, changes are discarded: the upper layer is in a
 * tmpfs. The tmpfs is attached only until the overlay is mounted, because overlayfs accepts only
 * layers mounted in this namespace. how: OVERLAY_DROPS for such an upper layer in a tmpfs,
 * OVERLAY_USER_ATTRIBUTES for user.* attributes as markers.
 */
int op_attach_overlay(struct cursor *c)
{
	struct strings lower = take_strings(c);
	const char *upper = take_string(c), *work = take_string(c), *target = take_string(c);
	u64 attributes = take_u64(c);
	u32 how = take_u32(c), drops = how & OVERLAY_DROPS;
	int fd = -1, scratch = -1, upper_fd = -1, work_fd = -1, inside, err = finished(c);
	char name[32];

	if (err)
		return err;
	note_target(target);
	if (drops) {
		scratch = new_mount("tmpfs", &(struct strings){ 1, 10, "mode=0755" }, 0);
		if (scratch < 0)
			return in_part(PART_FILE_SYSTEM, scratch);
		inside = begin_inside();
		err = in_part(PART_FILE_SYSTEM, sys(__NR_mkdirat, scratch, "upper", 0755));
		if (err >= 0)
			err = in_part(PART_FILE_SYSTEM, sys(__NR_mkdirat, scratch, "work", 0755));
		end_inside(inside);
		if (err >= 0) {
			fd = make_target(base_of(target), target, 1, 0);
			err = fd < 0 ? in_part(PART_TARGET, fd) : in_part(PART_ATTACH, attach(scratch, fd));
			if (fd >= 0)
				sys(__NR_close, fd);
		}
		if (err < 0) {
			sys(__NR_close, scratch);
			return err;
		}
	}
	if (drops || *upper) {
		upper_fd = open_layer(scratch, drops ? "upper" : upper);
		work_fd = open_layer(scratch, drops ? "work" : work);
	}
	if ((drops || *upper) && (upper_fd < 0 || work_fd < 0))
		fd = in_part(PART_LAYER, upper_fd < 0 ? upper_fd : work_fd);
	else
		fd = overlay_mount(&lower, upper_fd, work_fd, (int)how, attributes);
	if (upper_fd >= 0)
		sys(__NR_close, upper_fd);
	if (work_fd >= 0)
		sys(__NR_close, work_fd);
	if (scratch >= 0) {
		descriptor_path(name, scratch);
		err = in_part(PART_ATTACH, sys(__NR_umount2, name, K_MNT_DETACH));
		sys(__NR_close, scratch);
	}
	if (fd >= 0 && err >= 0)
		err = in_part(PART_ATTACH, make_in(fd));
	if (fd < 0 || err < 0) {
		if (fd >= 0)
			sys(__NR_close, fd);
		return fd < 0 ? fd : err;
	}
	return attach_at(fd, target, 1, 0, 0);
}
