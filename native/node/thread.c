/* SPDX-License-Identifier: Apache-2.0 */
/* The reactor's thread. The binary without Node has no such thread: its own loop does the same. */
#include <signal.h>
#include <sys/epoll.h>

#include "job.h"

static void *reactor_main(void *arg)
{
	struct epoll_event events[64];
	struct reactor *r = arg;
	int count, timeout;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping) {
		timeout = reactor_deadlines(r);
		pthread_mutex_unlock(&r->lock);
		count = epoll_wait(r->epoll_fd, events, 64, timeout);
		pthread_mutex_lock(&r->lock);
		for (int i = 0; i < count; i++)
			reactor_dispatch(r, events[i].data.u64, events[i].events);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int reactor_start(struct reactor *r)
{
	sigset_t all, before;
	int err;

	/* block all signals in the new thread: only the main thread handles signals */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&r->thread, NULL, reactor_main, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	r->running = !err;
	return -err;
}
