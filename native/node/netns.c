/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves jobs that wait for their network before they execute the command (inner op awaitNetwork).
 * Exports functions that open such a job's network namespace, keep it by a mount, and let the job
 * continue.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"

/*
 * Calls `act` for a job that has not ended, with the reactor's lock held. No job is reaped while
 * the lock is held, so the job's pid cannot be reused.
 */
static int with_job(napi_env env, napi_callback_info info, int (*act)(struct job *job))
{
	struct reactor *r = reactor_of(env);
	struct job *job;
	u32 id;
	int err = read_arguments(env, info, "u", &id);

	if (err || !r)
		return err ? err : -ESRCH;
	pthread_mutex_lock(&r->lock);
	job = reactor_find(r, id);
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

	/* EPIPE: the job ended meanwhile, which is reported as its end */
	return send(job->run.outer.report_fd, &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE ? -errno : 0;
}

/* networkOf(job): returns the job's network namespace as a close-on-exec descriptor, or -errno */
static napi_value export_network_of(napi_env env, napi_callback_info info)
{
	return to_number(env, with_job(env, info, open_network));
}

/* release(job): lets a job continue that waits in awaitNetwork or awaitRelease; returns 0 or -errno */
static napi_value export_release(napi_env env, napi_callback_info info)
{
	return to_number(env, with_job(env, info, release));
}

/* keepNetwork(fd, file): keeps a network namespace alive by mounting it on an existing file; returns 0 or -errno */
static napi_value export_keep(napi_env env, napi_callback_info info)
{
	char file[4096], path[64];
	int fd, err = read_arguments(env, info, "is", &fd, file, sizeof file);

	if (err)
		return to_number(env, err);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return to_number(env, mount(path, file, NULL, MS_BIND, NULL) < 0 ? -errno : 0);
}

/* dropNetwork(0, file): unmounts what keepNetwork mounted on the file; returns 0 or -errno */
static napi_value export_drop(napi_env env, napi_callback_info info)
{
	char file[4096];
	int unused, err = read_arguments(env, info, "is", &unused, file, sizeof file);

	if (err)
		return to_number(env, err);
	return to_number(env, umount2(file, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0);
}

void add_held(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "networkOf", export_network_of }, { "release", export_release },
		{ "keepNetwork", export_keep }, { "dropNetwork", export_drop },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
	add_start_socket(env, exports);
	add_net_device(env, exports);
}
