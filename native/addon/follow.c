/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same files of many groups, looked at again and again. Only texts that
 * differ from those of the last look go to JavaScript. Some files are signs of
 * life and stay open; the others are looked at as long as these change, and
 * now and then: a group in which nothing happens costs a few reads. An open
 * file of a group is 4 KB of the kernel's memory, so not all are held.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "job.h"
#include "read.h"

/*
 * Each of so many looks takes a part of the groups in full: limits may change in a group in which nothing else does, and
 * a controller may be handed down later.
 */
#define LOOK_AGAIN 16
/* After so many looks without a sign of life: averages of ten seconds have come to rest by then, when looks are a second apart. */
#define AT_REST 8
/* Not held, since the process needs descriptors for other things: opened at each look. */
#define NOT_HELD (-EMFILE)
#define NOTHING 0	/* the digest of no text; no text has it */

struct followed {
	char *directory;
	u32 quiet;	/* looks without a sign of life */
	int known;	/* looked at in full before */
	int open;	/* the other files, too */
	struct { int32_t fd; u64 digest; } files[];
};

struct follower {
	char *names;
	size_t file_count, signs;	/* the first names are signs of life */
	size_t slot_count, room, first_free;	/* no slot below first_free is free */
	u32 looks;
	struct followed **slots;
};

/* Held by all followers of the process, by the one thread of each: a rough count is enough. */
static size_t held;

static size_t most_held(void)
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

static void free_slot(struct follower *f, size_t slot)
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

/* Opens what is not open of the first `count` files, but for what would take too many descriptors. */
static void open_files(struct follower *f, struct followed *group, size_t count)
{
	long directory = open_group(group->directory);
	const char *name = f->names;
	size_t most = most_held();

	for (size_t i = 0; i < count; i++, name = next_string(name)) {
		int32_t *fd = &group->files[i].fd;

		if (*fd >= 0)
			continue;
		if (directory == -EMFILE || directory == -ENFILE || held >= most) {
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

/* Files of a group that was removed, or of a controller that was taken away: another group may have the name by now. */
static void reopen(struct follower *f, struct followed *group)
{
	char byte;

	for (size_t i = 0; i < f->file_count; i++)
		if (group->files[i].fd >= 0 && sys(__NR_pread64, group->files[i].fd, &byte, 1, 0) == -ENODEV)
			drop_fd(&group->files[i].fd);
	open_files(f, group, group->open ? f->file_count : f->signs);
	group->known = 0;
}

/* Appends the text: its length, or -errno. */
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

/* i32 slot, file, length or -errno; then the text, padded to 4: 1. Nothing, when the text is the one of the last look: 0. */
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

static int look_at_group(struct output *out, struct follower *f, u32 slot)
{
	struct followed *group = f->slots[slot];
	const char *name = f->names;
	int in_full;
	u32 i = 0;

	group->quiet++;
	for (; i < f->signs; i++, name = next_string(name)) {
		int changed = look_at(out, f, slot, i, name);

		if (changed < 0)
			return changed;
		if (changed)
			group->quiet = 0;
	}
	in_full = !group->known || (slot + f->looks) % LOOK_AGAIN == 0;
	if (group->quiet > AT_REST && !in_full)
		return 0;
	if (!group->open || in_full)
		open_files(f, group, f->file_count);
	group->open = 1;
	for (; i < f->file_count; i++, name = next_string(name)) {
		int err = look_at(out, f, slot, i, name);

		if (err < 0)
			return err;
	}
	/* what was never seen before is no sign */
	if (!group->known)
		group->quiet = AT_REST;
	group->known = 1;
	if (group->quiet >= AT_REST) {
		for (i = (u32)f->signs; i < f->file_count; i++)
			drop_fd(&group->files[i].fd);
		group->open = 0;
	}
	return 0;
}

static void close_follower(struct follower *f)
{
	for (size_t i = 0; i < f->slot_count; i++)
		free_slot(f, i);
	f->slot_count = 0;
}

static void finalize_follower(napi_env env, void *data, void *hint)
{
	struct follower *f = data;

	(void)env;
	(void)hint;
	close_follower(f);
	free(f->slots);
	free(f->names);
	free(f);
}

/* The first argument; NULL, and an exception, when it is none of ours. */
static struct follower *take_follower(napi_env env, napi_callback_info info, napi_value *second)
{
	napi_value argv[2] = { NULL, NULL };
	void *follower = NULL;
	size_t count = 2;

	if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) != napi_ok || count < 1 ||
	    napi_get_value_external(env, argv[0], &follower) != napi_ok)
		napi_throw_type_error(env, NULL, "not a follower");
	if (second)
		*second = argv[1];
	return follower;
}

static napi_value to_number(napi_env env, int value)
{
	napi_value result = NULL;

	napi_create_int32(env, value, &result);
	return result;
}

/* openFollower(names, signs): NUL-separated names of files; the first `signs` of them are signs of life */
static napi_value export_open(napi_env env, napi_callback_info info)
{
	struct follower *f = calloc(1, sizeof *f);
	napi_value argv[2], result = NULL;
	size_t count = 2;
	u32 signs = 0;

	if (f && napi_get_cb_info(env, info, &count, argv, NULL, NULL) == napi_ok && count == 2 &&
	    napi_get_value_uint32(env, argv[1], &signs) == napi_ok)
		f->names = take_words(env, argv[0]);
	if (!f || !f->names) {
		free(f);
		napi_throw_error(env, NULL, "out of memory");
		return NULL;
	}
	for (const char *n = f->names; *n; n = next_string(n))
		f->file_count++;
	f->signs = signs < f->file_count ? signs : f->file_count;
	if (napi_create_external(env, f, finalize_follower, NULL, &result) != napi_ok)
		finalize_follower(env, f, NULL);
	return result;
}

static long free_place(struct follower *f)
{
	struct followed **larger;
	size_t room = f->room ? f->room * 2 : 64;

	while (f->first_free < f->slot_count && f->slots[f->first_free])
		f->first_free++;
	if (f->first_free < f->slot_count)
		return (long)f->first_free;
	if (f->slot_count == f->room) {
		larger = realloc(f->slots, room * sizeof *larger);
		if (!larger)
			return -ENOMEM;
		f->slots = larger;
		f->room = room;
	}
	f->slots[f->slot_count] = NULL;
	return (long)f->slot_count++;
}

/* follow(follower, directory): the slot that the group has from now on, or -errno */
static napi_value export_follow(napi_env env, napi_callback_info info)
{
	napi_value word;
	struct follower *f = take_follower(env, info, &word);
	struct followed *group;
	long slot;

	if (!f)
		return NULL;
	slot = free_place(f);
	if (slot < 0)
		return to_number(env, (int)slot);
	group = calloc(1, sizeof *group + f->file_count * sizeof group->files[0]);
	if (group)
		group->directory = take_words(env, word);
	if (!group || !group->directory) {
		free(group);
		return to_number(env, -ENOMEM);
	}
	for (size_t i = 0; i < f->file_count; i++)
		group->files[i].fd = -ENOENT;
	f->slots[slot] = group;
	open_files(f, group, f->signs);
	return to_number(env, (int)slot);
}

/* unfollow(follower, slot) */
static napi_value export_unfollow(napi_env env, napi_callback_info info)
{
	napi_value word;
	struct follower *f = take_follower(env, info, &word);
	u32 slot;

	if (f && napi_get_value_uint32(env, word, &slot) == napi_ok && slot < f->slot_count)
		free_slot(f, slot);
	return NULL;
}

/* lookAgain(follower): what differs from the last look */
static napi_value export_look_again(napi_env env, napi_callback_info info)
{
	struct follower *f = take_follower(env, info, NULL);
	struct output out = { 0 };
	int err = 0;

	if (!f)
		return NULL;
	f->looks++;
	for (u32 i = 0; !err && i < f->slot_count; i++)
		if (f->slots[i])
			err = look_at_group(&out, f, i);
	return to_buffer(env, &out, err);
}

/* closeFollower(follower) */
static napi_value export_close(napi_env env, napi_callback_info info)
{
	struct follower *f = take_follower(env, info, NULL);

	if (f)
		close_follower(f);
	return NULL;
}

void add_follow(napi_env env, napi_value exports)
{
	static const struct { const char *name; napi_callback call; } exported[] = {
		{ "openFollower", export_open }, { "follow", export_follow }, { "unfollow", export_unfollow },
		{ "lookAgain", export_look_again }, { "closeFollower", export_close },
	};
	napi_value function;

	for (size_t i = 0; i < sizeof exported / sizeof *exported; i++)
		if (napi_create_function(env, exported[i].name, NAPI_AUTO_LENGTH, exported[i].call, NULL, &function) == napi_ok)
			napi_set_named_property(env, exports, exported[i].name, function);
}
