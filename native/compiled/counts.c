/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the figures that the program's steps collected at the job's end. The verdict uses them. */
#include "compiled.h"


/* Returns the number after `key` at the start of a line, or 0 if no line begins with `key`. */
u64 flat_value(const char *text, const char *key)
{
	for (const char *at = text; *at; at++) {
		const char *value = at + text_length(key);

		if ((at == text || at[-1] == '\n') && starts(at, key) && *value == ' ') {
			value++;
			return parse_number(&value);
		}
	}
	return 0;
}

/*
 * Returns the total stall time from the text of a pressure file, in µs. `kind` is the start of the
 * line: "full " or "some ".
 */
static u64 stall_of(const char *text, const char *kind)
{
	for (; *text; text++)
		if (starts(text, kind))
			for (; *text && *text != '\n'; text++)
				if (starts(text, " total=")) {
					text += sizeof " total=" - 1;
					return parse_number(&text);
				}
	return 0;
}

/* Stores the memory limit. 0 means no limit, which v1 writes as the largest number of whole pages. */
static void set_memory_limit(struct counts *c, const char *text)
{
	u64 limit = parse_number(&text);

	c->limit_read = 1;
	c->limit = limit >> 62 ? 0 : limit;
}

static void count_file(struct counts *c, const char *path, const char *text, const char *group)
{
	const char *file = path, *number = text;

	for (const char *at = path; *at; at++)
		if (*at == '/')
			file = at + 1;
	if (same(file, "memory.events") || same(file, "memory.oom_control")) {
		c->oom_kills = flat_value(text, "oom_kill");
		c->kill_disabled = flat_value(text, "oom_kill_disable");
		c->max_events = flat_value(text, "max");
		c->counted = 1;
	}
	if (starts(file, "memory.") && !same(file, "memory.pressure") && !c->memory_group) {
		c->memory_length = depth_of(path, (size_t)(file - path - 1), group);
		c->memory_group = c->memory_length ? path : NULL;
	}
	if (same(file, "memory.max") || same(file, "memory.limit_in_bytes"))
		set_memory_limit(c, text);
	if (same(file, "memory.stat"))
		c->refaults = flat_value(text, "workingset_refault_file") + flat_value(text, "workingset_refault_anon");
	if (same(file, "memory.events.local"))
		c->own_ooms = flat_value(text, "oom"), c->slowed = flat_value(text, "high");
	/* beside v1 controllers, cpu.stat of the v2 tree has no periods: do not overwrite those read from v1 */
	if (same(file, "cpu.stat") && flat_value(text, "nr_periods"))
		c->periods = flat_value(text, "nr_periods"), c->throttled = flat_value(text, "nr_throttled");
	if (same(file, "cpu.stat") && flat_value(text, "usage_usec"))
		c->cpu_usec = flat_value(text, "usage_usec");
	if (same(file, "memory.pressure"))
		c->memory_stall = stall_of(text, "full ");
	if (same(file, "io.pressure"))
		c->io_stall = stall_of(text, "full ");
	if (same(file, "cpu.pressure"))
		c->cpu_stall = stall_of(text, "some ");
	if (same(file, "pids.events")) {
		c->denied = flat_value(text, "max");
		c->pids_group = path;
		c->pids_length = (size_t)(file - path - 1);
	}
	if (same(file, "pids.max") && *number >= '0' && *number <= '9')
		c->tasks.max = parse_number(&number), c->tasks.has_max = 1;
	if (same(file, "pids.peak"))
		c->tasks.peak = parse_number(&number), c->tasks.has_peak = 1;
	if (same(file, "memory.failcnt") || same(file, "memory.memsw.failcnt"))
		c->hits += parse_number(&number);
	if (same(file, "memory.max_usage_in_bytes"))
		c->peak = parse_number(&number);
}

static int names_group(const char *path, const char *group)
{
	for (; *path; path++)
		if (starts(path, group))
			return 1;
	return 0;
}

/*
 * Returns the path of the file that a step reads at the job's end, or NULL for any other step. The
 * file must belong to a group of this start.
 */
static const char *figure_path(struct cursor ops, u32 step, const char *group)
{
	struct cursor payload;
	int code = 0, spawned = 0;
	const char *path;

	for (u32 i = 0; i <= step; i++) {
		code = take_op(&ops, &payload);
		if (code <= 0)
			return NULL;
		spawned |= code == OP_spawn;
	}
	if ((code != OP_readFile && code != OP_readIfFailed) || !spawned)
		return NULL;
	path = take_string(&payload);
	return names_group(path, group) ? path : NULL;
}

/* Returns the limit that the program writes to the file of its group before the spawn, or 0. */
static u64 written_limit(struct cursor ops, const char *group, const char *file)
{
	struct cursor payload;
	int code;

	while ((code = take_op(&ops, &payload)) > 0 && code != OP_spawn) {
		const char *path = take_string(&payload), *value = take_string(&payload);

		if (code == OP_writeFile && !payload.bad && ends(path, file) && names_group(path, group))
			return parse_number(&value);
	}
	return 0;
}

struct counts count_figures(const struct story *s)
{
	const struct outer *o = &s->run->outer;
	struct cursor ops, inner;
	struct counts c = { 0 };
	char text[4097];

	if (open_program(s->program, s->program_size, &ops, &inner))
		return c;
	for (u32 at = 0; at + 8 <= o->figures_length;) {
		const char *path;
		u32 step;
		int length;

		memcpy(&step, o->figures + at, 4);
		memcpy(&length, o->figures + at + 4, 4);
		at += 8;
		if (length < 0)
			continue;
		path = figure_path(ops, step, s->group);
		if (path && length < (int)sizeof text) {
			memcpy(text, o->figures + at, (size_t)length);
			text[length] = 0;
			count_file(&c, path, text, s->group);
		}
		at += ((u32)length + 3) & ~3u;
	}
	/* limits are read again only at the end of a failed job; otherwise the written limits count */
	if (!c.limit_read && !(c.limit = written_limit(ops, s->group, "/memory.max")))
		c.limit = written_limit(ops, s->group, "/memory.limit_in_bytes");
	if (!c.tasks.has_max && (c.tasks.max = written_limit(ops, s->group, "/pids.max")))
		c.tasks.has_max = 1;
	return c;
}
