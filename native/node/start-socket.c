/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports functions for the sockets of a container. It waits on one for its start (inner op
 * awaitStart). Another belongs to its caller and receives the terminal. Paths may be longer than the
 * 107 bytes of a socket's address.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../lib/message.h"
#include "job.h"

#define MAX_REPORTS 8	/* a failure, and struct program_look for the program and its interpreters */

/* Writes the address of a name in an open directory, or with an empty name of an open file. */
static int make_address(struct sockaddr_un *address, int fd, const char *name)
{
	int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s%s", fd, *name ? "/" : "", name);

	address->sun_family = AF_UNIX;
	return length < (int)sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

/* Opens the directory of a path. *name is the rest. */
static int open_directory_of(char *path, const char **name)
{
	char *slash = strrchr(path, '/');
	int fd;

	*name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	fd = open(!slash ? "." : slash == path ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The mode of an unbound socket is that of the file which bind creates, so no other user can connect at any time. */
static int listen_in(int directory, const char *name)
{
	struct sockaddr_un address = { 0 };
	int err = make_address(&address, directory, name);
	int fd = err ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (err)
		return err;
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un address = { 0 };
	int file = open(path, O_PATH | O_CLOEXEC), fd, err;

	if (file < 0)
		return -errno;
	make_address(&address, file, "");
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	err = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
	close(file);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/* Sends a text and a descriptor in one message. Returns 0 or -errno. */
static int send_with(int fd, int sent, void *text, size_t length)
{
	struct descriptor_message message;

	make_message(&message, sent);
	message.piece.base = text;
	message.piece.length = length;
	return sendmsg(fd, (struct msghdr *)&message.header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * Sends GO, and reads reports until the container's exec or end closes the connection. Returns the
 * bytes of the reports, or -errno. ECONNRESET: the container ended, or another process started it.
 */
static long start_over(int fd, int agent, void *text, size_t length, char *reports, size_t size)
{
	char go = GO_BYTE;
	size_t at = 0;
	ssize_t got = send(fd, &go, 1, MSG_NOSIGNAL);
	int err = got == 1 && agent >= 0 ? send_with(fd, agent, text, length) : 0;

	if (err)
		return err;
	while (got > 0 || (got < 0 && errno == EINTR)) {
		if (size - at < sizeof(struct program_look))
			return (long)at;
		got = recv(fd, reports + at, sizeof(struct program_look), 0);
		at += got > 0 ? (size_t)got : 0;
	}
	return got < 0 ? -errno : (long)at;
}

/* listenAt(path): returns a listening socket (SOCK_SEQPACKET) that only this user can connect to; or -errno */
static napi_value export_listen_at(napi_env env, napi_callback_info info)
{
	char path[4096];
	const char *name;
	int directory, fd, err = read_arguments(env, info, "s", path, sizeof path);

	if (err)
		return to_number(env, err);
	directory = open_directory_of(path, &name);
	if (directory < 0)
		return to_number(env, directory);
	fd = listen_in(directory, name);
	close(directory);
	return to_number(env, fd);
}

/* connectTo(path): returns a connected socket (SOCK_STREAM), or -errno */
static napi_value export_connect_to(napi_env env, napi_callback_info info)
{
	char path[4096];
	int err = read_arguments(env, info, "s", path, sizeof path);

	return to_number(env, err ? err : connect_to(path, SOCK_STREAM));
}

/* sendPidfd(socket, pid, text): sends a text with a pidfd of a child; returns 0 or -errno */
static napi_value export_send_pidfd(napi_env env, napi_callback_info info)
{
	char text[64];
	int fd, pid, pidfd, err = read_arguments(env, info, "iis", &fd, &pid, text, sizeof text);

	if (err)
		return to_number(env, err);
	pidfd = (int)syscall(__NR_pidfd_open, pid, 0);
	if (pidfd < 0)
		return to_number(env, -errno);
	err = send_with(fd, pidfd, text, strlen(text));
	close(pidfd);
	return to_number(env, err);
}

/*
 * startWaiting(path, agent, text): lets a container execute its command. Returns -errno, or the
 * reports of the refused exec; none if the command has begun. agent is -1, or a socket for the
 * inner op receiveAgent
 */
static napi_value export_start_waiting(napi_env env, napi_callback_info info)
{
	size_t size = MAX_REPORTS * sizeof(struct program_look);
	char path[4096], *reports = NULL;
	void *text;
	size_t length;
	int fd, agent, err = read_arguments(env, info, "siB", path, sizeof path, &agent, &text, &length);
	napi_value out = NULL;
	long got;

	if (!err && length > AGENT_TEXT_AT_MOST)
		err = -EMSGSIZE;
	fd = err ? err : connect_to(path, SOCK_SEQPACKET);
	if (fd < 0)
		return to_number(env, fd);
	reports = malloc(size);
	got = reports ? start_over(fd, agent, text, length, reports, size) : -ENOMEM;
	close(fd);
	if (got < 0)
		out = to_number(env, (double)got);
	else
		napi_create_buffer_copy(env, (size_t)got, reports, NULL, &out);
	free(reports);
	return out;
}

void add_start_socket(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "listenAt", export_listen_at }, { "connectTo", export_connect_to },
		{ "startWaiting", export_start_waiting }, { "sendPidfd", export_send_pidfd },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
