/* SPDX-License-Identifier: Apache-2.0 */
/* Exports functions to src/cgroup/: sweepGroups, groupHolder, lockDirectory, signalListed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "job.h"
#include "read.h"
#include "../caller/groups.h"

/* sweepGroups(directories, pid namespace, ms): removes stale groups in each directory, for at most `ms` milliseconds */
static napi_value export_sweep_groups(napi_env env, napi_callback_info info)
{
	napi_value result = NULL;
	double space = 0, ms = 0;
	char *directories = NULL;
	int again = 0;

	if (!read_arguments(env, info, "wdd", &directories, &space, &ms)) {
		u64 until = now_ms() + (u64)ms;

		for (const char *at = directories; *at; at = next_string(at))
			again |= sweep_directory(at, (u64)space, until);
	}
	free(directories);
	napi_get_boolean(env, again, &result);
	return result;
}

/*
 * groupHolder(directory): returns the user whose hutch holds the group's lock, -1 if the lock is
 * free, -EACCES if unknown
 */
static napi_value export_group_holder(napi_env env, napi_callback_info info)
{
	char *directory = NULL;
	double holder = read_arguments(env, info, "w", &directory) ? -1 : (double)group_holder(directory);

	free(directory);
	return to_number(env, holder);
}

/*
 * lockDirectory(path, how): locks a directory; `how` has the bits of flock(2). Returns the
 * descriptor that holds the lock, or -errno.
 */
static napi_value export_lock_directory(napi_env env, napi_callback_info info)
{
	char *path = NULL;
	int32_t how = 0;
	int fd = -1, err = EINVAL;

	if (!read_arguments(env, info, "wi", &path, &how)) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		do
			err = fd < 0 || flock(fd, how) ? errno : 0;
		while (err == EINTR);
		if (err && fd >= 0)
			close(fd);
	}
	free(path);
	return to_number(env, err ? -err : fd);
}

/*
 * signalListed(file, signal, except): signals the processes listed in cgroup.procs, except one.
 * Returns their number, or -errno if one could not be signalled.
 */
static napi_value export_signal_listed(napi_env env, napi_callback_info info)
{
	int32_t sig = 0, except = 0;
	char *file = NULL;
	int listed = 0;
	long err = read_arguments(env, info, "wii", &file, &sig, &except);

	if (!err)
		err = signal_listed(file, sig, except, &listed);
	free(file);
	return to_number(env, err ? (double)err : listed);
}

void add_stale(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "sweepGroups", export_sweep_groups }, { "groupHolder", export_group_holder },
		{ "lockDirectory", export_lock_directory }, { "signalListed", export_signal_listed },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
