/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small kernel files in one call. Reading a group's figures from
 * JavaScript costs most in the crossings: one each for open, read and close of
 * every file. Here one crossing reads any number of groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"

#define CHUNK 65536
#define MOST_OF_ONE_FILE (16u << 20)
/* A kernel file comes in pieces of a page; a piece that leaves this much of its page free was the last. */
#define SURELY_LAST 2048

struct output {
	char *bytes;
	size_t length, room;
};

static int reserve(struct output *out, size_t size)
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

/* Appends the file's text: its length, or -errno. */
static long append_file(struct output *out, long directory, const char *name)
{
	long fd, got, total = 0;

	fd = sys(__NR_openat, directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return fd;
	do {
		got = reserve(out, CHUNK);
		if (!got)
			got = sys(__NR_read, fd, out->bytes + out->length, CHUNK);
		if (got > 0) {
			out->length += (size_t)got;
			total += got;
		}
	} while (got == -EINTR || (got >= SURELY_LAST && total < (long)MOST_OF_ONE_FILE));
	sys(__NR_close, fd);
	if (got < 0)
		out->length -= (size_t)total;
	return got < 0 ? got : total;
}

/* i32 length or -errno, then the bytes, padded to 4 */
static int append_record(struct output *out, long directory, const char *name)
{
	size_t head = out->length;
	int32_t length;
	int err = reserve(out, 8);

	if (err)
		return err;
	out->length += 4;
	length = directory < 0 ? (int32_t)directory : (int32_t)append_file(out, directory, name);
	memcpy(out->bytes + head, &length, 4);
	err = reserve(out, 4);
	while (!err && out->length & 3)
		out->bytes[out->length++] = 0;
	return err;
}

static int read_all(struct output *out, const char *directories, const char *names)
{
	for (const char *d = directories; *d; d = next_string(d)) {
		long fd = sys(__NR_openat, AT_FDCWD, d, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		int err = 0;

		for (const char *n = names; !err && *n; n = next_string(n))
			err = append_record(out, fd, n);
		if (fd >= 0)
			sys(__NR_close, fd);
		if (err)
			return err;
	}
	return 0;
}

/* A JavaScript string of NUL-separated words, with two NULs at its end. */
static char *take_words(napi_env env, napi_value value)
{
	size_t length;
	char *words;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
		return NULL;
	words = malloc(length + 2);
	if (words && napi_get_value_string_utf8(env, value, words, length + 1, &length) == napi_ok)
		words[length] = words[length + 1] = 0;
	return words;
}

/* readFiles(directories, names): both NUL-separated; for every directory every name: i32 length or -errno, bytes, padding to 4 */
napi_value export_read_files(napi_env env, napi_callback_info info)
{
	struct output out = { 0 };
	napi_value argv[2], result = NULL;
	char *directories, *names;
	size_t count = 2;

	if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) != napi_ok || count < 2)
		return NULL;
	directories = take_words(env, argv[0]);
	names = take_words(env, argv[1]);
	if (!directories || !names || read_all(&out, directories, names) < 0)
		napi_throw_error(env, NULL, "out of memory");
	else
		napi_create_buffer_copy(env, out.length, out.bytes, NULL, &result);
	free(directories);
	free(names);
	free(out.bytes);
	return result;
}
