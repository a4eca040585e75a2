/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the group whose pids.max refused forks of the job, by the rules of
 * src/verdict/attribute.ts. Runs after the job's end. Ancestor groups are read only if a fork may
 * have been refused.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "compiled.h"

/* Maximum length of the path of a group's file. */
#define LONGEST_PATH 4352

/* Reads a file of the group `directory`. Returns 0 if the file cannot be read or is empty, otherwise 1. */
int read_file_of(const char *directory, size_t length, const char *file, char *text, size_t size)
{
	char path[LONGEST_PATH];
	long fd, got;

	if (length + text_length(file) + 2 > sizeof path)
		return 0;
	memcpy(path, directory, length);
	path[length] = '/';
	memcpy(path + length + 1, file, text_length(file) + 1);
	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	got = sys(__NR_read, fd, text, size - 1);
	sys(__NR_close, fd);
	text[got > 0 ? got : 0] = 0;
	return got > 0;
}

size_t parent_length(const char *path, size_t length)
{
	while (length && path[length - 1] != '/')
		length--;
	return length ? length - 1 : 0;
}

/* Reads a group's task limit. Returns 0 if the file does not exist, as at the root of the tree. */
static int read_task_limit(const char *directory, size_t length, struct task_limit *out)
{
	char text[64];
	const char *at = text;

	*out = (struct task_limit){ 0 };
	if (!read_file_of(directory, length, "pids.max", text, sizeof text))
		return 0;
	if (*text >= '0' && *text <= '9')
		out->max = parse_number(&at), out->has_max = 1;
	at = text;
	if (read_file_of(directory, length, "pids.peak", text, sizeof text))
		out->peak = parse_number(&at), out->has_peak = 1;
	return 1;
}

static void set_above(struct refused_forks *out, const char *directory, size_t length, const struct task_limit *limit)
{
	out->level = FORKS_ABOVE;
	out->max = limit->max;
	out->group.length = 0;
	add_quoted(&out->group, directory, length);
}

static int may_have_refused(const struct task_limit *limit)
{
	return limit->has_max && (!limit->has_peak || limit->peak >= limit->max);
}

/* Returns true on v2 since Linux 6.11, where a refused fork is counted in the group whose limit refused it. */
static int counts_by_level(const struct counts *c)
{
	char text[256];

	return read_file_of(c->pids_group, parent_length(c->pids_group, c->pids_length), "pids.events.local", text, sizeof text);
}

/*
 * Finds the group that refused forks, on v1 and on v2 before Linux 6.11. There a refused fork is
 * counted in the group that tried it, not in the group with the limit.
 */
static void find_by_peaks(const struct counts *c, struct refused_forks *out)
{
	int possible = may_have_refused(&c->tasks), known = possible && c->tasks.has_peak;

	/*
	 * choose the nearest group whose peak reached its limit; if no peak is known, the only
	 * group that has a limit
	 */
	for (size_t at = parent_length(c->pids_group, c->pids_length); at && !known; at = parent_length(c->pids_group, at)) {
		struct task_limit limit;

		if (!read_task_limit(c->pids_group, at, &limit))
			break;
		if (!may_have_refused(&limit))
			continue;
		possible++;
		known = limit.has_peak;
		if (known || possible == 1)
			set_above(out, c->pids_group, at, &limit);
	}
	if (!known && possible != 1)
		out->level = FORKS_UNKNOWN;
}

/*
 * Finds the group that refused forks, on v2 since Linux 6.11. There a group with a limit counts the
 * refused forks of all descendants. So only the kernel log shows that a fork of this job was among
 * them.
 */
static void find_by_log(const struct counts *c, const char *group, struct refused_forks *out)
{
	int refusing = 0;

	for (size_t at = parent_length(c->pids_group, c->pids_length); at; at = parent_length(c->pids_group, at)) {
		struct task_limit limit;
		char text[256];

		if (!read_task_limit(c->pids_group, at, &limit))
			break;
		if (!read_file_of(c->pids_group, at, "pids.events.local", text, sizeof text) || !flat_value(text, "max"))
			continue;
		if (!refusing++ && limit.has_max)
			set_above(out, c->pids_group, at, &limit);
		else
			out->level = FORKS_UNKNOWN;
	}
	if (!refusing || !log_has_refused_fork(group))
		return;
	out->count = 1;
	out->at_least = 1;
}

/* Finds the forks that the job was refused. Sets out->count to 0 if none is known. */
void find_refused_forks(const struct counts *c, const char *group, int failed, struct refused_forks *out)
{
	*out = (struct refused_forks){ .count = c->denied, .level = FORKS_OWN };
	if (!c->pids_group)
		return;
	if (!c->denied && failed)
		find_by_log(c, group, out);
	else if (c->denied && !counts_by_level(c))
		find_by_peaks(c, out);
}
