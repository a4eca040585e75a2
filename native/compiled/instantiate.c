/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the stored program into the program of this start. The group gets a new name, and the
 * command gets its arguments and environment. Each op is copied field by field; wire/program.h
 * lists the fields of each op.
 */
#include <linux/errno.h>

#include "compiled.h"


struct out {
	u8 *at, *end;
	int full;
};

static void put_bytes(struct out *o, const void *bytes, u64 length)
{
	if ((u64)(o->end - o->at) < length) {
		o->full = 1;
		return;
	}
	if (length)
		memcpy(o->at, bytes, length);
	o->at += length;
}

static void put_u32(struct out *o, u32 value)
{
	put_bytes(o, &value, 4);
}

/* Writes a zero in place of a length that put_now() fills in later. Returns its position. */
static u8 *put_later(struct out *o)
{
	u8 *at = o->at;

	put_u32(o, 0);
	return at;
}

static void put_now(struct out *o, u8 *at, u32 value)
{
	if (!o->full)
		memcpy(at, &value, 4);
}

static void pad(struct out *o, const u8 *start)
{
	while (!o->full && ((u64)(o->at - start) & 3))
		put_bytes(o, "", 1);
}

/*
 * Copies a path and replaces placeholders. Only a whole component of the path can be a placeholder,
 * so a longer name that contains the same text is kept.
 */
static void put_path(struct out *o, const char *s, const char *group)
{
	const char *part = s;

	for (;;) {
		const char *end = part, *own;

		while (*end && *end != '/')
			end++;
		own = group ? own_group(part, (size_t)(end - part)) : NULL;
		if (own)
			put_bytes(o, own, text_length(own));
		else if ((size_t)(end - part) == sizeof GROUP_PLACEHOLDER - 1 && starts(part, GROUP_PLACEHOLDER) && group)
			put_bytes(o, group, text_length(group));
		else
			put_bytes(o, part, (u64)(end - part));
		if (!*end)
			break;
		/* the path of a hierarchy's root is empty: adding "/" would double the slash */
		if (!own || *own)
			put_bytes(o, "/", 1);
		part = end + 1;
	}
	put_bytes(o, "", 1);
}

static void put_string(struct out *o, const char *s, const char *group)
{
	u8 *length = put_later(o), *start = o->at;

	put_path(o, s, group);
	put_now(o, length, (u32)(o->at - start) - 1);
	pad(o, start);
}

static void copy_numbers(struct out *o, struct cursor *c)
{
	struct numbers numbers = take_numbers(c);

	put_u32(o, numbers.count);
	put_bytes(o, numbers.first, (u64)numbers.count * 4);
}

/*
 * Copies the value that the program writes to a file. A value that stands for the caller's group is
 * replaced by the text of that group's file. `path` is the file's path after replacement of its
 * placeholders.
 */
static void copy_value(struct out *o, struct cursor *c, const char *path, const char *group)
{
	const char *value = take_string(c), *own;
	u8 *length = put_later(o), *start = o->at;

	if (o->full)
		return;
	own = own_value(file_name(path), value);
	put_path(o, own ? own : value, own ? NULL : group);
	put_now(o, length, (u32)(o->at - start) - 1);
	pad(o, start);
	if (!o->full)
		note_written(file_name(path), (const char *)start);
}

/*
 * Adds writes of limits to the job's own group, before the spawn. These are limits of the caller's
 * groups that would not apply to the job otherwise.
 */
static void put_outer_limits(struct out *o, struct cursor spawn, const struct call *call)
{
	struct limit_line line;
	struct text file = { .length = 0 };
	const char *group;

	take_u64(&spawn);
	group = take_string(&spawn);
	while (next_limit_line(&line)) {
		u8 *length, *start;

		put_u32(o, OP_writeFile);
		length = put_later(o);
		start = o->at;
		file.length = 0;
		add(&file, group);
		add(&file, "/");
		add(&file, line.file);
		put_string(o, file.bytes, call->group);
		put_string(o, line.value, NULL);
		put_now(o, length, (u32)(o->at - start));
	}
}

/* Copies a list of strings from the program and appends the strings in `more`. */
static void copy_strings(struct out *o, const struct strings *from, char **more, const char *group)
{
	const char *s = from->first;
	u32 count = from->count;
	u8 *total = put_later(o), *length = put_later(o), *start = o->at;

	for (u32 i = 0; i < from->count; i++, s = next_string(s))
		put_path(o, s, group);
	for (; more && *more; more++, count++)
		put_bytes(o, *more, text_length(*more) + 1);
	put_now(o, total, count);
	put_now(o, length, (u32)(o->at - start));
	pad(o, start);
}

/* Returns the value of the string NAME=VALUE with the same name as `entry`, or NULL. */
static const char *value_of(const struct strings *from, const char *entry)
{
	const char *s = from->first;
	size_t name = 0;

	while (entry[name] && entry[name] != '=')
		name++;
	for (u32 i = 0; i < from->count; i++, s = next_string(s)) {
		size_t at = 0;

		while (at < name && s[at] == entry[at])
			at++;
		if (at == name && s[at] == '=')
			return s + at + 1;
	}
	return NULL;
}

/*
 * Fills the fields of the op exec: argv, env, path and reap. Variables that the op sets replace
 * those of the caller. If the op sets no PATH, the search path is the caller's PATH, or the
 * compiled default.
 */
static void fill_exec(struct out *o, struct cursor *c, const struct call *call)
{
	struct strings argv = take_strings(c), env = take_strings(c);
	const char *usual = take_string(c), *search = usual, *set = env.first;
	u8 *total, *length, *start;
	u32 count = 1;

	copy_strings(o, &argv, call->flags & PASS_ARGUMENTS ? call->arguments : NULL, NULL);
	if (value_of(&env, "PATH=") == NULL)
		for (char **e = call->environment; *e; e++)
			if (starts(*e, "PATH="))
				search = *e + 5;
	total = put_later(o);
	length = put_later(o);
	start = o->at;
	for (char **e = call->environment; *e; e++) {
		if (starts(*e, "PATH=") || value_of(&env, *e))
			continue;
		put_bytes(o, *e, text_length(*e) + 1);
		count++;
	}
	put_bytes(o, "PATH=", 5);
	put_bytes(o, search, text_length(search) + 1);
	for (u32 i = 0; i < env.count; i++, set = next_string(set)) {
		if (starts(set, "PATH="))
			continue;
		put_bytes(o, set, text_length(set) + 1);
		count++;
	}
	put_now(o, total, count);
	put_now(o, length, (u32)(o->at - start));
	pad(o, start);
	length = put_later(o);
	put_bytes(o, search, text_length(search) + 1);
	put_now(o, length, (u32)text_length(search));
	pad(o, start);
	put_u32(o, take_u32(c));
}

static const char *fields_of(int code)
{
	switch (code) {
#define CASE(number, name, handler, fields) case number: return fields;
	OUTER_OPS(CASE)
	INNER_OPS(CASE)
#undef CASE
	}
	return NULL;
}

/* Copies the fields of an op. Their description in wire/program.h has the form "name:type name:type". */
static int copy_fields(struct out *o, int code, struct cursor *c, const struct call *call)
{
	int names_group = code < FIRST_INNER_OP || code == OP_joinGroup || code == OP_attachGroups;
	const char *fields = fields_of(code), *group = names_group ? call->group : NULL;
	const char *path = (const char *)o->at + 4;
	struct strings strings;

	if (!fields)
		return -EPROTO;
	for (; *fields; fields++) {
		if (*fields != ':')
			continue;
		if (starts(fields, ":u32")) {
			put_u32(o, take_u32(c));
		} else if (starts(fields, ":u64") || starts(fields, ":exact64")) {
			put_u32(o, take_u32(c));
			put_u32(o, take_u32(c));
		} else if (starts(fields, ":strings")) {
			strings = take_strings(c);
			copy_strings(o, &strings, fields[-1] == 'v' && call->flags & PASS_ARGUMENTS ? call->arguments : NULL,
				     group);
		} else if (code == OP_writeFile && fields[-1] == 'e') {
			copy_value(o, c, path, group);
		} else if (starts(fields, ":string")) {
			put_string(o, take_string(c), group);
		} else {
			copy_numbers(o, c);
		}
	}
	return finished(c);
}

static int copy_section(struct out *o, struct cursor *section, const struct call *call)
{
	struct cursor payload;
	int code, err = 0;

	while (!err && (code = take_op(section, &payload)) != 0) {
		u8 *length, *start;

		if (code < 0)
			return code;
		if (code == OP_spawn)
			put_outer_limits(o, payload, call);
		put_u32(o, (u32)code);
		length = put_later(o);
		start = o->at;
		if (code == OP_exec && call->flags & PASS_ENVIRONMENT) {
			fill_exec(o, &payload, call);
			err = finished(&payload);
		} else {
			err = copy_fields(o, code, &payload, call);
		}
		put_now(o, length, (u32)(o->at - start));
	}
	return err;
}

/*
 * Returns a size that is enough for the instantiated program: every component of a path could be a
 * placeholder, which is shorter than its replacement.
 */
u64 filled_size(const struct compiled *c, const struct call *call)
{
	u64 size = (u64)c->program_length * 8 + 65536 + own_group_room(c->program_length) + limit_lines_room();

	for (char **a = call->arguments; *a; a++)
		size += text_length(*a) + 1;
	for (char **e = call->environment; *e; e++)
		size += 2 * text_length(*e) + 2;
	return size;
}

/*
 * Writes this start's program to `out` and returns its length, or -errno. `out` must be aligned to
 * 4 bytes, as every program is.
 */
long fill_program(const u8 *program, u64 size, const struct call *call, u8 *out, u64 room)
{
	struct out o = { out, out + room, 0 };
	struct cursor outer, inner;
	u8 *inner_start;
	int err = open_program(program, size, &outer, &inner);

	if (err)
		return err;
	start_limit_lines();
	put_u32(&o, PROGRAM_MAGIC);
	put_u32(&o, 0);
	put_u32(&o, 0);
	put_u32(&o, 0);
	err = copy_section(&o, &outer, call);
	inner_start = o.at;
	if (!err)
		err = copy_section(&o, &inner, call);
	if (err || o.full)
		return err ? err : -E2BIG;
	put_now(&o, out + 4, (u32)(inner_start - out) - 16);
	put_now(&o, out + 8, (u32)(o.at - inner_start));
	return o.at - out;
}
