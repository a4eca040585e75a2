/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts file systems by mount(2), whose options may fill a page. A value passed to fsconfig(2) is
 * limited to 255 bytes, and the layers of an overlay can be longer. The target is a descriptor's
 * name in /proc, so concurrent renames have no effect.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "../hutch.h"

#define KEY_AT_MOST 31
#define VALUE_AT_MOST 255

/* Flags of mount(2) for attributes with other values. */
static const struct { u64 attribute, flag; } others[] = {
	{ MOUNT_ATTR_NOATIME, 1 << 10 },
	{ MOUNT_ATTR_NODIRATIME, 1 << 11 },
	{ MOUNT_ATTR_STRICTATIME, 1 << 24 },
	{ 0x00200000 /* MOUNT_ATTR_NOSYMFOLLOW */, 1 << 8 },
};

/* Returns true if fsconfig(2) cannot take one of the options. */
int is_too_long(const struct strings *options)
{
	const char *option = options->first;

	for (u32 i = 0; i < options->count; i++, option = next_string(option)) {
		size_t key = 0;

		while (option[key] && option[key] != '=')
			key++;
		if (key > KEY_AT_MOST || (option[key] && text_length(option + key + 1) > VALUE_AT_MOST))
			return 1;
	}
	return 0;
}

static int join(char *to, size_t size, const struct strings *options)
{
	const char *option = options->first;
	size_t at = 0;

	for (u32 i = 0; i < options->count; i++, option = next_string(option)) {
		size_t length = text_length(option);

		if (at + length + 2 > size)
			return -E2BIG;
		if (i)
			to[at++] = ',';
		memcpy(to + at, option, length);
		at += length;
	}
	to[at] = 0;
	return 0;
}

/* Mounts a new file system at a path in the root. */
int mount_at(const char *source, const char *target, const char *type, const struct strings *options, u64 attributes,
	     u64 resolve)
{
	/* RDONLY, NOSUID, NODEV and NOEXEC have the same values in both calls */
	u64 flags = attributes & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	char data[4096], name[32];
	int fd, inside, err = join(data, sizeof data, options);

	if (err)
		return in_part(PART_FILE_SYSTEM, err);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		flags |= attributes & others[i].attribute ? others[i].flag : 0;
	note_target(target);
	fd = make_target(base_of(target), target, 1, resolve);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	descriptor_path(name, fd);
	inside = begin_inside();
	err = in_part(PART_FILE_SYSTEM, sys(__NR_mount, source, name, type, flags, data));
	end_inside(inside);
	sys(__NR_close, fd);
	if (err)
		return err;
	fd = resolve_in(base_of(target), target, resolve);
	if (fd < 0)
		return in_part(PART_TARGET, fd);
	err = in_part(PART_ATTRIBUTES, propagate(fd));
	sys(__NR_close, fd);
	return err;
}
