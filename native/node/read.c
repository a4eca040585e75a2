/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads many small kernel files in one call. Reading a group's figures from JavaScript is slow
 * because of the native calls: open, read and close of every file. Here one native call reads any
 * number of groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "read.h"

#define CHUNK 65536
#define MOST_OF_ONE_FILE (16u << 20)
#define LONGEST_ATTRIBUTE 64
/*
 * The kernel returns a file in pieces of at most one page. A piece that leaves at least this many
 * bytes of its page unused is the last one.
 */
#define SURELY_LAST 2048

int reserve(struct output *out, size_t size)
{
	size_t room = out->room ? out->room : CHUNK;
	char *larger;

	if (out->length + size <= out->room)
		return 0;
	while (room < out->length + size)
		room *= 2;
	larger = realloc(out->bytes, room);
	if (!larger)
		return -ENOMEM;
	out->bytes = larger;
	out->room = room;
	return 0;
}

/*
 * Appends the text of an open file to the output. Returns its length, or -errno. Reads from the
 * start of the file, also if it was read before.
 */
long append_text(struct output *out, long fd)
{
	long got, total = 0;

	do {
		got = reserve(out, CHUNK);
		if (!got)
			got = sys(__NR_pread64, fd, out->bytes + out->length, CHUNK, total);
		if (got > 0) {
			out->length += (size_t)got;
			total += got;
		}
	} while (got == -EINTR || (got >= SURELY_LAST && total < (long)MOST_OF_ONE_FILE));
	if (got < 0)
		out->length -= (size_t)total;
	return got < 0 ? got : total;
}

/* Appends a record with a file's text to the output: i32 length or -errno, then the bytes, padded to 4 bytes. */
static int append_record(struct output *out, long fd)
{
	size_t head = out->length;
	int32_t length;
	int err = reserve(out, 8);

	if (err)
		return err;
	out->length += 4;
	length = fd < 0 ? (int32_t)fd : (int32_t)append_text(out, fd);
	memcpy(out->bytes + head, &length, 4);
	err = reserve(out, 4);
	while (!err && out->length & 3)
		out->bytes[out->length++] = 0;
	return err;
}

/* Appends a record with the value of an extended attribute of a directory, in the same format as for a file. */
static int append_attribute(struct output *out, const char *directory, const char *name)
{
	int err = reserve(out, 4 + LONGEST_ATTRIBUTE + 3);
	int32_t length;

	if (err)
		return err;
	length = (int32_t)sys(__NR_lgetxattr, directory, name, out->bytes + out->length + 4, LONGEST_ATTRIBUTE);
	memcpy(out->bytes + out->length, &length, 4);
	out->length += 4 + (length > 0 ? (size_t)length : 0);
	while (out->length & 3)
		out->bytes[out->length++] = 0;
	return 0;
}

long open_group(const char *directory)
{
	return sys(__NR_openat, AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

long open_file(long directory, const char *name)
{
	return directory < 0 ? directory : sys(__NR_openat, directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

void close_fd(long fd)
{
	if (fd >= 0)
		sys(__NR_close, fd);
}

static int read_all(struct output *out, const char *directories, const char *names)
{
	int err = 0;

	for (const char *d = directories; !err && *d; d = next_string(d)) {
		long directory = open_group(d);

		for (const char *n = names; !err && *n; n = next_string(n)) {
			long fd;

			if (!strncmp(n, "user.", 5) || !strcmp(n, "security.capability")) {
				err = append_attribute(out, d, n);
				continue;
			}
			fd = open_file(directory, n);
			err = append_record(out, fd);
			close_fd(fd);
		}
		close_fd(directory);
	}
	return err;
}

napi_value to_buffer(napi_env env, struct output *out, int err)
{
	napi_value result = NULL;

	if (err < 0)
		napi_throw_error(env, NULL, "out of memory");
	else
		napi_create_buffer_copy(env, out->length, out->bytes, NULL, &result);
	free(out->bytes);
	return result;
}

/*
 * readFiles(directories, names): reads each of the files in each directory. Both lists are
 * NUL-separated. security.capability and names that begin with user. are extended attributes.
 * Returns for each name of each directory: i32 length or -errno, bytes, padding to 4
 */
napi_value export_read_files(napi_env env, napi_callback_info info)
{
	struct output out = { 0 };
	char *directories = NULL, *names = NULL;
	int err = read_arguments(env, info, "ww", &directories, &names);

	if (!err)
		err = read_all(&out, directories, names);
	free(directories);
	free(names);
	return to_buffer(env, &out, err);
}


/*
 * readLogTail(): returns the end of the kernel's log, read in one call of syslog(2), or -errno.
 * Reading /dev/kmsg record by record takes a hundred times as long.
 */
napi_value export_read_log_tail(napi_env env, napi_callback_info info)
{
	struct output out = { 0 };
	napi_value result = NULL;
	long got = reserve(&out, CHUNK);

	(void)info;
	if (!got)
		got = sys(__NR_syslog, K_SYSLOG_ACTION_READ_ALL, out.bytes, CHUNK);
	if (got >= 0) {
		out.length = (size_t)got;
		return to_buffer(env, &out, 0);
	}
	free(out.bytes);
	napi_create_double(env, (double)got, &result);
	return result;
}

/* A set of files that stay open between repeated readings: opening a file costs several times as much as reading it. */
struct reader {
	size_t count, room;
	int32_t *fds;	/* or -errno */
};

static void close_reader(struct reader *reader)
{
	for (size_t i = 0; i < reader->count; i++)
		close_fd(reader->fds[i]);
	reader->count = 0;
}

static void finalize_reader(napi_env env, void *data, void *hint)
{
	struct reader *reader = data;

	(void)env;
	(void)hint;
	close_reader(reader);
	free(reader->fds);
	free(reader);
}

static int add_fd(struct reader *reader, long fd)
{
	if (reader->count == reader->room) {
		size_t room = reader->room ? reader->room * 2 : 64;
		int32_t *larger = realloc(reader->fds, room * sizeof *larger);

		if (!larger) {
			close_fd(fd);
			return -ENOMEM;
		}
		reader->fds = larger;
		reader->room = room;
	}
	reader->fds[reader->count++] = (int32_t)fd;
	return fd == -EMFILE || fd == -ENFILE ? (int)fd : 0;
}

static int open_all(struct reader *reader, const char *directories, const char *names)
{
	int err = 0;

	for (const char *d = directories; !err && *d; d = next_string(d)) {
		long directory = open_group(d);

		if (directory == -EMFILE || directory == -ENFILE)
			return (int)directory;
		for (const char *n = names; !err && *n; n = next_string(n))
			err = add_fd(reader, open_file(directory, n));
		close_fd(directory);
	}
	return err;
}

/*
 * openReader(directories, names): opens files for readAgain; returns a handle, or -errno if the
 * descriptor table is full
 */
napi_value export_open_reader(napi_env env, napi_callback_info info)
{
	struct reader *reader = calloc(1, sizeof *reader);
	char *directories = NULL, *names = NULL;
	napi_value result = NULL;
	int err;

	if (!reader)
		return NULL;
	err = read_arguments(env, info, "ww", &directories, &names);
	if (!err)
		err = open_all(reader, directories, names);
	free(directories);
	free(names);
	if (!err && napi_create_external(env, reader, finalize_reader, NULL, &result) == napi_ok)
		return result;
	finalize_reader(env, reader, NULL);
	napi_create_int32(env, err, &result);
	return result;
}

static struct reader *take_reader(napi_env env, napi_callback_info info)
{
	void *reader = NULL;

	if (read_arguments(env, info, "x", &reader))
		napi_throw_type_error(env, NULL, "not a reader");
	return reader;
}

/*
 * readAgain(reader): returns the texts of the open files in the format of readFiles, or nothing if
 * the reader is closed
 */
napi_value export_read_again(napi_env env, napi_callback_info info)
{
	struct reader *reader = take_reader(env, info);
	struct output out = { 0 };
	int err = 0;

	if (!reader)
		return NULL;
	for (size_t i = 0; !err && i < reader->count; i++)
		err = append_record(&out, reader->fds[i]);
	return to_buffer(env, &out, err);
}

napi_value export_close_reader(napi_env env, napi_callback_info info)
{
	struct reader *reader = take_reader(env, info);

	if (reader)
		close_reader(reader);
	return NULL;
}
