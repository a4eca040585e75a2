/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to jobs that wait for one before they become a command (inner op awaitOrder). */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "job.h"

#define ARGUMENTS 7
#define STREAMS 3

struct order {
	u32 job;
	void *ops;
	size_t size;
	int streams[STREAMS];	/* -1 stays /dev/null */
	u32 timeout_ms, cpu_ms;
};

static int take(napi_env env, napi_callback_info info, struct order *order)
{
	napi_value argv[ARGUMENTS];
	size_t given = ARGUMENTS;

	if (napi_get_cb_info(env, info, &given, argv, NULL, NULL) != napi_ok || given < ARGUMENTS ||
	    napi_get_value_uint32(env, argv[0], &order->job) != napi_ok ||
	    napi_get_typedarray_info(env, argv[1], NULL, &order->size, &order->ops, NULL, NULL) != napi_ok)
		return -EINVAL;
	for (int i = 0; i < STREAMS; i++)
		if (napi_get_value_int32(env, argv[2 + i], &order->streams[i]) != napi_ok)
			return -EINVAL;
	return napi_get_value_uint32(env, argv[5], &order->timeout_ms) == napi_ok &&
	       napi_get_value_uint32(env, argv[6], &order->cpu_ms) == napi_ok ? 0 : -EINVAL;
}

static int send_order(int socket, const struct order *order)
{
	union { char bytes[CMSG_SPACE(sizeof order->streams)]; struct cmsghdr align; } control = { { 0 } };
	u32 streams = 0, count = 0;
	int fds[STREAMS];
	struct iovec pieces[2] = { { &streams, sizeof streams }, { order->ops, order->size } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

	for (int i = 0; i < STREAMS; i++)
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

/* order(job, ops, in, out, err, timeoutMs, cpuMs): 0, or -errno; its time counts from here */
static napi_value export_order(napi_env env, napi_callback_info info)
{
	struct reactor *r = reactor_of(env);
	struct order order;
	struct job *job;
	napi_value out = NULL;
	int err = take(env, info, &order);

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
	napi_create_int32(env, err, &out);
	return out;
}

void add_order(napi_env env, napi_value exports)
{
	napi_value function;

	if (napi_create_function(env, "order", NAPI_AUTO_LENGTH, export_order, NULL, &function) == napi_ok)
		napi_set_named_property(env, exports, "order", function);
}
