/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of child processes, pipes and Unix sockets for src/system/standalone/. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"

extern char **environ;

/* Returns the strings of an array as a list that ends with NULL, in one allocation each; NULL without memory. */
static char **strings(JSValueConst array)
{
	int64_t count = 0;
	char **out;

	JS_GetLength(js, array, &count);
	out = calloc((size_t)count + 1, sizeof *out);
	for (int64_t i = 0; out && i < count; i++) {
		JSValue value = JS_GetPropertyUint32(js, array, (uint32_t)i);
		struct words w;

		if (!words_take(&w, value)) {
			out[i] = strdup(w.bytes);
			words_free(&w);
		}
		JS_FreeValue(js, value);
	}
	return out;
}

static void free_strings(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}

struct child {
	char *file, *directory;
	char **argv, **env;
	int *fds;
	size_t fd_count;
	int detached;
};

/* Runs in the child. Returns the errno of what failed. */
static int become(const struct child *child)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int moved[32];

	for (int i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (child->detached)
		setsid();
	/* first out of the way: a descriptor may be the target of another */
	for (size_t i = 0; i < child->fd_count && i < 32; i++) {
		moved[i] = child->fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : child->fds[i];
		moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, 64);
	}
	for (size_t i = 0; i < child->fd_count && i < 32; i++)
		if (moved[i] < 0 || dup2(moved[i], (int)i) < 0)
			return errno;
	if (child->directory && chdir(child->directory) < 0)
		return errno;
	if (child->env)
		environ = child->env;
	execvp(child->file, child->argv);
	return errno;
}

/* spawn(file, argv, env or undefined, directory or undefined, descriptors, detached): returns the process id, or -errno */
FUNCTION(js_spawn)
{
	struct child child = { .detached = JS_ToBool(js, argv[5]) };
	struct words file, directory = { .bytes = NULL };
	int report[2], err = 0;
	size_t size = 0;
	pid_t pid = -1;

	UNUSED;
	if (words_take(&file, argv[0]))
		return JS_EXCEPTION;
	child.file = file.bytes;
	child.argv = strings(argv[1]);
	child.env = JS_IsUndefined(argv[2]) ? NULL : strings(argv[2]);
	if (!JS_IsUndefined(argv[3]) && !words_take(&directory, argv[3]))
		child.directory = directory.bytes;
	child.fds = (int *)(void *)bytes_of(argv[4], &size);
	child.fd_count = size / sizeof(int);
	if (pipe2(report, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0) {
			err = become(&child);
			_exit(write(report[1], &err, sizeof err) == sizeof err ? 127 : 126);
		}
		err = pid < 0 ? errno : 0;
		close(report[1]);
		if (pid > 0 && read(report[0], &err, sizeof err) == sizeof err)
			waitpid(pid, NULL, 0);
		close(report[0]);
	} else {
		err = errno;
	}
	free_strings(child.argv);
	free_strings(child.env);
	words_free(&file);
	if (directory.bytes)
		words_free(&directory);
	return JS_NewInt32(js, err ? -err : pid);
}

/* wait(pid): returns the wait status of a child that has ended, or -errno; -EAGAIN while it runs */
FUNCTION(js_wait)
{
	int status;
	pid_t got = waitpid(number(argv[0]), &status, WNOHANG);

	UNUSED;
	return got > 0 ? JS_NewInt32(js, status) : JS_NewInt32(js, got < 0 ? -errno : -EAGAIN);
}

FUNCTION(js_pidfd)
{
	UNUSED;
	return result(syscall(SYS_pidfd_open, number(argv[0]), 0));
}

/* pipe(): returns [read end, write end], or -errno */
FUNCTION(js_pipe)
{
	int ends[2];

	UNUSED;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return result(-1);
	JSValue fields[2] = { JS_NewInt32(js, ends[0]), JS_NewInt32(js, ends[1]) };
	return JS_NewArrayFrom(js, 2, fields);
}

FUNCTION(js_set_nonblocking)
{
	int flags = fcntl(number(argv[0]), F_GETFL);

	UNUSED;
	return result(flags < 0 ? -1 : fcntl(number(argv[0]), F_SETFL, flags | O_NONBLOCK));
}

/* unixSocket(path, listens): returns a non-blocking descriptor, or -errno */
FUNCTION(js_unix_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct words path;
	socklen_t size;
	int fd, err = 0;

	UNUSED;
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	if (path.length >= sizeof address.sun_path) {
		words_free(&path);
		return JS_NewInt32(js, -ENAMETOOLONG);
	}
	memcpy(address.sun_path, path.bytes, path.length);
	/* an abstract name begins with NUL, and has none at its end */
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.length + (path.bytes[0] != 0));
	words_free(&path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return result(-1);
	if (JS_ToBool(js, argv[1]))
		err = bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 511) < 0 ? errno : 0;
	else if (connect(fd, (struct sockaddr *)&address, size) < 0)
		err = errno;
	if (err)
		close(fd);
	return JS_NewInt32(js, err ? -err : fd);
}

FUNCTION(js_accept)
{
	UNUSED;
	return result(accept4(number(argv[0]), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

FUNCTION(js_shutdown)
{
	UNUSED;
	return result(shutdown(number(argv[0]), SHUT_WR));
}

static const JSCFunctionListEntry list[] = {
	JS_CFUNC_DEF("spawn", 6, js_spawn), JS_CFUNC_DEF("wait", 1, js_wait), JS_CFUNC_DEF("pidfd", 1, js_pidfd), JS_CFUNC_DEF("pipe", 0, js_pipe),
	JS_CFUNC_DEF("setNonblocking", 1, js_set_nonblocking), JS_CFUNC_DEF("unixSocket", 2, js_unix_socket), JS_CFUNC_DEF("accept", 1, js_accept), JS_CFUNC_DEF("shutdown", 1, js_shutdown),
};

void host_children(JSValue host)
{
	JS_SetPropertyFunctionList(js, host, list, sizeof list / sizeof *list);
}
