/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates the mount points of later ops in a new file system in advance. Creating a file needs
 * root's id of the user namespace, and opening a source needs the caller's. Each change of ids takes
 * the kernel longer than the creation, so all mount points of a file system share one change.
 */
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "../hutch.h"

#define MAX_PLACES 32

struct cursor upcoming;		/* the ops after the current one */

static struct place {
	const char *name, *link;	/* strings of the program; a link to `link` unless that is NULL */
	int directory;
} places[2][MAX_PLACES];	/* in the file system attached last, and in the job's root */
static u32 place_count[2];

/* Returns the only component of a path: absolute in the job's root, relative in the file system attached last. */
static const char *single(const char *path, int absolute)
{
	size_t i = 0;

	if ((*path == '/') != absolute)
		return NULL;
	path += absolute;
	while (path[i] && path[i] != '/')
		i++;
	return i && !path[i] && path[0] != '.' ? path : NULL;
}

/* Returns whether a source is a directory, or -1 if it cannot be opened. The op of the mount explains that later. */
static int kind_of(const char *source)
{
	struct statx found;

	if (sys(__NR_statx, AT_FDCWD, source, 0, STATX_TYPE, &found))
		return -1;
	return (found.stx_mode & S_IFMT) == S_IFDIR;
}

static void add_place(int code, struct cursor *c, int absolute)
{
	struct place *p = &places[absolute][place_count[absolute]];
	const char *source, *target;

	source = take_string(c);
	if (code == OP_attachNew)
		take_strings(c);
	target = take_string(c);
	p->link = code == OP_makeLink ? target : NULL;
	p->name = single(code == OP_makeLink ? source : target, absolute);
	if (c->bad || !p->name)
		return;
	p->directory = code == OP_attachTree ? kind_of(source) : code == OP_attachNew;
	place_count[absolute] += p->directory >= 0;
}

/*
 * Creates the mount points and links that the next ops need in the top directory of a file system
 * which only this process has used. absolute: it is the job's root; otherwise the one attached
 * last. A name that cannot be created is left to its op.
 */
void make_places(int fd, int absolute)
{
	struct cursor rest = upcoming, payload;
	int code, inside;

	place_count[absolute] = 0;
	if (!is_outside())
		return;
	while (place_count[absolute] < MAX_PLACES && (code = take_op(&rest, &payload)) > 0 && code != OP_pivotRoot) {
		struct cursor fields = payload;

		if (code == OP_attachNew && !absolute) {	/* the next file system at an absolute path takes over */
			take_string(&fields), take_strings(&fields);
			if (*take_string(&fields) == '/')
				break;
		}
		if (code == OP_attachTree || code == OP_attachNew || (code == OP_makeLink && !absolute))
			add_place(code, &payload, absolute);
	}
	if (!place_count[absolute])
		return;
	inside = begin_inside();
	for (u32 i = 0; i < place_count[absolute]; i++) {
		struct place *p = &places[absolute][i];
		long err = p->link ? sys(__NR_symlinkat, p->link, fd, p->name)
			 : p->directory ? sys(__NR_mkdirat, fd, p->name, 0755)
			 : sys(__NR_mknodat, fd, p->name, S_IFREG | 0644, 0);

		if (err)
			p->name = NULL;
	}
	end_inside(inside);
}

/* Returns true once for a name that make_places has created: a string of the program. */
int take_place(const char *name, int absolute)
{
	for (u32 i = 0; i < place_count[absolute]; i++)
		if (places[absolute][i].name == name) {
			places[absolute][i].name = NULL;
			return 1;
		}
	return 0;
}
