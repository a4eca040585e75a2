/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inspects a refused mount target: which symbolic link leads where inside the root, and which
 * component of the path is the obstacle. Called only after a step has failed. Each component is
 * opened below the root without following links. So a concurrent change of the tree can only change
 * the text of the report.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "../hutch.h"
#include "../lib/message.h"


static const char *target_path;	/* mount target of the current step */

void note_target(const char *path)
{
	target_path = path;
}

struct walk {
	struct program_look *look;
	size_t length;		/* length of the path resolved so far, stored in look->target; 1 means "/" */
	int links;
	size_t at;		/* position in rest */
	char rest[2048], next[2048];
};

static int open_part(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};

	return (int)sys(__NR_openat2, base_of("/"), path, &how, sizeof how);
}

static int append(char *text, size_t size, size_t at, const char *more)
{
	size_t length = text_length(more);

	if (at + length >= size)
		return -ENAMETOOLONG;
	memcpy(text + at, more, length + 1);
	return 0;
}

static void drop_last(struct walk *w)
{
	while (w->length > 1 && w->look->target[--w->length] != '/')
		;
	w->look->target[w->length] = 0;
}

/*
 * Returns true for links of /proc that lead directly to a process's open file, such as
 * /proc/PID/fd/N. All other links in /proc are relative.
 */
static int is_magic(int fd, const char *to)
{
	struct mount_facts found = { 0 };
	const char *own = "self/";
	size_t same = 0;

	if (sys(__NR_fstatfs, fd, &found) || found.other[0] != K_PROC_SUPER_MAGIC)
		return 0;
	while (own[same] && to[same] == own[same])
		same++;
	return own[same] && (to[0] < '0' || to[0] > '9');
}

/*
 * Records the first symbolic link on the way to the target, and the text of this link. A text that
 * is too long is truncated.
 */
static void note_link(struct program_look *look, const char *to, size_t length)
{
	if (look->path[0])
		return;
	append(look->path, sizeof look->path, 0, look->target);
	if (length >= sizeof look->loader)
		length = sizeof look->loader - 1;
	memcpy(look->loader, to, length);
	look->loader[length] = 0;
}

/* Puts the text of the link before the rest of the path. */
static int follow(struct walk *w, int fd)
{
	long length = sys(__NR_readlinkat, fd, "", w->next, sizeof w->next - 2);

	if (length < 0)
		return (int)length;
	w->next[length] = 0;
	note_link(w->look, w->next, (size_t)length);
	w->look->access = is_magic(fd, w->next) ? ELOOP : 0;
	if (w->look->access || ++w->links > K_MAXSYMLINKS)
		return -ELOOP;
	w->next[length++] = '/';
	if (append(w->next, sizeof w->next, (size_t)length, w->rest + w->at))
		return -ENAMETOOLONG;
	memcpy(w->rest, w->next, sizeof w->rest);
	w->at = 0;
	if (w->rest[0] == '/')
		w->length = 1;
	else
		drop_last(w);
	w->look->target[w->length] = 0;
	return 0;
}

static void note_found(struct program_look *look, int fd, const struct statx *found)
{
	struct mount_facts mount = { 0 };

	look->mode = found->stx_mode;
	look->owner = found->stx_uid;
	look->group = found->stx_gid;
	if (!sys(__NR_fstatfs, fd, &mount))
		look->mount = (u32)mount.flags;
}

/* Opens the last component of the path resolved so far, which is a link, a directory, or the obstacle. */
static int look_at_part(struct walk *w)
{
	struct program_look *look = w->look;
	const char *rest = w->rest + w->at;
	struct statx found;
	int fd = open_part(look->target), err;

	if (fd < 0)
		return fd;
	err = (int)sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, &found);
	if (!err && (found.stx_mode & S_IFMT) == S_IFLNK) {
		err = follow(w, fd);
	} else if (!err) {
		note_found(look, fd, &found);
		while (*rest == '/')
			rest++;
		err = *rest && (found.stx_mode & S_IFMT) != S_IFDIR ? -ENOTDIR : 0;
	}
	sys(__NR_close, fd);
	return err;
}

/* Appends the next component, of this length, to the path resolved so far. */
static int enter(struct walk *w, const char *name, size_t length)
{
	struct program_look *look = w->look;
	size_t before = w->length;
	int err;

	if (before + length + 2 >= sizeof look->target)
		return -ENAMETOOLONG;
	if (before > 1)
		look->target[w->length++] = '/';
	memcpy(look->target + w->length, name, length);
	w->length += length;
	look->target[w->length] = 0;
	look->barrier = (u32)w->length;
	err = look_at_part(w);
	if (err == -EACCES)
		look->barrier = (u32)before;
	return err;
}

static int walk(struct walk *w)
{
	for (;;) {
		const char *name;
		size_t length = 0;
		int err;

		while (w->rest[w->at] == '/')
			w->at++;
		name = w->rest + w->at;
		while (name[length] && name[length] != '/')
			length++;
		w->at += length;
		if (!length)
			return 0;
		if (length == 1 && name[0] == '.')
			continue;
		if (length == 2 && name[0] == '.' && name[1] == '.') {
			drop_last(w);
			continue;
		}
		err = enter(w, name, length);
		if (err)
			return err;
	}
}

/* Sends the findings about a refused mount target to hutch, after the report FAILED. */
void report_refused_target(int err)
{
	static struct program_look look;
	static struct walk w;
	int part = -err / STEP_PART;
	struct statx found;

	if (!target_path || *target_path != '/' || (part != PART_TARGET && part != PART_ATTACH) || base_of(target_path) < 0)
		return;
	look.report.kind = REPORT_PROGRAM;
	look.report.value = LOOK_AT_TARGET;
	look.user = (u32)sys(__NR_geteuid);
	w.look = &look;
	w.length = 1;
	memcpy(look.target, "/", 2);
	if (append(w.rest, sizeof w.rest, 0, target_path))
		return;
	if (!sys(__NR_statx, base_of("/"), "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, &found))
		note_found(&look, base_of("/"), &found);
	look.error = (u32)-walk(&w);
	/* the components after the obstacle also belong to the target's path */
	if (look.error)
		append(look.target, sizeof look.target, w.length, w.rest + w.at);
	transmit(report_socket, &look, sizeof look, K_MSG_NOSIGNAL);
}
