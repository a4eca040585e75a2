/* SPDX-License-Identifier: Apache-2.0 */
/* Exports openInRoot: opens a file of a container as the container sees it. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "job.h"

/*
 * openInRoot(root, path): opens a file for reading. Symbolic links and ".." cannot lead out of the
 * root, and a pipe does not block. Returns a close-on-exec descriptor, or -errno.
 */
static napi_value export_open_in_root(napi_env env, napi_callback_info info)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char root[4096], path[4096];
	int directory, err = read_arguments(env, info, "ss", root, sizeof root, path, sizeof path);
	long fd;

	if (err)
		return to_number(env, err);
	directory = (int)sys(__NR_openat, AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return to_number(env, directory);
	fd = sys(__NR_openat2, directory, path, &how, sizeof how);
	close(directory);
	return to_number(env, (double)fd);
}

void add_in_root(napi_env env, napi_value exports)
{
	static const struct exported list[] = { { "openInRoot", export_open_in_root } };

	add_functions(env, exports, list, 1, NULL);
}
