/* SPDX-License-Identifier: Apache-2.0 */
/* Whose memory limit killed in the job's group, by the kernel's log: read after the end, and only if the kernel counted a kill. */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "compiled.h"

#define LONGEST_RECORD 8192
#define MOST_RECORDS 1000000

/* The value behind `key`, which has to stand there once: who names a process or a group can write such words, too. */
static const char *only(const char *text, const char *key)
{
	const char *found = NULL;

	for (; *text && *text != '\n'; text++)
		if (starts(text, key)) {
			if (found)
				return NULL;
			found = text + text_length(key);
		}
	return found;
}

static size_t length_until(const char *at, const char *key)
{
	size_t length = 0;

	while (at[length] && at[length] != '\n' && !starts(at + length, key))
		length++;
	return length;
}

/* How long the path is up to the end of the part that is `name`; 0 without such a part. */
static size_t depth_of(const char *path, size_t length, const char *name)
{
	size_t part = text_length(name);

	for (size_t at = 0; at + 1 + part <= length; at++)
		if (path[at] == '/' && starts(path + at + 1, name) && (at + 1 + part == length || path[at + 1 + part] == '/'))
			return at + 1 + part;
	return 0;
}

/* `6,339,514,-;oom-kill:constraint=…,oom_memcg=PATH,task_memcg=PATH,task=NAME,pid=1,uid=0`, or global_oom instead of oom_memcg. */
enum kill_level kill_level_of(const char *record, const char *group)
{
	const char *text = record, *limit, *task;
	size_t limit_length, depth;

	/* facility 0 is the kernel's own: processes cannot write under it */
	if (parse_number(&text) >> 3)
		return LEVEL_UNKNOWN;
	while (*text && *text != ';' && *text != '\n')
		text++;
	if (!starts(text, ";oom-kill:constraint="))
		return LEVEL_UNKNOWN;
	task = only(text, ",task_memcg=");
	depth = task ? depth_of(task, length_until(task, ",task="), group) : 0;
	if (!depth)
		return LEVEL_UNKNOWN;
	limit = only(text, ",oom_memcg=");
	if (!limit)
		return only(text, ",global_oom,") ? LEVEL_HOST : LEVEL_UNKNOWN;
	limit_length = length_until(limit, ",task_memcg=");
	return limit_length == depth ? LEVEL_OWN : limit_length > depth ? LEVEL_BELOW : LEVEL_ABOVE;
}

/* LEVEL_UNKNOWN if the log cannot be read, too. */
enum kill_level read_kill_level(const char *group)
{
	static char record[LONGEST_RECORD + 1];
	enum kill_level last = LEVEL_UNKNOWN, level;
	long fd = sys(__NR_openat, AT_FDCWD, "/dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

	if (fd < 0)
		return LEVEL_UNKNOWN;
	for (int i = 0; i < MOST_RECORDS; i++) {
		long got = sys(__NR_read, fd, record, LONGEST_RECORD);

		/* overwritten meanwhile: the next read has the oldest that is there */
		if (got == -EPIPE)
			continue;
		if (got <= 0)
			break;
		record[got] = 0;
		level = kill_level_of(record, group);
		if (level != LEVEL_UNKNOWN)
			last = level;
	}
	sys(__NR_close, fd);
	return last;
}
