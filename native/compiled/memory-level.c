/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the group whose memory limit caused a kill in the job's group, by the rules of
 * src/verdict/limits.ts. Runs after the job's end, and reads ancestor groups only after a kill.
 */
#include "compiled.h"

/*
 * Bytes by which the peak of a group may be below its limit when the limit caused a kill. The
 * kernel charges single pages, so only pages that are being charged at that moment are missing.
 */
#define IN_FLIGHT 65536

static void set_value(struct memory_level *out, u64 limit, const char *without)
{
	out->value.length = 0;
	add(&out->value, "");
	if (limit)
		add_size(&out->value, limit);
	else
		add(&out->value, without);
}

static u64 read_limit(const char *directory, size_t length)
{
	char text[64];
	const char *at = text;
	u64 limit;

	if (!read_file_of(directory, length, "memory.max", text, sizeof text) &&
	    !read_file_of(directory, length, "memory.limit_in_bytes", text, sizeof text))
		return 0;
	limit = parse_number(&at);
	return limit >> 62 ? 0 : limit;
}

/*
 * Sets the level to the ancestor that is `up` levels above the job's group. The level is unknown if
 * the path has fewer components.
 */
static void set_above(struct memory_level *out, const struct counts *c, u32 up)
{
	size_t length = c->memory_group ? c->memory_length : 0;

	for (; up && length; up--)
		length = parent_length(c->memory_group, length);
	out->level = length ? LEVEL_ABOVE : LEVEL_UNKNOWN;
	if (!length)
		return;
	add_quoted(&out->group, c->memory_group, length);
	set_value(out, read_limit(c->memory_group, length), "unknown");
}

/*
 * Finds the group whose memory limit caused the kill. The kernel log names the group. If the log
 * cannot be read, the counts of the job's own group show whether its own limit was reached.
 */
void find_memory_level(const struct story *s, const struct counts *c, struct memory_level *out)
{
	static struct logged_kill kill;

	out->group.length = 0;
	add(&out->group, "");
	set_value(out, c->limit, "no limit");
	kill.level = LEVEL_UNKNOWN;
	if (c->oom_kills)
		read_last_kill(s->group, &kill);
	out->level = kill.level;
	if (kill.level == LEVEL_ABOVE)
		set_above(out, c, kill.up);
	else if (kill.level == LEVEL_BELOW)
		add(&out->group, kill.below.bytes);
	else if (kill.level == LEVEL_UNKNOWN && (c->own_ooms || c->hits || (c->limit && c->peak + IN_FLIGHT >= c->limit)))
		out->level = LEVEL_OWN;
}
