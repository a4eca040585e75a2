/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports functions on a process that another program started: signalProcess, awaitProcess. The
 * process is identified by its id and start time, so a process that reuses the id is never meant.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "job.h"

/* Opens a pidfd before it compares the start time, so that the descriptor refers to the same process. */
static int open_process(int pid, double started)
{
	int parent, fd = (int)sys(__NR_pidfd_open, pid, 0);
	u64 found;

	if (fd >= 0 && (!read_process(pid, &parent, &found) || (double)found != started)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

/* signalProcess(pid, started, signal): sends a signal, or only checks with 0; returns 0 or -errno */
static napi_value export_signal_process(napi_env env, napi_callback_info info)
{
	double started;
	int pid, sig, fd, err = read_arguments(env, info, "idi", &pid, &started, &sig);

	if (err)
		return to_number(env, err);
	fd = open_process(pid, started);
	if (fd < 0)
		return to_number(env, fd);
	err = (int)sys(__NR_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
	return to_number(env, err);
}

/*
 * awaitProcess(pid, started, ms): waits until a process has ended, for at most `ms` milliseconds.
 * Returns 1 if it has ended, 0 if it still runs, or -errno.
 */
static napi_value export_await_process(napi_env env, napi_callback_info info)
{
	struct pollfd one = { .events = POLLIN };
	double started;
	int pid, ms, got, err = read_arguments(env, info, "idi", &pid, &started, &ms);
	u64 until = now_ms() + (u64)(ms > 0 ? ms : 0), now;

	if (err)
		return to_number(env, err);
	one.fd = open_process(pid, started);
	if (one.fd < 0)
		return to_number(env, one.fd == -ESRCH ? 1 : one.fd);
	do {
		now = now_ms();
		got = poll(&one, 1, until > now ? (int)(until - now) : 0);
	} while (got < 0 && errno == EINTR);
	close(one.fd);
	return to_number(env, got < 0 ? -errno : got > 0);
}

void add_process(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "signalProcess", export_signal_process }, { "awaitProcess", export_await_process },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
