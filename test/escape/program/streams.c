// SPDX-License-Identifier: Apache-2.0
/* What a standard stream gives beside its bytes, and modes of files that outlast the job. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attempt.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* The name of the attempt's own stream in /proc: `self/fd/0` unless an argument says another. */
static const char *stream(char **arguments)
{
	static char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%s", arguments[0] ? arguments[0] : "0");
	return path;
}

static int number(char **arguments)
{
	return arguments[0] ? atoi(arguments[0]) : 0;
}

static int result(long got)
{
	return got < 0 ? -1 : 0;
}

static int try_above(char **arguments)
{
	return result(openat(number(arguments), "..", O_RDONLY | O_DIRECTORY));
}

static int try_enter(char **arguments)
{
	return result(fchdir(number(arguments)));
}

static int try_list(char **arguments)
{
	char entries[4096];

	return result(syscall(SYS_getdents64, number(arguments), entries, sizeof entries));
}

static int try_notify(char **arguments)
{
	return fcntl(number(arguments), F_NOTIFY, DN_CREATE | DN_MULTISHOT);
}

static int try_reopen_path(char **arguments)
{
	return result(open(stream(arguments), O_RDONLY));
}

static int try_reopen_write(char **arguments)
{
	return result(open(stream(arguments), O_WRONLY));
}

static int try_truncate(char **arguments)
{
	return truncate(stream(arguments), 3);
}

static int try_mode(char **arguments)
{
	return fchmod(number(arguments), 0640);
}

static int try_owner(char **arguments)
{
	return fchown(number(arguments), 1, 1);
}

static int try_times(char **arguments)
{
	static const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	return futimens(number(arguments), times);
}

static int try_attribute(char **arguments)
{
	return fsetxattr(number(arguments), "trusted.hutch-test", "x", 1, 0);
}

static int try_lease(char **arguments)
{
	return fcntl(number(arguments), F_SETLEASE, F_WRLCK);
}

static int try_stream_flags(char **arguments)
{
	int flags;

	if (ioctl(number(arguments), FS_IOC_GETFLAGS, &flags))
		cannot_try("FS_IOC_GETFLAGS");
	flags |= FS_NODUMP_FL;
	return ioctl(number(arguments), FS_IOC_SETFLAGS, &flags);
}

/* Takes the flag that the caller then has on its own file. Whether it stays is seen outside. */
static int try_append(char **arguments)
{
	int fd = number(arguments);

	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_APPEND);
}

static int try_nonblocking(char **arguments)
{
	int fd = number(arguments);

	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* A new file of its own, and its descriptor. */
static int fresh(const char *path)
{
	int fd;

	unlink(path);
	rmdir(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		cannot_try(path);
	return fd;
}

/* `set-id CALL PATH`: leaves a set-user-ID (or set-group-ID) file or directory at PATH by that call. */
static int try_set_id(char **arguments)
{
	const char *call = arguments[0], *path = arguments[1];
	struct open_how how = { .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 04755 };
	int fd = fresh(path);

	if (!strcmp(call, "chmod"))
		return chmod(path, 04755);
	if (!strcmp(call, "fchmod"))
		return fchmod(fd, 04755);
	if (!strcmp(call, "fchmodat"))
		return result(syscall(SYS_fchmodat, AT_FDCWD, path, 04755));
	if (!strcmp(call, "fchmodat2"))
		return result(syscall(SYS_fchmodat2, AT_FDCWD, path, 04755, 0));
	unlink(path);
#ifdef SYS_open
	if (!strcmp(call, "open"))
		return result(syscall(SYS_open, path, O_RDWR | O_CREAT | O_EXCL, 04755));
	if (!strcmp(call, "creat"))
		return result(syscall(SYS_creat, path, 02755));
	if (!strcmp(call, "mkdir"))
		return result(syscall(SYS_mkdir, path, 02755)) || access(path, F_OK);
	if (!strcmp(call, "mknod"))
		return result(syscall(SYS_mknod, path, S_IFREG | 04755, 0));
#endif
	if (!strcmp(call, "openat"))
		return result(syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 04755));
	if (!strcmp(call, "openat2"))
		return result(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
	if (!strcmp(call, "mkdirat"))
		return result(syscall(SYS_mkdirat, AT_FDCWD, path, 02755));
	if (!strcmp(call, "mknodat"))
		return result(syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 04755, 0));
	if (!strcmp(call, "tmpfile"))
		return result(open("/tmp", O_RDWR | O_TMPFILE, 04755));
	errno = ENOSYS;
	return -1;
}

/* Asks before files are opened: whoever answers late holds up all. */
static int try_permission_events(char **arguments)
{
	(void)arguments;
	return result(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
}

static int try_mount_events(char **arguments)
{
	int group = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);

	(void)arguments;
	return group < 0 ? -1 : fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "/");
}

const struct attempt stream_attempts[] = {
	{ "above", try_above },
	{ "enter", try_enter },
	{ "list", try_list },
	{ "notify", try_notify },
	{ "reopen-path", try_reopen_path },
	{ "reopen-write", try_reopen_write },
	{ "truncate-stream", try_truncate },
	{ "stream-mode", try_mode },
	{ "stream-owner", try_owner },
	{ "stream-times", try_times },
	{ "stream-attribute", try_attribute },
	{ "lease", try_lease },
	{ "stream-flags", try_stream_flags },
	{ "append", try_append },
	{ "nonblocking", try_nonblocking },
	{ "set-id", try_set_id },
	{ "permission-events", try_permission_events },
	{ "mount-events", try_mount_events },
	{ 0 },
};
