/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies limits of v2 groups that contain the caller but will not contain the job, because they
 * have processes and so cannot have limited children. Such a limit is set for the job's own group
 * unless the own limit is tighter. src/plan/outer-limits.ts does the same for hutch run. Makes no
 * system calls except to print.
 */
#include <linux/errno.h>

#include "compiled.h"

#define MAX_LIMITS 64
#define UNLIMITED (~0ull)
#define UNKNOWN (~0ull - 1)

static struct limit {
	char group[4096];	/* including its mount */
	char file[64];
	char value[1024];	/* text of the file, one or more lines */
	int available;		/* true if the job's group can have the file's controller */
	int requested;		/* true if the compiled program writes this file */
	int held;
	const char *current;	/* value that the job's group would have without this limit, or NULL */
} limits[MAX_LIMITS];
static u32 count, at_limit, at_byte, lines;

/* Returns true if a line of a limit file sets a limit. `max`, `max 100000` and `8:0 rbps=max wbps=max` set none. */
static int line_limits(const char *line, const char *end)
{
	const char *value = line, *at;

	if (starts(line, "max"))
		return 0;
	while (value < end && *value != ' ')
		value++;
	for (at = value; at < end && !starts(at, "max"); at++)
		;
	for (at = at < end ? value : line; at < end; at++)
		if (*at >= '0' && *at <= '9')
			return 1;
	return 0;
}

static int is_limiting(const char *text)
{
	while (*text) {
		const char *end = text;

		while (*end && *end != '\n')
			end++;
		if (line_limits(text, end))
			return 1;
		text = end + (*end != 0);
	}
	return 0;
}

/*
 * Adds a limit of one of the caller's groups. The caller adds the nearest group first. Returns
 * -E2BIG if there are too many limits or a text is too long.
 */
int add_outer_limit(const char *group, const char *file, const char *value)
{
	struct limit *limit = &limits[count];
	size_t length = text_length(value);

	if (!is_limiting(value))
		return 0;
	if (count == MAX_LIMITS || length >= sizeof limit->value || text_length(group) >= sizeof limit->group ||
	    text_length(file) >= sizeof limit->file)
		return -E2BIG;
	memcpy(limit->group, group, text_length(group) + 1);
	memcpy(limit->file, file, text_length(file) + 1);
	memcpy(limit->value, value, length + 1);
	if (value[length - 1] == '\n')
		limit->value[length - 1] = 0;
	count++;
	return 0;
}

static size_t controller_length(const char *file)
{
	size_t length = 0;

	while (file[length] && file[length] != '.')
		length++;
	return length;
}

/*
 * Adds the controllers of the caller's limits to a list such as "+memory +pids". Leaves out those
 * that the tree does not have.
 */
void hold_outer_limits(const char *available, struct text *controllers)
{
	for (u32 i = 0; i < count; i++) {
		size_t length = controller_length(limits[i].file);

		limits[i].available = has_name(available, limits[i].file, length);
		if (!limits[i].available)
			continue;
		add(controllers, controllers->length ? " +" : "+");
		for (size_t c = 0; c < length; c++)
			add(controllers, (const char[]){ limits[i].file[c], 0 });
	}
}

/*
 * Converts the text of a limit file to a number, so that two limits of one file can be compared.
 * Returns UNKNOWN if the text is not one number.
 */
static u64 measure(const char *file, const char *text)
{
	u64 number, period = 100000;

	if (starts(text, "max"))
		return UNLIMITED;
	if (same(file, "io.max") || starts(file, "cpuset.") || *text < '0' || *text > '9')
		return UNKNOWN;
	number = parse_number(&text);
	if (same(file, "cpu.max")) {
		if (*text == ' ') {
			text++;
			period = parse_number(&text);
		}
		return period ? number * 100000 / period : UNKNOWN;
	}
	return *text && *text != '\n' ? UNKNOWN : number;
}

/* Forgets the values that an earlier call of note_written() recorded. */
void start_limit_lines(void)
{
	at_limit = at_byte = lines = 0;
	for (u32 i = 0; i < count; i++) {
		limits[i].current = NULL;
		limits[i].requested = limits[i].held = 0;
	}
}

/* Records a value that the program writes to a file of the job's group. The pointer must stay valid. */
void note_written(const char *file, const char *value)
{
	for (u32 i = 0; i < count; i++)
		if (same(limits[i].file, file)) {
			limits[i].current = value;
			limits[i].requested = 1;
		}
}

/* Decides whether a limit must be written to the job's group. Returns 1 if so. */
static int decide(struct limit *limit)
{
	u64 theirs = measure(limit->file, limit->value), ours = limit->current ? measure(limit->file, limit->current) : UNLIMITED;

	if (!limit->available)
		return 0;
	/*
	 * sets of CPUs and limits of devices cannot be compared: keep the existing value, which is
	 * the requested one or that of the nearest group
	 */
	if (limit->current && (theirs == UNKNOWN || ours == UNKNOWN)) {
		limit->held = !limit->requested;
		return 0;
	}
	limit->held = 1;
	if (limit->current && theirs >= ours)
		return 0;
	for (struct limit *other = limit + 1; other < limits + count; other++)
		if (same(other->file, limit->file))
			other->current = limit->value;
	return 1;
}

/* Returns 1 and the next line to write to a file of the job's group, or 0 after the last line. */
int next_limit_line(struct limit_line *line)
{
	for (; at_limit < count; at_limit++, at_byte = 0) {
		struct limit *limit = &limits[at_limit];
		size_t length = 0;

		if ((at_byte == 0 && !decide(limit)) || !limit->value[at_byte])
			continue;
		while (limit->value[at_byte] && limit->value[at_byte] != '\n')
			line->value[length++] = limit->value[at_byte++];
		at_byte += limit->value[at_byte] == '\n';
		line->value[length] = 0;
		line->file = limit->file;
		lines++;
		return 1;
	}
	return 0;
}

/* Returns the number of lines that next_limit_line() has returned for this program. */
u32 limit_lines(void)
{
	return lines;
}

/*
 * Returns the maximum size of the ops that write these limits. Each op names the job's group by a
 * path whose placeholders are replaced.
 */
u64 limit_lines_room(void)
{
	u64 most = 0;

	for (u32 i = 0; i < count; i++)
		for (const char *at = limits[i].value; *at; at++)
			most += at == limits[i].value || *at == '\n';
	return most * (8 * sizeof(struct text) + own_group_room(sizeof(struct text)) + sizeof limits->value);
}

/*
 * Prints a warning for each limit of the caller's groups, in the words of
 * src/verdict/outer-limit-words.ts. systemd gives every unit a task limit, so a task limit that was
 * set for the job needs no warning.
 */
void warn_of_outer_limits(void)
{
	int begun = 0;

	for (u32 i = 0; i < count; i++) {
		const struct limit *limit = &limits[i];
		struct text t = { .length = 0 };

		if (limit->held && same(limit->file, "pids.max"))
			continue;
		if (!begun)
			add(&t, "hutch: warning: the job is outside of a group of its caller: processes in that group prevent hutch from creating limited groups in it\n");
		begun = 1;
		add(&t, "  ");
		add(&t, limit->file);
		for (size_t at = text_length(limit->file); at < 11; at++)
			add(&t, " ");
		add(&t, "  ");
		for (const char *at = limit->value; *at; at++)
			add(&t, *at == '\n' ? ", " : (const char[]){ *at, 0 });
		add(&t, " of ");
		add(&t, limit->group);
		add(&t, limit->held ? ": set for the job itself\n" : ": does not apply to the job\n");
		print(2, t.bytes);
	}
}
