/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enters the working directory of a container's command, and checks that its program exists. Both run
 * inside the container's root.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "../hutch.h"
#include "../lib/message.h"

static int entered;	/* true if tryDirectory has entered the working directory */

/*
 * Enters the working directory with the rights that this process has before its ids change. If that
 * is refused, enterInside tries it as the command's user.
 */
int op_try_directory(struct cursor *c)
{
	const char *path = take_string(c);
	long err = finished(c);

	if (err)
		return (int)err;
	err = sys(__NR_chdir, path);
	entered = !err;
	return err == -EACCES || err == -EPERM ? 0 : (int)err;
}

/*
 * Enters the working directory, and checks that it is inside the root: a path through a descriptor
 * in /proc/self/fd could lead to the host (CVE-2024-21626). The kernel then writes "(unreachable)".
 */
int op_enter_inside(struct cursor *c)
{
	const char *path = take_string(c);
	char where[4096];
	long err = finished(c);

	if (!err && !entered)
		err = sys(__NR_chdir, path);
	if (err < 0)
		return (int)err;
	err = sys(__NR_getcwd, where, sizeof where);
	if (err < 0)
		return (int)err;
	return where[0] == '/' ? 0 : -EXDEV;
}

/* Returns the error with which an exec of the file would fail, as far as it can be known before. */
static long check_file(const char *path)
{
	struct statx found;
	long err = sys(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE, &found);

	if (err)
		return err;
	return (found.stx_mode & K_S_IFMT) == K_S_IFREG ? sys(__NR_faccessat, AT_FDCWD, path, K_X_OK) : -EACCES;
}

/* Checks that the exec will find the program, which it searches in the same way: see exec.c. */
int op_check_program(struct cursor *c)
{
	const char *file = take_string(c), *search = take_string(c), *all = search, *refused_in = NULL;
	size_t name = text_length(file), length;
	long err = finished(c), refused = -ENOENT;
	char path[4096];

	if (err)
		return (int)err;
	for (const char *s = file; *s; s++)
		if (*s == '/') {
			err = check_file(file);
			if (err)
				note_failed_program(file, search, NULL);
			return (int)err;
		}
	for (;; search += length + 1) {
		for (length = 0; search[length] && search[length] != ':';)
			length++;
		if (length + name + 2 <= sizeof path) {
			memcpy(path, search, length);
			path[length] = '/';
			memcpy(path + length + (length > 0), file, name + 1);
			err = check_file(path);
			if (!err)
				return 0;
			if (err == -EACCES && !refused_in) {
				refused_in = search;
				refused = err;
			}
		}
		if (!search[length])
			break;
	}
	note_failed_program(file, all, refused_in);
	return (int)refused;
}
