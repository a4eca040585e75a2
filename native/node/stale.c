/* SPDX-License-Identifier: Apache-2.0 */
/* Exports sweepGroups, groupHolder, lockDirectory and signalListed to src/cgroup/stale-groups.ts and halt.ts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "job.h"
#include "read.h"
#include "../caller/groups.h"

/* sweepGroups(directories, pid namespace, ms): each directory in turn, until none has more to do or the time is over. */
static napi_value export_sweep_groups(napi_env env, napi_callback_info info)
{
	napi_value argv[3], result = NULL;
	size_t count = 3;
	double space = 0, ms = 0;
	char *directories = NULL;
	int again = 0;

	if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) == napi_ok && count == 3 &&
	    napi_get_value_double(env, argv[1], &space) == napi_ok && napi_get_value_double(env, argv[2], &ms) == napi_ok)
		directories = take_words(env, argv[0]);
	if (directories) {
		u64 until = now_ms() + (u64)ms;

		for (const char *at = directories; *at; at = next_string(at))
			again |= sweep_directory(at, (u64)space, until);
	}
	free(directories);
	napi_get_boolean(env, again, &result);
	return result;
}

/* groupHolder(directory): the user whose hutch holds the group's lock; -1 without one, -EACCES if that is unknown. */
static napi_value export_group_holder(napi_env env, napi_callback_info info)
{
	napi_value argument, result = NULL;
	size_t count = 1;
	char *directory = NULL;

	if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) == napi_ok && count == 1)
		directory = take_words(env, argument);
	napi_create_double(env, directory ? (double)group_holder(directory) : -1, &result);
	free(directory);
	return result;
}

/* lockDirectory(path): the descriptor that holds the lock, or -errno. */
static napi_value export_lock_directory(napi_env env, napi_callback_info info)
{
	napi_value argument, result = NULL;
	size_t count = 1;
	char *path = NULL;
	int fd = -1, err = EINVAL;

	if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) == napi_ok && count == 1)
		path = take_words(env, argument);
	if (path) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		err = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
		if (err && fd >= 0)
			close(fd);
	}
	free(path);
	napi_create_int32(env, err ? -err : fd, &result);
	return result;
}

/* signalListed(file, signal, except): how many are listed; -errno if one could not be signalled. */
static napi_value export_signal_listed(napi_env env, napi_callback_info info)
{
	napi_value argv[3], result = NULL;
	size_t count = 3;
	int32_t sig = 0, except = 0;
	char *file = NULL;
	int listed = 0;
	long err = -EINVAL;

	if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) == napi_ok && count == 3 &&
	    napi_get_value_int32(env, argv[1], &sig) == napi_ok && napi_get_value_int32(env, argv[2], &except) == napi_ok)
		file = take_words(env, argv[0]);
	if (file)
		err = signal_listed(file, sig, except, &listed);
	free(file);
	napi_create_double(env, err ? (double)err : listed, &result);
	return result;
}

void add_stale(napi_env env, napi_value exports)
{
	static const struct {
		const char *name;
		napi_callback call;
	} list[] = { { "sweepGroups", export_sweep_groups },
		     { "groupHolder", export_group_holder },
		     { "lockDirectory", export_lock_directory },
		     { "signalListed", export_signal_listed } };
	napi_value function;

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].call, NULL, &function) == napi_ok)
			napi_set_named_property(env, exports, list[i].name, function);
}
