/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the groups of the caller from /proc/self/cgroup and /proc/self/mountinfo, as src/host/hierarchy.ts does. */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../caller/groups.h"
#include "compiled.h"

#define MAX_DEPTH 64
#define UP "/.."

/*
 * For each mount of a cgroup tree: the path, in that tree, of the directory that is mounted. The
 * path is relative to the cgroup namespace's root.
 */
static char roots[MAX_PLACES][sizeof places->path];

void join(struct text *t, const struct place *place, const char *file)
{
	t->length = 0;
	add(t, place->mount);
	add(t, *place->path ? "/" : "");
	add(t, place->path);
	add(t, *file ? "/" : "");
	add(t, file);
}

/* Returns the text of a group's file, or "" if the file cannot be read. */
const char *read_in(const struct place *place, const char *file, char *buffer, size_t size)
{
	struct text t;
	long got;

	join(&t, place, file);
	got = read_text(t.bytes, buffer, size - 1);
	buffer[got > 0 ? got : 0] = 0;
	return buffer;
}

static int lists(const char *names, const char *end, const char *controller)
{
	size_t length = text_length(controller);

	for (;; names++) {
		const char *name = names;

		while (names < end && *names != ',')
			names++;
		if ((size_t)(names - name) == length && starts(name, controller))
			return 1;
		if (names == end)
			return 0;
	}
}

/* Stores the caller's path from the line ID:CONTROLLERS:PATH of /proc/self/cgroup. */
static int read_membership(struct place *place, const char *text)
{
	while (*text) {
		const char *end = text, *names = text, *colon;

		while (*end && *end != '\n')
			end++;
		while (names < end && *names++ != ':')
			;
		for (colon = names; colon < end && *colon != ':';)
			colon++;
		if (colon < end && lists(names, colon, place->controller)) {
			size_t length = (size_t)(end - colon) - 1;

			if (length >= sizeof place->path)
				return -ENAMETOOLONG;
			memcpy(place->path, colon + 1, length);
			place->path[length] = 0;
			return 0;
		}
		text = end + (*end != 0);
	}
	return -ENOENT;
}

/*
 * Ends the field at *at with NUL, moves *at after it, and returns the field. Decodes octal escapes,
 * such as \040 for a space.
 */
static char *take_field(char **at)
{
	char *field = *at, *to = field, *from = field;

	for (; *from && *from != ' '; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else
			*to = *from++;
	}
	*at = from + (*from == ' ');
	*to = 0;
	return field;
}

/* Reads a line of mountinfo. The last mount on a directory hides the earlier ones. */
static void read_mount(char *line)
{
	const char *root, *mount;

	for (int skipped = 0; skipped < 3; skipped++)
		take_field(&line);
	root = take_field(&line);
	mount = take_field(&line);
	for (u32 i = 0; i < place_count; i++)
		if (same(places[i].mount, mount) && text_length(root) < sizeof *roots)
			memcpy(roots[i], root, text_length(root) + 1);
}

static long read_mounts(void)
{
	static char buffer[32768];
	long fd = sys(__NR_openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), got = fd;
	size_t have = 0;

	if (fd < 0)
		return fd;
	while ((got = sys(__NR_read, fd, buffer + have, sizeof buffer - have)) > 0) {
		size_t start = 0;

		have += (size_t)got;
		for (size_t at = 0; at < have; at++) {
			if (buffer[at] != '\n')
				continue;
			buffer[at] = 0;
			read_mount(buffer + start);
			start = at + 1;
		}
		/* a line longer than the buffer is skipped: cgroup mounts have short lines */
		if (start == 0 && have == sizeof buffer)
			start = have;
		for (size_t at = start; at < have; at++)
			buffer[at - start] = buffer[at];
		have -= start;
	}
	sys(__NR_close, fd);
	return got;
}

/*
 * Searches for the caller's group if the mounted directory is `depth` levels above the root of the
 * cgroup namespace. The names of these levels are unknown, so the right group is the one that lists
 * this process.
 */
static int search(struct text *at, u32 depth, const char *tail, long pid)
{
	struct listed_entry child = { .after = 0 };
	u32 length = at->length;
	int found = 0, fd;

	if (depth == 0) {
		add(at, tail);
		add(at, "/cgroup.procs");
		found = lists_process(at->bytes, pid);
		at->bytes[at->length = found ? at->length - 13 : length] = 0;
		return found;
	}
	fd = (int)sys(__NR_openat, AT_FDCWD, at->bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (!found && next_entry(fd, child.after, ENTRY_GROUP, &child)) {
		add(at, "/");
		add(at, child.name);
		found = search(at, depth - 1, tail, pid);
		if (!found)
			at->bytes[at->length = length] = 0;
	}
	sys(__NR_close, fd);
	return found;
}

static void set_path(struct place *place, const char *path)
{
	size_t length;

	while (*path == '/')
		path++;
	length = text_length(path);
	if (length >= sizeof place->path)
		length = 0;
	for (size_t i = 0; i < length; i++)
		place->path[i] = path[i];
	place->path[length] = 0;
}

/* Makes the path of the caller's group relative to the mounted directory. */
static void make_relative(struct place *place, const char *root)
{
	static struct text at;
	const char *path = place->path, *up = root;
	u32 depth = 0;

	if (starts(path, UP) || same(path, "/"))
		path = "";
	for (; starts(up, UP); up += sizeof UP - 1)
		depth++;
	if (depth && !*up) {
		at.length = 0;
		add(&at, place->mount);
		if (depth <= MAX_DEPTH && search(&at, depth, path, sys(__NR_getpid)))
			path = at.bytes + text_length(place->mount);
		else
			path = "";
	} else if (!same(root, "/")) {
		size_t length = text_length(root);

		path = starts(path, root) && (!path[length] || path[length] == '/') ? path + length : "";
	}
	set_path(place, path);
}

/* Finds the caller's groups. Returns 0, or -errno with the reason in `why`. */
int find_places(struct text *why)
{
	static char text[65536];
	long got = read_text("/proc/self/cgroup", text, sizeof text - 1), err;

	text[got > 0 ? got : 0] = 0;
	for (u32 i = 0; i < place_count; i++) {
		err = got < 0 ? got : read_membership(&places[i], text);
		if (err) {
			add(why, "/proc/self/cgroup names no group of ");
			add(why, *places[i].controller ? places[i].controller : "cgroup2");
			return (int)err;
		}
		memcpy(roots[i], "/", 2);
	}
	err = read_mounts();
	if (err < 0) {
		add(why, "reading /proc/self/mountinfo");
		return (int)err;
	}
	for (u32 i = 0; i < place_count; i++) {
		make_relative(&places[i], roots[i]);
		if (same(file_name(places[i].path), LEAF_NAME))
			go_up(places[i].path);
	}
	return 0;
}

/* Returns true for files of any controller whose limit applies to a whole tree of groups, such as memory.max. */
static int is_limit_file(const char *name)
{
	return !starts(name, "cgroup.") &&
	       (ends(name, ".max") || ends(name, ".high") || same(name, "cpuset.cpus") || same(name, "cpuset.mems"));
}

/* Adds the limits of a v2 group of the caller to the list in outer-limits.c. Returns -errno on failure. */
int read_outer_limits(const struct place *place)
{
	struct listed_entry file = { .after = 0 };
	struct text group;
	char value[1100];
	int fd, err = 0;

	join(&group, place, "");
	fd = (int)sys(__NR_openat, AT_FDCWD, group.bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	while (!err && next_entry(fd, file.after, ENTRY_FILE, &file))
		if (is_limit_file(file.name))
			err = add_outer_limit(group.bytes, file.name, read_in(place, file.name, value, sizeof value));
	sys(__NR_close, fd);
	return err;
}
