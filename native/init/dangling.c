/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves dangling symbolic links inside a root, on the way to a missing mount point. Called by root.c. */
#include <linux/errno.h>

#include "../hutch.h"

/*
 * Returns true for targets below /proc, /sys or /dev. These file systems are mounted later, and
 * would hide a directory that was created there now.
 */
static int leads_below_kernel_files(const char *to)
{
	static const char names[][6] = { "proc/", "sys/", "dev/" };

	for (;;) {
		if (*to == '/')
			to++;
		else if (to[0] == '.' && (to[1] == '/' || (to[1] == '.' && to[2] == '/')))
			to += to[1] == '/' ? 2 : 3;
		else
			break;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t same = 0;

		while (names[i][same] && names[i][same] == to[same])
			same++;
		if (!names[i][same] || (names[i][same] == '/' && !to[same]))
			return 1;
	}
	return 0;
}

/*
 * Replaces the dangling link at path[start, end) by the path that it leads to. The caller then
 * creates that path inside the root, as runc does.
 */
int follow_dangling(int parent, char *path, size_t start, size_t end)
{
	char to[4096];
	size_t rest = text_length(path + end);
	long length;

	path[end] = 0;
	length = sys(__NR_readlinkat, parent, path + start, to, sizeof to);
	path[end] = rest ? '/' : 0;
	if (length <= 0 || length >= (long)sizeof to)
		return -ENOENT;
	to[length] = 0;
	if (leads_below_kernel_files(to))
		return -ENOENT;
	start = to[0] == '/' ? 0 : start;
	if (start + (size_t)length + rest >= sizeof to - 1)
		return -ENAMETOOLONG;
	memcpy(to + length, path + end, rest + 1);
	memcpy(path + start, to, (size_t)length + rest + 1);
	return 0;
}
