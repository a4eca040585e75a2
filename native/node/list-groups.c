/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists all groups below a directory. A group's link count is its number of children plus 2, so
 * groups without children need not be opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job.h"
#include "../lib/directory.h"
#include "read.h"

#define LISTING 32768
/* a user who can create unlimited groups must not make hutch store them all */
#define MOST_BYTES (16u << 20)

static int has_children(int directory, const char *name)
{
	struct stat st;

	return sys(__NR_newfstatat, directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink != 2;
}

/* Appends one entry: "+" for a group with children or "-" without, the path, NUL. */
static int append_path(struct output *out, char mark, size_t parent, const char *name)
{
	size_t above = parent == SIZE_MAX ? 0 : strlen(out->bytes + parent), length = strlen(name);
	int err = reserve(out, above + length + 3);

	if (err)
		return err;
	out->bytes[out->length++] = mark;
	if (above) {
		memcpy(out->bytes + out->length, out->bytes + parent, above);
		out->length += above;
		out->bytes[out->length++] = '/';
	}
	memcpy(out->bytes + out->length, name, length + 1);
	out->length += length + 1;
	return 0;
}

/* Appends the groups directly below a group. A group that cannot be listed counts as empty. */
static int append_children(struct output *out, int fd, size_t parent, char *listing)
{
	long got, at = 0;
	int err = 0;

	while (!err && (got = sys(__NR_getdents64, fd, listing, LISTING)) > 0)
		for (at = 0; !err && at < got;) {
			struct entry *e = (struct entry *)(listing + at);

			at += e->length;
			if (e->type == DT_DIR && strcmp(e->name, ".") && strcmp(e->name, ".."))
				err = append_path(out, has_children(fd, e->name) ? '+' : '-', parent, e->name);
		}
	return err;
}

/* Walks over all groups. The output is also the queue: a group's children are appended to it, and visited later. */
static int walk(struct output *out, int top, char *listing)
{
	int err = append_children(out, top, SIZE_MAX, listing);

	for (size_t at = 0; !err && at < out->length && out->length < MOST_BYTES; at += strlen(out->bytes + at) + 1) {
		int fd;

		if (out->bytes[at] != '+')
			continue;
		fd = openat(top, out->bytes + at + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		err = append_children(out, fd, at + 1, listing);
		close(fd);
	}
	return err;
}

static int is_ascii(const char *bytes, size_t length)
{
	unsigned char all = 0;

	for (size_t i = 0; i < length; i++)
		all |= (unsigned char)bytes[i];
	return all < 0x80;
}

/*
 * walkGroups(directory): returns all groups below a directory. Each is "+" or "-", the relative
 * path, and a NUL. A name may contain any bytes, so JavaScript decodes the result.
 */
napi_value export_walk_groups(napi_env env, napi_callback_info info)
{
	struct output out = { 0 };
	char *directory = NULL, *listing = malloc(LISTING);
	napi_value result = NULL;
	int err = -ENOMEM, fd = -1;

	if (!read_arguments(env, info, "w", &directory) && listing) {
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 ? 0 : walk(&out, fd, listing);
	}
	close_fd(fd);
	free(directory);
	free(listing);
	if (err < 0)
		napi_throw_error(env, NULL, "out of memory");
	else if (is_ascii(out.bytes, out.length))
		napi_create_string_latin1(env, out.bytes ? out.bytes : "", out.length, &result);
	else
		napi_create_buffer_copy(env, out.length, out.bytes, NULL, &result);
	free(out.bytes);
	return result;
}
