/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces the placeholders of a compiled program by the caller's groups and by values of files in
 * these groups. Makes no system calls: find-groups.c and place-groups.c find the groups.
 */
#include <linux/errno.h>

#include "compiled.h"

#define MAX_VALUES 4

struct place places[MAX_PLACES];
u32 place_count;

static struct own_value {
	const char *file;
	char text[1024];
	int always;	/* true if the text replaces every value written to the file, not only a placeholder */
} values[MAX_VALUES];
static u32 value_count;

/*
 * Adds a group of the caller: the tree of a v1 controller or of v2, and where it is mounted.
 * Returns NULL if there are too many groups, or the name is too long.
 */
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

/* Returns the path that replaces one component of a path, or NULL if the component is not a placeholder. */
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

/* Returns the text to write to `file` in place of `value`, or NULL if `value` itself is to be written. */
const char *own_value(const char *file, const char *value)
{
	int wanted = same(value, OWN_PLACEHOLDER);

	for (u32 i = 0; i < value_count; i++)
		if ((wanted || values[i].always) && same(file, values[i].file))
			return values[i].text;
	return wanted ? "" : NULL;
}

/* Appends `text` to `t`, with the placeholders in its paths replaced. */
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
		/* the path of a hierarchy's root is empty: also skip the slash after the placeholder */
		text += own ? length + (!*own && text[length] == '/') : 1;
	}
}

/*
 * Returns the maximum number of bytes by which a program of this length grows when its placeholders
 * are replaced. Assumes that every string in it is a placeholder.
 */
u64 own_group_room(u64 program_length)
{
	size_t longest = sizeof values->text;

	for (u32 i = 0; i < place_count; i++)
		if (text_length(places[i].path) > longest)
			longest = text_length(places[i].path);
	return place_count || value_count ? program_length / (sizeof OWN_PLACEHOLDER - 1) * longest : 0;
}
