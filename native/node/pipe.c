/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads, writes and closes descriptors that the addon opened. In Node only closing is needed: in a
 * worker thread, its fs.closeSync warns about descriptors that fs did not open. Other runtimes have
 * no stream for the end of a pipe, so src/system/pipes.ts makes one from these functions.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"

/* pipe(): returns [read end, write end], both close-on-exec, or [-errno] */
static napi_value export_pipe(napi_env env, napi_callback_info info)
{
	int ends[2];

	(void)info;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return to_numbers(env, (int[]){ -errno }, 1);
	return to_numbers(env, ends, 2);
}

/* socketPair(): returns both ends of a connection, close-on-exec, or [-errno] */
static napi_value export_socket_pair(napi_env env, napi_callback_info info)
{
	int ends[2];

	(void)info;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return to_numbers(env, (int[]){ -errno }, 1);
	return to_numbers(env, ends, 2);
}

/* duplicate(fd): returns another close-on-exec descriptor of the same file, or -errno */
static napi_value export_duplicate(napi_env env, napi_callback_info info)
{
	int fd, err = read_arguments(env, info, "i", &fd);

	if (!err)
		err = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return to_number(env, err == -1 ? -errno : err);
}

/* endWriting(fd): tells the other end of a connection that no data follows; returns 0 or -errno */
static napi_value export_end_writing(napi_env env, napi_callback_info info)
{
	int fd, err = read_arguments(env, info, "i", &fd);

	return to_number(env, err ? err : shutdown(fd, SHUT_WR) < 0 ? -errno : 0);
}

/* close(fd): returns 0 or -errno */
static napi_value export_close(napi_env env, napi_callback_info info)
{
	int fd, err = read_arguments(env, info, "i", &fd);

	return to_number(env, err ? err : close(fd) < 0 ? -errno : 0);
}

/* readSome(fd, bytes): reads into `bytes`; returns the number of bytes, 0 at the end, or -errno */
static napi_value export_read_some(napi_env env, napi_callback_info info)
{
	size_t size;
	void *bytes;
	int fd, err = read_arguments(env, info, "iB", &fd, &bytes, &size);
	ssize_t got = err ? 0 : read(fd, bytes, size);

	return to_number(env, err ? err : got < 0 ? -errno : (double)got);
}

/* writeSome(fd, bytes): returns the number of bytes written, or -errno */
static napi_value export_write_some(napi_env env, napi_callback_info info)
{
	size_t size;
	void *bytes;
	int fd, err = read_arguments(env, info, "iB", &fd, &bytes, &size);
	ssize_t written = err ? 0 : write(fd, bytes, size);

	return to_number(env, err ? err : written < 0 ? -errno : (double)written);
}

void add_pipes(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "pipe", export_pipe }, { "close", export_close }, { "readSome", export_read_some },
		{ "writeSome", export_write_some }, { "socketPair", export_socket_pair },
		{ "duplicate", export_duplicate }, { "endWriting", export_end_writing },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
