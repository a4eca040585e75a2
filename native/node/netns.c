/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that wait for their network before they become the command (inner op
 * awaitNetwork): their network namespace by a descriptor, a name that keeps
 * it, and the word to go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"

static napi_value answer(napi_env env, int value)
{
	napi_value out = NULL;

	napi_create_int32(env, value, &out);
	return out;
}

/* Up to two arguments: a number, and a text. */
static int take(napi_env env, napi_callback_info info, int *number, char *text, size_t size)
{
	napi_value argv[2];
	size_t given = 2, length;

	if (napi_get_cb_info(env, info, &given, argv, NULL, NULL) != napi_ok ||
	    given < 1 + (size_t)(text != NULL) || napi_get_value_int32(env, argv[0], number) != napi_ok)
		return -EINVAL;
	if (!text)
		return 0;
	if (napi_get_value_string_utf8(env, argv[1], text, size, &length) != napi_ok)
		return -EINVAL;
	return length + 1 == size ? -ENAMETOOLONG : 0;
}

/* A job that has not ended is not reaped while we hold the lock: its process id is its own. */
static int with_job(napi_env env, napi_callback_info info, int (*act)(struct job *job))
{
	struct reactor *r = reactor_of(env);
	int id, err = take(env, info, &id, NULL, 0);
	struct job *job;

	if (err || !r)
		return err ? err : -ESRCH;
	pthread_mutex_lock(&r->lock);
	job = reactor_find(r, (u32)id);
	err = job && !job->run.ending ? act(job) : -ESRCH;
	pthread_mutex_unlock(&r->lock);
	return err;
}

static int open_network(struct job *job)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/ns/net", job->run.outer.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int release(struct job *job)
{
	char go = GO_BYTE;

	/* one that has ended meanwhile tells of its end itself */
	return send(job->run.outer.report_fd, &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE ? -errno : 0;
}

/* networkOf(job): its network namespace, close-on-exec; or -errno */
static napi_value export_network_of(napi_env env, napi_callback_info info)
{
	return answer(env, with_job(env, info, open_network));
}

/* release(job): awaitNetwork is over; 0 or -errno */
static napi_value export_release(napi_env env, napi_callback_info info)
{
	return answer(env, with_job(env, info, release));
}

/* keepNetwork(fd, file): the namespace lives on while the file, which is there, is mounted; 0 or -errno */
static napi_value export_keep(napi_env env, napi_callback_info info)
{
	char file[4096], path[64];
	int fd, err = take(env, info, &fd, file, sizeof file);

	if (err)
		return answer(env, err);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return answer(env, mount(path, file, NULL, MS_BIND, NULL) < 0 ? -errno : 0);
}

/* dropNetwork(0, file): the end of keepNetwork; 0 or -errno */
static napi_value export_drop(napi_env env, napi_callback_info info)
{
	char file[4096];
	int unused, err = take(env, info, &unused, file, sizeof file);

	if (err)
		return answer(env, err);
	return answer(env, umount2(file, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0);
}

void add_held(napi_env env, napi_value exports)
{
	static const struct { const char *name; napi_callback call; } exported[] = {
		{ "networkOf", export_network_of }, { "release", export_release },
		{ "keepNetwork", export_keep }, { "dropNetwork", export_drop },
	};
	napi_value function;

	for (size_t i = 0; i < sizeof exported / sizeof *exported; i++)
		if (napi_create_function(env, exported[i].name, NAPI_AUTO_LENGTH, exported[i].call, NULL, &function) == napi_ok)
			napi_set_named_property(env, exports, exported[i].name, function);
}
