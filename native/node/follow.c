/* SPDX-License-Identifier: Apache-2.0 */
/* Exports the functions that read the same files of many groups again and again: see changed-files.c. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "follow.h"

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

/* Returns the follower passed as the first argument. Throws and returns NULL if that argument is something else. */
static struct follower *take_follower(napi_env env, napi_callback_info info, napi_value *second)
{
	void *follower = NULL;

	if (read_arguments(env, info, second ? "xv" : "x", &follower, second))
		napi_throw_type_error(env, NULL, "not a follower");
	return follower;
}

/*
 * openFollower(names, activity): returns a follower for these NUL-separated file names, of which
 * the first `activity` are activity files
 */
static napi_value export_open(napi_env env, napi_callback_info info)
{
	struct follower *f = calloc(1, sizeof *f);
	napi_value result = NULL;
	u32 signs = 0;

	if (!f || read_arguments(env, info, "wu", &f->names, &signs)) {
		if (f)
			free(f->names);
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

/* follow(follower, directory): adds a group; returns its slot, or -errno */
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

/*
 * Returns the time in milliseconds of the monotonic clock, but at least OLD, so that subtracting
 * OLD gives a valid time.
 */
static u64 milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000 + 2 * OLD;
}

/*
 * lookAgain(follower, full): returns the texts that changed since the last read. With full, also
 * reads files that seldom change.
 */
static napi_value export_look_again(napi_env env, napi_callback_info info)
{
	napi_value word;
	struct follower *f = take_follower(env, info, &word);
	struct output out = { 0 };
	bool full = false;
	int err = 0;

	if (!f)
		return NULL;
	napi_get_value_bool(env, word, &full);
	f->in_full = full;
	f->now = milliseconds();
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
	static const struct exported list[] = {
		{ "openFollower", export_open }, { "follow", export_follow }, { "unfollow", export_unfollow },
		{ "lookAgain", export_look_again }, { "closeFollower", export_close },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
