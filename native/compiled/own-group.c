/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces a program's placeholders at this start: groups of the caller, and values of files there.
 * Makes no system calls: find-groups.c and place-groups.c find the groups.
 */
#include <linux/errno.h>

#include "compiled.h"

#define MAX_VALUES 4

struct place places[MAX_PLACES];
u32 place_count;

static struct own_value {
	const char *file;
	char text[1024];
	int always;	/* replaces every value of the file, not only the placeholder */
} values[MAX_VALUES];
static u32 value_count;

/* Adds a group. Returns NULL if there are too many, or the name is too long. */
struct place *add_place(const char *controller, const char *mount)
{
	size_t length = text_length(controller);
	struct place *place = &places[place_count];

	if (place_count == MAX_PLACES || length >= sizeof place->controller)
		return NULL;
	place_count++;
	memcpy(place->controller, controller, length + 1);
	place->mount = mount;
	place->path[0] = 0;
	return place;
}

int add_own_value(const char *file, const char *text, int always)
{
	struct own_value *value = &values[value_count];
	size_t length = text_length(text);

	if (value_count == MAX_VALUES || length >= sizeof value->text)
		return -E2BIG;
	value_count++;
	value->file = file;
	memcpy(value->text, text, length + 1);
	value->always = always;
	return 0;
}

/* Returns the replacement of one part of a path, or NULL if the part is not a placeholder. */
const char *own_group(const char *part, size_t length)
{
	size_t head = sizeof OWN_PLACEHOLDER - 1;

	if (length < head || !starts(part, OWN_PLACEHOLDER))
		return NULL;
	for (u32 i = 0; i < place_count; i++)
		if (text_length(places[i].controller) == length - head && starts(part + head, places[i].controller))
			return places[i].path;
	return NULL;
}

/* Returns the text that is written to `file` instead of `value`, or NULL. */
const char *own_value(const char *file, const char *value)
{
	int wanted = same(value, OWN_PLACEHOLDER);

	for (u32 i = 0; i < value_count; i++)
		if ((wanted || values[i].always) && same(file, values[i].file))
			return values[i].text;
	return wanted ? "" : NULL;
}

/* Adds a text and replaces the placeholders in its paths. */
void add_own_groups(struct text *t, const char *text)
{
	while (*text) {
		size_t length = 0;
		const char *own = NULL;

		if (starts(text, OWN_PLACEHOLDER)) {
			for (length = sizeof OWN_PLACEHOLDER - 1; (text[length] >= 'a' && text[length] <= 'z') || text[length] == '_';)
				length++;
			own = own_group(text, length);
		}
		if (own)
			add(t, own);
		else
			add(t, (const char[]){ text[length = 0], 0 });
		/* the root of a hierarchy has an empty name */
		text += own ? length + (!*own && text[length] == '/') : 1;
	}
}

/* Returns the maximum growth of a program of this length: each string in it may be a placeholder. */
u64 own_group_room(u64 program_length)
{
	size_t longest = sizeof values->text;

	for (u32 i = 0; i < place_count; i++)
		if (text_length(places[i].path) > longest)
			longest = text_length(places[i].path);
	return place_count || value_count ? program_length / (sizeof OWN_PLACEHOLDER - 1) * longest : 0;
}
