/* SPDX-License-Identifier: Apache-2.0 */
/* Sends jobs to the prestarted sandboxes of a pool, which wait for them in the inner op awaitOrder. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "job.h"

struct order {
	u32 job;
	void *ops;
	size_t size;
	int *streams;	/* -1 stays /dev/null, or closed above the standard streams */
	size_t stream_count;
	u32 timeout_ms, cpu_ms;
};

static int send_order(int socket, const struct order *order)
{
	union { char bytes[CMSG_SPACE(MAX_STREAMS * sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	u32 streams = 0, count = 0;
	int fds[MAX_STREAMS];
	struct iovec pieces[2] = { { &streams, sizeof streams }, { order->ops, order->size } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

	for (size_t i = 0; i < order->stream_count; i++)
		if (order->streams[i] >= 0) {
			streams |= 1u << i;
			fds[count++] = order->streams[i];
		}
	if (count) {
		struct cmsghdr *head;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* order(job, ops, streams, timeoutMs, cpuMs): sends a job and starts its time limits; returns 0 or -errno */
static napi_value export_order(napi_env env, napi_callback_info info)
{
	struct reactor *r = reactor_of(env);
	struct order order;
	struct job *job;
	int err = read_arguments(env, info, "uBIuu", &order.job, &order.ops, &order.size, &order.streams, &order.stream_count,
				 &order.timeout_ms, &order.cpu_ms);

	if (!err && order.stream_count > MAX_STREAMS)
		err = -EINVAL;
	if (!err && order.size > ORDER_BYTES_AT_MOST - sizeof(u32))
		err = -EMSGSIZE;
	if (!err && !r)
		err = -ESRCH;
	if (!err) {
		pthread_mutex_lock(&r->lock);
		job = reactor_find(r, order.job);
		err = job && !job->run.ending ? send_order(job->run.outer.report_fd, &order) : -ESRCH;
		if (!err) {
			job->run.outer.timeout_ms = order.timeout_ms;
			job->run.outer.cpu_ms = order.cpu_ms;
			run_begin(&job->run);
			if (run_due(&job->run))
				reactor_wake(r);
		}
		pthread_mutex_unlock(&r->lock);
	}
	return to_number(env, err);
}

void add_order(napi_env env, napi_value exports)
{
	add_functions(env, exports, &(struct exported){ "order", export_order }, 1, NULL);
}
