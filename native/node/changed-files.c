/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the same files of many groups again and again. Passes only texts that changed since the
 * last read to JavaScript. Activity files, which change whenever the group does something, stay
 * open and are read every time. The other files are read while the activity files change, and
 * otherwise at long intervals. So an idle group costs a few reads. An open file of a group takes 4
 * KB of kernel memory, so not all files are kept open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "follow.h"

/*
 * Milliseconds without activity after which a group counts as idle: the kernel's ten-second
 * averages have decayed by then.
 */
#define AT_REST 8000
/* In place of a descriptor: the file is opened at each read, because too many descriptors are in use. */
#define NOT_HELD (-EMFILE)
#define NOTHING 0	/* digest of a file that was not read; no text has this digest */

/* Number of files that all followers of the process keep open. Several threads change it; a rough count is enough. */
static size_t held;

static size_t max_held(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 4 * 3 : 256;
}

static void drop_fd(int32_t *fd)
{
	if (*fd < 0)
		return;
	sys(__NR_close, *fd);
	__atomic_sub_fetch(&held, 1, __ATOMIC_RELAXED);
	*fd = -ENOENT;
}

void free_slot(struct follower *f, size_t slot)
{
	struct followed *group = f->slots[slot];

	if (!group)
		return;
	for (size_t i = 0; i < f->file_count; i++)
		drop_fd(&group->files[i].fd);
	free(group->directory);
	free(group);
	f->slots[slot] = NULL;
	if (slot < f->first_free)
		f->first_free = slot;
}

/*
 * Opens those of the first `count` files that are not open yet. Stops keeping files open at three
 * quarters of the descriptor limit.
 */
void open_files(struct follower *f, struct followed *group, size_t count)
{
	long directory = open_group(group->directory);
	const char *name = f->names;
	size_t max = max_held();

	for (size_t i = 0; i < count; i++, name = next_string(name)) {
		int32_t *fd = &group->files[i].fd;

		if (*fd >= 0)
			continue;
		if (directory == -EMFILE || directory == -ENFILE || held >= max) {
			*fd = NOT_HELD;
			continue;
		}
		*fd = (int32_t)open_file(directory, name);
		if (*fd == -EMFILE || *fd == -ENFILE)
			*fd = NOT_HELD;
		if (*fd >= 0)
			__atomic_add_fetch(&held, 1, __ATOMIC_RELAXED);
	}
	close_fd(directory);
}

static u64 digest(const char *bytes, size_t length)
{
	u64 sum = length + 1, word;

	for (; length >= 8; length -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 29;
	}
	word = 0;
	memcpy(&word, bytes, length);
	sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
	sum ^= sum >> 32;
	return sum == NOTHING ? 1 : sum;
}

/*
 * Reopens the files of a group that was removed, or whose controller was disabled. Another group
 * may have the same name by now.
 */
static void reopen(struct follower *f, struct followed *group)
{
	char byte;

	for (size_t i = 0; i < f->file_count; i++)
		if (group->files[i].fd >= 0 && sys(__NR_pread64, group->files[i].fd, &byte, 1, 0) == -ENODEV)
			drop_fd(&group->files[i].fd);
	open_files(f, group, group->open ? f->file_count : f->signs);
	group->known = 0;
}

/* Appends a file's text to the output. Returns its length, or -errno. */
static long append_file(struct output *out, const struct followed *group, u32 file, const char *name)
{
	long directory, length, fd = group->files[file].fd;

	if (fd != NOT_HELD)
		return fd < 0 ? fd : append_text(out, fd);
	directory = open_group(group->directory);
	fd = open_file(directory, name);
	close_fd(directory);
	length = fd < 0 ? fd : append_text(out, fd);
	close_fd(fd);
	return length;
}

/*
 * Appends a text to the output if it has changed. The record is i32 slot, file, length or -errno,
 * then the text, padded to 4 bytes. Returns 1 if the text has changed, otherwise 0.
 */
static int look_at(struct output *out, struct follower *f, u32 slot, u32 file, const char *name)
{
	struct followed *group = f->slots[slot];
	size_t head = out->length;
	int32_t record[3] = { (int32_t)slot, (int32_t)file, 0 };
	u64 now = NOTHING;
	long length;
	int err = reserve(out, sizeof record);

	if (err)
		return err;
	out->length += sizeof record;
	length = append_file(out, group, file, name);
	if (length == -ENODEV) {
		reopen(f, group);
		length = append_file(out, group, file, name);
	}
	if (length == -ENOMEM)
		return -ENOMEM;
	if (length >= 0)
		now = digest(out->bytes + head + sizeof record, (size_t)length);
	if (now == group->files[file].digest) {
		out->length = head;
		return 0;
	}
	group->files[file].digest = now;
	record[2] = (int32_t)length;
	memcpy(out->bytes + head, record, sizeof record);
	err = reserve(out, 4);
	while (!err && out->length & 3)
		out->bytes[out->length++] = 0;
	return err ? err : 1;
}

int look_at_group(struct output *out, struct follower *f, u32 slot)
{
	struct followed *group = f->slots[slot];
	const char *name = f->names;
	int in_full = f->in_full || !group->known || f->now - group->seen >= OLD;
	u32 i = 0;

	if (in_full)
		open_files(f, group, f->file_count);
	for (; i < f->signs; i++, name = next_string(name)) {
		int changed = look_at(out, f, slot, i, name);

		if (changed < 0)
			return changed;
		if (changed)
			group->alive = f->now;
	}
	/*
	 * a reading above found the group removed (see reopen): read everything, because a new
	 * group may have its name
	 */
	in_full |= !group->known;
	if (f->now - group->alive >= AT_REST && !in_full)
		return 0;
	if (!group->open)
		open_files(f, group, f->file_count);
	group->open = 1;
	for (; i < f->file_count; i++, name = next_string(name)) {
		int err = look_at(out, f, slot, i, name);

		if (err < 0)
			return err;
	}
	if (in_full)
		group->seen = f->now;
	/*
	 * The first read cannot show activity, so the group counts as idle. Later full reads of
	 * different groups are spread over time.
	 */
	if (!group->known) {
		group->alive = f->now - AT_REST;
		group->seen -= slot * 7919ul % OLD;
	}
	group->known = 1;
	if (f->now - group->alive >= AT_REST) {
		for (i = (u32)f->signs; i < f->file_count; i++)
			drop_fd(&group->files[i].fd);
		group->open = 0;
	}
	return 0;
}
