/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates cgroup v1 event notifications: an eventfd registered for one file of a group
 * (cgroup-v1/memory.rst, sections 9 to 11).
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "../hutch.h"

static char *put_number(char *at, long n)
{
	char digits[20];
	int i = 0;

	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		*at++ = digits[--i];
	return at;
}

static int join_path(char *out, size_t size, const char *directory, const char *name)
{
	size_t a = text_length(directory), b = text_length(name);

	if (a + b + 2 > size)
		return -ENAMETOOLONG;
	memcpy(out, directory, a);
	out[a] = '/';
	memcpy(out + a + 1, name, b + 1);
	return 0;
}

static int register_event(const char *group, long event, long target, const char *argument)
{
	char path[4096], line[128], *end = line;
	size_t length = text_length(argument);
	int err = join_path(path, sizeof path, group, "cgroup.event_control");

	if (err)
		return err;
	if (length > 64)
		return -EINVAL;
	end = put_number(end, event);
	*end++ = ' ';
	end = put_number(end, target);
	*end++ = ' ';
	memcpy(end, argument, length + 1);
	return write_text(path, line);
}

/*
 * Returns an eventfd, non-blocking and close-on-exec, or -errno. The kernel's meaning of `argument`
 * depends on the watched file: a threshold, a level, or empty.
 */
int legacy_eventfd(const char *group, const char *file, const char *argument)
{
	char path[4096];
	long event, target;
	int err = join_path(path, sizeof path, group, file);

	if (err)
		return err;
	target = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (target < 0)
		return (int)target;
	event = sys(__NR_eventfd2, 0, O_CLOEXEC | O_NONBLOCK);
	err = event < 0 ? (int)event : register_event(group, event, target, argument);
	sys(__NR_close, target);
	if (err && event >= 0)
		sys(__NR_close, event);
	return err ? err : (int)event;
}
