/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the reactor in turns of the main loop, in place of native/node/thread.c. */
#include <sys/epoll.h>

#include "../node/job.h"
#include "turn.h"

int reactor_start(struct reactor *r)
{
	(void)r;
	return 0;
}

/* Handles all events that have arrived, without waiting. Returns the milliseconds until the next deadline, or -1. */
int reactor_turn(struct reactor *r)
{
	struct epoll_event events[64];
	int count;

	pthread_mutex_lock(&r->lock);
	do {
		count = epoll_wait(r->epoll_fd, events, 64, 0);
		for (int i = 0; i < count; i++)
			reactor_dispatch(r, events[i].data.u64, events[i].events);
	} while (count == 64);
	count = reactor_deadlines(r);
	pthread_mutex_unlock(&r->lock);
	return count;
}
