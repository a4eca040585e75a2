/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inspects a program that could not be executed, from inside and with the command's rights. Reports
 * the file found by the search, its links, its first bytes, and its interpreter or loader. Called
 * only after exec has failed. The file is untrusted. It is opened only if it is a regular file, and
 * every offset read from it is checked.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "../hutch.h"
#include "../lib/message.h"

#define MAX_LOOKS 4
#define MAX_LINKS 8
#define MAX_SEGMENTS 64

static struct program_look looks[MAX_LOOKS];
static u32 look_count;
/* The arguments of the failed exec, and the search directory that returned the error. */
static struct { const char *file, *search, *refused_in; } failed;

void note_failed_program(const char *file, const char *search, const char *refused_in)
{
	failed.file = file;
	failed.search = search;
	failed.refused_in = refused_in;
}

int has_failed_program(void)
{
	return failed.file != NULL;
}

static u32 error_of(long result)
{
	return result < 0 ? (u32)-result : 0;
}

static long look_at(const char *path, struct statx *found)
{
	return sys(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, found);
}

static void note_file(struct program_look *look, const struct statx *found)
{
	look->mode = found->stx_mode;
	look->owner = found->stx_uid;
	look->group = found->stx_gid;
}

/* Joins two paths with a slash. Returns 0 if the result does not fit. */
static int join(char *path, size_t size, const char *first, size_t length, const char *rest)
{
	size_t end = text_length(rest);

	if (length + end + 2 > size)
		return 0;
	memcpy(path, first, length);
	if (length && first[length - 1] != '/')
		path[length++] = '/';
	memcpy(path + length, rest, end + 1);
	return 1;
}

/*
 * Chooses the path to inspect. This is the command's name if it contains a slash, otherwise the
 * file in the directory that returned the error. If no directory did, it is the first such file in
 * the search path.
 */
static void choose_path(struct program_look *look)
{
	const char *at = failed.refused_in ? failed.refused_in : failed.search;
	struct statx found;

	join(look->path, sizeof look->path, "", 0, failed.file);
	for (const char *s = failed.file; *s; s++)
		if (*s == '/')
			return;
	for (; at; at++) {
		size_t length = 0;

		while (at[length] && at[length] != ':')
			length++;
		if (join(look->path, sizeof look->path, at, length, failed.file) &&
		    (failed.refused_in || !look_at(look->path, &found)))
			return;
		at += length;
		if (!*at)
			break;
	}
	join(look->path, sizeof look->path, "", 0, failed.file);
}

/* Follows symbolic links at the end of the path, as long as they can be read. */
static void follow_links(struct program_look *look)
{
	char to[sizeof look->target], from[sizeof look->target];
	const char *path = look->path;

	for (int i = 0; i < MAX_LINKS; i++) {
		long length = sys(__NR_readlinkat, AT_FDCWD, path, to, sizeof to - 1);
		size_t parent = 0;

		if (length <= 0)
			return;
		to[length] = 0;
		memcpy(from, path, text_length(path) + 1);
		for (size_t k = 0; from[k]; k++)
			if (from[k] == '/')
				parent = k + 1;
		if (!join(look->target, sizeof look->target, from, to[0] == '/' ? 0 : parent, to))
			return;
		path = look->target;
	}
}

/*
 * Walks along the path to the file. If a component is missing, not a directory, or not searchable,
 * records that component. Otherwise records the facts of the file.
 */
static void walk(struct program_look *look)
{
	const char *path = look->target[0] ? look->target : look->path;
	char prefix[sizeof look->path];
	size_t searched = 0;
	struct statx found;

	for (size_t end = *path == '/'; ; end++) {
		while (path[end] && path[end] != '/')
			end++;
		memcpy(prefix, path, end);
		prefix[end] = 0;
		look->error = error_of(look_at(prefix, &found));
		look->barrier = look->error == EACCES ? (u32)searched : (u32)end;
		if (look->error || !path[end])
			break;
		if ((found.stx_mode & S_IFMT) != S_IFDIR) {
			look->error = ENOTDIR;
			break;
		}
		searched = end;
		note_file(look, &found);
	}
	if (!look->error)
		note_file(look, &found);
}

/* Copies the interpreter's path after "#!" as the kernel parses it. */
static void read_script(struct program_look *look)
{
	u32 at = 2, length = 0;

	while (at < look->length && (look->head[at] == ' ' || look->head[at] == '\t'))
		at++;
	for (; at < look->length && length < sizeof look->loader - 1; at++) {
		u8 c = look->head[at];

		if (c == ' ' || c == '\t' || c == '\n' || c == 0)
			break;
		look->loader[length++] = (char)c;
	}
}

static u64 number_at(const u8 *bytes, u32 size)
{
	u64 number = 0;

	while (size--)
		number = number << 8 | bytes[size];
	return number;
}

/* Finds the path of the dynamic loader in a little-endian ELF file, 32-bit or 64-bit. */
static void read_elf(struct program_look *look, int fd)
{
	u32 wide = look->head[4] == 2, size = wide ? 56 : 32, count, step;
	u64 offset;

	if (look->length < 64 || look->head[5] != 1)
		return;
	offset = number_at(look->head + (wide ? 32 : 28), wide ? 8 : 4);
	step = (u32)number_at(look->head + (wide ? 54 : 42), 2);
	count = (u32)number_at(look->head + (wide ? 56 : 44), 2);
	if (step < size)
		return;
	for (u32 i = 0; i < count && i < MAX_SEGMENTS; i++) {
		u8 segment[56];
		u64 length;

		if (sys(__NR_pread64, fd, segment, size, offset + (u64)i * step) != (long)size)
			return;
		if (number_at(segment, 4) != K_PT_INTERP)
			continue;
		length = number_at(segment + (wide ? 32 : 16), wide ? 8 : 4);
		if (length >= sizeof look->loader)
			length = sizeof look->loader - 1;
		sys(__NR_pread64, fd, look->loader, length, number_at(segment + (wide ? 8 : 4), wide ? 8 : 4));
		return;
	}
}

static void read_head(struct program_look *look)
{
	long fd = sys(__NR_openat, AT_FDCWD, look->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | K_O_NONBLOCK), got;

	look->open_error = error_of(fd);
	if (fd < 0)
		return;
	got = sys(__NR_pread64, fd, look->head, sizeof look->head, 0);
	look->open_error = error_of(got);
	look->length = got > 0 ? (u32)got : 0;
	if (look->length > 2 && look->head[0] == '#' && look->head[1] == '!')
		read_script(look);
	else if (look->length > 4 && look->head[0] == 0x7f && look->head[1] == 'E' && look->head[2] == 'L' && look->head[3] == 'F')
		read_elf(look, (int)fd);
	sys(__NR_close, fd);
}

/* Returns true if the file names an interpreter (script) or loader (ELF file) that exists. */
static int look_once(struct program_look *look)
{
	struct mount_facts mount = { 0 };
	struct statx found;

	look->report.kind = REPORT_PROGRAM;
	look->user = (u32)sys(__NR_geteuid);
	follow_links(look);
	walk(look);
	if (look->error)
		return 0;
	look->access = error_of(sys(__NR_faccessat, AT_FDCWD, look->path, K_X_OK));
	if (sys(__NR_statfs, look->path, &mount) == 0)
		look->mount = (u32)mount.flags;
	if ((look->mode & S_IFMT) != S_IFREG)
		return 0;
	read_head(look);
	if (!look->loader[0])
		return 0;
	look->loader_error = error_of(look_at(look->loader, &found));
	return !look->loader_error;
}

/* Inspects the program. If it names an interpreter or loader that exists, inspects that file next, and so on. */
void look_at_failed_program(void)
{
	if (!failed.file || look_count)
		return;
	choose_path(&looks[0]);
	look_count = 1;
	while (look_once(&looks[look_count - 1]) && look_count < MAX_LOOKS) {
		join(looks[look_count].path, sizeof looks->path, "", 0, looks[look_count - 1].loader);
		look_count++;
	}
}

/*
 * Sends the findings to hutch, after the report FAILED. If a filter ends this process during the
 * inspection, only the findings are lost.
 */
void report_failed_program(void)
{
	look_at_failed_program();
	for (u32 i = 0; i < look_count; i++)
		transmit(report_socket, &looks[i], sizeof looks[i], K_MSG_NOSIGNAL);
}
