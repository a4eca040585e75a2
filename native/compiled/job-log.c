/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel log about the job's group: which memory limit killed a process in it, and
 * whether forks were refused. Runs after the job's end, and only if the group's own counts do not
 * answer this.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "compiled.h"

#define LONGEST_RECORD 8192
#define MOST_RECORDS 1000000

/*
 * Returns the value after `key` in a log record, or NULL if `key` does not occur exactly once.
 * Names of processes and groups in the record can contain the same text, so a second occurrence may
 * be forged.
 */
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

/* Returns the length of the path up to the end of the component `name`, or 0 if the path has no such component. */
size_t depth_of(const char *path, size_t length, const char *name)
{
	size_t part = text_length(name);

	for (size_t at = 0; at + 1 + part <= length; at++)
		if (path[at] == '/' && starts(path + at + 1, name) && (at + 1 + part == length || path[at + 1 + part] == '/'))
			return at + 1 + part;
	return 0;
}

static u32 count_levels(const char *path, size_t length)
{
	u32 levels = 0;

	for (size_t at = 0; at + 1 < length; at++)
		levels += path[at] == '/' && path[at + 1] != '/';
	return levels;
}

/*
 * Parses `6,339,514,-;oom-kill:constraint=…,oom_memcg=PATH,task_memcg=PATH,task=NAME,pid=1,uid=0`,
 * a kernel log record of an OOM kill. If the whole host ran out of memory, global_oom stands in
 * place of oom_memcg=PATH.
 */
void take_kill(const char *record, const char *group, struct logged_kill *out)
{
	const char *text = record, *limit, *task;
	size_t limit_length, depth;

	/* records of the kernel have facility 0, which no process can write */
	if (parse_number(&text) >> 3)
		return;
	while (*text && *text != ';' && *text != '\n')
		text++;
	if (!starts(text, ";oom-kill:constraint="))
		return;
	task = only(text, ",task_memcg=");
	depth = task ? depth_of(task, length_until(task, ",task="), group) : 0;
	limit = only(text, ",oom_memcg=");
	if (!depth || (!limit && !only(text, ",global_oom,")))
		return;
	limit_length = limit ? length_until(limit, ",task_memcg=") : 0;
	out->level = !limit ? LEVEL_HOST : limit_length == depth ? LEVEL_OWN : limit_length > depth ? LEVEL_BELOW : LEVEL_ABOVE;
	out->up = out->level == LEVEL_ABOVE ? count_levels(task, depth) - count_levels(limit, limit_length) : 0;
	out->below.length = 0;
	if (out->level == LEVEL_BELOW)
		add_quoted(&out->below, limit, limit_length);
}

/*
 * Parses `6,340,515,-;cgroup: fork rejected by pids controller in PATH`, logged for the first
 * refused fork of each group.
 */
int tells_refused_fork(const char *record, const char *group)
{
	static const char words[] = ";cgroup: fork rejected by pids controller in /";
	const char *text = record;

	if (parse_number(&text) >> 3)
		return 0;
	while (*text && *text != ';' && *text != '\n')
		text++;
	if (!starts(text, words))
		return 0;
	text += sizeof words - 2;
	return depth_of(text, length_until(text, "\n"), group) != 0;
}

/* Calls `take` with each record of the kernel log, the oldest first. Does not call it if the log cannot be read. */
static void read_log(const char *group, void (*take)(const char *record, const char *group, void *found), void *found)
{
	static char record[LONGEST_RECORD + 1];
	long fd = sys(__NR_openat, AT_FDCWD, "/dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

	if (fd < 0)
		return;
	for (int i = 0; i < MOST_RECORDS; i++) {
		long got = sys(__NR_read, fd, record, LONGEST_RECORD);

		/* the next record was overwritten: the next read returns the oldest record that still exists */
		if (got == -EPIPE)
			continue;
		if (got <= 0)
			break;
		record[got] = 0;
		take(record, group, found);
	}
	sys(__NR_close, fd);
}

static void take_kill_record(const char *record, const char *group, void *found)
{
	take_kill(record, group, found);
}

/*
 * Finds which group's memory limit caused the last kill in the job's group. The level is
 * LEVEL_UNKNOWN if the log has no such record or cannot be read.
 */
void read_last_kill(const char *group, struct logged_kill *out)
{
	out->level = LEVEL_UNKNOWN;
	read_log(group, take_kill_record, out);
}

static void take_refused_fork(const char *record, const char *group, void *found)
{
	*(int *)found |= tells_refused_fork(record, group);
}

/*
 * Returns true if the log says that a fork was refused in the job's group or below. Returns 0 if
 * not, or if the log cannot be read.
 */
int log_has_refused_fork(const char *group)
{
	int found = 0;

	read_log(group, take_refused_fork, &found);
	return found;
}
