/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies limits of v2 groups that contain the caller but cannot contain the job. They are set for
 * the job's own group unless its own limits are tighter, as src/plan/outer-limits.ts does for hutch
 * run. Makes no system calls except to print.
 */
#include <linux/errno.h>

#include "compiled.h"

#define MAX_LIMITS 64
#define UNLIMITED (~0ull)
#define UNKNOWN (~0ull - 1)

static struct limit {
	char group[4096];	/* including its mount */
	char file[64];
	char value[1024];	/* lines of the file */
	int available;		/* the job's group can have the controller */
	int requested;		/* the program writes this file */
	int held;
	const char *current;	/* value of the job's group before this limit, or NULL */
} limits[MAX_LIMITS];
static u32 count, at_limit, at_byte, lines;

/* Returns true if a line limits something. `max`, `max 100000` and `8:0 rbps=max wbps=max` do not. */
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

/* Adds a limit of a group; called for the nearest group first. Returns -E2BIG if there are too many. */
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

/* Adds the controllers that the limits need to "+memory +pids", if the tree has them. */
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

/* Converts a file's text to a number that can be compared. */
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

/* Forgets the values written by an earlier program. */
void start_limit_lines(void)
{
	at_limit = at_byte = lines = 0;
	for (u32 i = 0; i < count; i++) {
		limits[i].current = NULL;
		limits[i].requested = limits[i].held = 0;
	}
}

/* Records a value that the program writes. The pointer must stay valid. */
void note_written(const char *file, const char *value)
{
	for (u32 i = 0; i < count; i++)
		if (same(limits[i].file, file)) {
			limits[i].current = value;
			limits[i].requested = 1;
		}
}

/* Decides on the limit at_limit. Returns 1 if it must be written. */
static int decide(struct limit *limit)
{
	u64 theirs = measure(limit->file, limit->value), ours = limit->current ? measure(limit->file, limit->current) : UNLIMITED;

	if (!limit->available)
		return 0;
	/*
	 * for CPUs and devices, the nearest group's value is used, which is the most restrictive; a
	 * requested value may differ
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

/* Returns the extra lines for the job's group, one per call. Returns 0 after the last. */
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

/* Returns the number of lines that were added to the program. */
u32 limit_lines(void)
{
	return lines;
}

/* Returns the size of these lines. Each names the job's group, by a text and the replacements of its placeholders. */
u64 limit_lines_room(void)
{
	u64 most = 0;

	for (u32 i = 0; i < count; i++)
		for (const char *at = limits[i].value; *at; at++)
			most += at == limits[i].value || *at == '\n';
	return most * (8 * sizeof(struct text) + own_group_room(sizeof(struct text)) + sizeof limits->value);
}

/*
 * Prints the warnings of src/verdict/outer-limit-words.ts. systemd gives every unit a task limit,
 * so an applied task limit needs no warning.
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
