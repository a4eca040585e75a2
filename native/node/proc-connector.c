/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listens to the kernel's process connector (cn_proc): forks, execs and changes of ids. One thread
 * waits for events and passes batches to JavaScript. A filter in the kernel drops unneeded events
 * before they wake the thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"

#define RECEIVE_BYTES (4 << 20)
#define ANSWER_MS 1000
#define BATCH 128
/*
 * Maximum number of batches that wait for a busy JavaScript thread. Beyond it, events stay in the
 * socket, and the kernel reports those that it had to drop.
 */
#define QUEUE 64

/* Kinds of changes, numbered as in src/system/native.ts. */
enum change_kind { CHANGE_LOST = 1, CHANGE_FORKED = 2, CHANGE_CHANGED = 3 };

struct change {
	double kind, pid, parent, usec;	/* parent: only for CHANGE_FORKED; usec: time of the monotonic clock in µs */
};

struct batch {
	u32 count;
	struct change change[BATCH];
};

struct message {
	struct nlmsghdr header;
	struct cn_msg connector;
	struct proc_event event;
} __attribute__((packed));

struct question {
	struct nlmsghdr header;
	struct cn_msg connector;
	u32 op;
} __attribute__((packed));

/* The process connector of a JavaScript environment (the main thread or a worker). */
struct procs {
	pthread_t thread;
	int running;
	int fd, stop_fd;
	napi_threadsafe_function post;
};

/*
 * Installs a socket filter that passes only events of whole processes. An event belongs to a thread
 * if its task id differs from its process id.
 */
static int add_filter(int fd)
{
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct message, event) + \
			     offsetof(struct proc_event, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(value), yes, no)
#define SAME(yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, yes, no)
#define KEEP BPF_STMT(BPF_MISC | BPF_TAX, 0)
	struct sock_filter code[] = {
		LOAD(what),
		IS(PROC_EVENT_NONE, 13, 0),
		IS(PROC_EVENT_EXEC, 3, 0),
		IS(PROC_EVENT_UID, 2, 0),
		IS(PROC_EVENT_GID, 1, 0),
		IS(PROC_EVENT_FORK, 4, 8),
		LOAD(event_data.id.process_pid), KEEP, LOAD(event_data.id.process_tgid), SAME(5, 4),
		LOAD(event_data.fork.child_pid), KEEP, LOAD(event_data.fork.child_tgid), SAME(1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

/*
 * Requests the events. Outside of the initial pid namespace the kernel does not answer, although
 * events still arrive if another process requested them.
 */
static int ask_to_listen(int fd)
{
	struct question q = {
		.header = { .nlmsg_len = sizeof q, .nlmsg_type = NLMSG_DONE },
		.connector = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .ack = (u32)getpid() << 8,
			       .len = sizeof q.op },
		.op = PROC_CN_MCAST_LISTEN,
	};
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	u64 until = now_ms() + ANSWER_MS, now;
	struct message m;

	if (send(fd, &q, sizeof q, 0) < 0)
		return -errno;
	while ((now = now_ms()) < until && (poll(&ready, 1, (int)(until - now)) > 0 || errno == EINTR))
		if (recv(fd, &m, sizeof m, MSG_DONTWAIT) >= (long)sizeof q &&
		    m.event.what == PROC_EVENT_NONE && m.connector.ack == q.connector.ack + 1)
			return -(int)m.event.event_data.ack.err;
	return -ETIMEDOUT;
}

static int open_connector(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	int err, size = RECEIVE_BYTES;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	err = add_filter(fd);
	if (!err && bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		err = -errno;
	if (!err)
		err = ask_to_listen(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int read_change(const struct message *m, struct change *out)
{
	const struct proc_event e = m->event;	/* a copy, because the event in the packed message may be unaligned */

	if (m->connector.id.idx != CN_IDX_PROC || e.what == PROC_EVENT_NONE)
		return 0;
	*out = (struct change){ .kind = CHANGE_CHANGED, .pid = e.event_data.id.process_tgid,
				.usec = (double)e.timestamp_ns / 1000 };
	if (e.what == PROC_EVENT_FORK) {
		out->kind = CHANGE_FORKED;
		out->pid = e.event_data.fork.child_tgid;
		out->parent = e.event_data.fork.parent_tgid;
	}
	return 1;
}

/* Reads the available events, at most BATCH of them. Returns NULL if no event is available. */
static struct batch *read_batch(int fd)
{
	struct batch *batch = malloc(sizeof *batch);
	struct sockaddr_nl from;
	struct message m;

	if (!batch) {
		/*
		 * without memory, wait a little: events stay in the socket, and the kernel reports
		 * those that it had to drop
		 */
		sleep_ms(10);
		return NULL;
	}
	batch->count = 0;
	while (batch->count < BATCH) {
		socklen_t length = sizeof from;
		long got = recvfrom(fd, &m, sizeof m, MSG_DONTWAIT, (struct sockaddr *)&from, &length);

		if (got < 0 && errno == ENOBUFS)
			batch->change[batch->count++] = (struct change){ .kind = CHANGE_LOST };
		else if (got < 0 && errno != EINTR)
			break;
		else if (got == sizeof m && from.nl_pid == 0)
			batch->count += read_change(&m, &batch->change[batch->count]);
	}
	if (batch->count)
		return batch;
	free(batch);
	return NULL;
}

static void *procs_main(void *arg)
{
	struct procs *p = arg;
	struct pollfd ready[] = { { .fd = p->fd, .events = POLLIN }, { .fd = p->stop_fd, .events = POLLIN } };
	struct batch *batch;

	for (;;) {
		if (poll(ready, 2, -1) < 0) {
			if (errno != EINTR)
				sleep_ms(10);
			continue;
		}
		if (ready[1].revents)
			return NULL;
		batch = read_batch(p->fd);
		if (batch && napi_call_threadsafe_function(p->post, batch, napi_tsfn_blocking) != napi_ok) {
			free(batch);	/* JavaScript's environment is shutting down */
			return NULL;
		}
	}
}

/* Passes one batch of events to JavaScript. Runs on JavaScript's thread. */
static void deliver(napi_env env, napi_value callback, void *context, void *data)
{
	napi_value undefined, buffer, numbers;
	struct batch *batch = data;
	size_t size = batch->count * sizeof *batch->change;
	void *bytes;

	(void)context;
	if (env && napi_create_arraybuffer(env, size, &bytes, &buffer) == napi_ok) {
		memcpy(bytes, batch->change, size);
		napi_create_typedarray(env, napi_float64_array, size / sizeof(double), buffer, 0, &numbers);
		napi_get_undefined(env, &undefined);
		napi_call_function(env, undefined, callback, 1, &numbers, NULL);
	}
	free(batch);
}

static int start(napi_env env, struct procs *p, napi_value callback)
{
	napi_value name;
	sigset_t all, before;
	int err;

	p->fd = open_connector();
	if (p->fd < 0)
		return p->fd;
	p->stop_fd = eventfd(0, EFD_CLOEXEC);
	err = p->stop_fd < 0 ? -errno : 0;
	if (!err && (napi_create_string_utf8(env, "hutch processes", NAPI_AUTO_LENGTH, &name) != napi_ok ||
		     napi_create_threadsafe_function(env, callback, NULL, name, QUEUE, 1, NULL, NULL, NULL,
						     deliver, &p->post) != napi_ok))
		err = -EINVAL;
	if (!err) {
		/* block all signals in the new thread: only the main thread handles signals */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		err = -pthread_create(&p->thread, NULL, procs_main, p);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (err)
			napi_release_threadsafe_function(p->post, napi_tsfn_abort);
	}
	p->running = !err;
	if (err) {
		close(p->fd);
		if (p->stop_fd >= 0)
			close(p->stop_fd);
	}
	return err;
}

static void stop(struct procs *p)
{
	if (!p->running)
		return;
	eventfd_write(p->stop_fd, 1);
	pthread_join(p->thread, NULL);
	close(p->fd);
	close(p->stop_fd);
	p->running = 0;
}

/* watchProcesses(callback): begins to watch processes; returns 0 or -errno */
static napi_value export_watch(napi_env env, napi_callback_info info)
{
	napi_value callback, out = NULL;
	struct procs *p = NULL;
	size_t count = 1;
	int err;

	if (napi_get_cb_info(env, info, &count, &callback, NULL, (void **)&p) != napi_ok)
		return NULL;
	err = p->running ? -EBUSY : start(env, p, callback);
	napi_create_int32(env, err, &out);
	return out;
}

/* stopProcesses() */
static napi_value export_stop(napi_env env, napi_callback_info info)
{
	struct procs *p = NULL;

	if (napi_get_cb_info(env, info, NULL, NULL, NULL, (void **)&p) == napi_ok && p->running) {
		/* abort before stopping the thread, which may be waiting for room in the queue */
		napi_release_threadsafe_function(p->post, napi_tsfn_abort);
		stop(p);
	}
	return NULL;
}

static void close_procs(void *data)
{
	stop(data);
	free(data);
}

void add_procs(napi_env env, napi_value exports)
{
	struct procs *p = calloc(1, sizeof *p);
	static const struct exported list[] = { { "watchProcesses", export_watch }, { "stopProcesses", export_stop } };

	if (!p) {
		napi_throw_error(env, "ENOMEM", "hutch: no memory left");
		return;
	}
	napi_add_env_cleanup_hook(env, close_procs, p);
	add_functions(env, exports, list, sizeof list / sizeof *list, p);
}
