/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens descriptors that the kernel makes readable on events of a group: pressure triggers
 * (accounting/psi.rst) and v1 eventfds. For runtimes other than Node, also watches hutch's ends of
 * pipes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "job.h"

/* Opens a pressure trigger, which exists until its descriptor is closed. The write must include the final NUL. */
static int open_pressure(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	int err;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text) + 1) >= 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int add(struct reactor *r, struct trigger trigger, u32 events, u32 *id)
{
	struct trigger *t = malloc(sizeof *t);
	int err;

	if (!t)
		return -ENOMEM;
	*t = trigger;
	pthread_mutex_lock(&r->lock);
	t->id = ++r->next_id;
	err = reactor_listen(r, t->fd, events, FROM_TRIGGER, 0, t->id);
	if (!err) {
		t->next = r->triggers;
		r->triggers = t;
		*id = t->id;
	}
	pthread_mutex_unlock(&r->lock);
	if (err)
		free(t);
	return err;
}

/*
 * Opens a trigger. With an empty `file`, opens a pressure trigger on the file `where`; otherwise a
 * v1 eventfd for `file` in the group `where`. Returns 0 and sets the id, or returns -errno.
 */
int trigger_open(struct reactor *r, const char *where, const char *file, const char *argument, u32 *id)
{
	int fd = *file ? legacy_eventfd(where, file, argument) : open_pressure(where, argument);
	int err;

	if (fd < 0)
		return fd;
	err = add(r, (struct trigger){ .fd = fd, .counts = *file != 0 }, *file ? EPOLLIN : EPOLLPRI, id);
	if (err)
		close(fd);
	return err;
}

/*
 * Watches hutch's end of a pipe. The descriptor becomes non-blocking, and belongs to the trigger
 * from now on. Returns 0 and sets the id, or returns -errno.
 */
int trigger_watch(struct reactor *r, int fd, int writes, u32 *id)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return add(r, (struct trigger){ .fd = fd, .ready = writes ? EPOLLOUT : EPOLLIN }, EPOLLONESHOT, id);
}

static struct trigger **find(struct reactor *r, u32 id)
{
	struct trigger **at = &r->triggers;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Arms the trigger of a pipe, which reports once when the pipe is ready. */
int trigger_arm(struct reactor *r, u32 id)
{
	struct epoll_event event = { .data.u64 = (u64)id << 32 | FROM_TRIGGER };
	struct trigger *t;
	int err = -ESRCH;

	pthread_mutex_lock(&r->lock);
	t = *find(r, id);
	if (t) {
		event.events = t->ready | EPOLLONESHOT;
		err = epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, t->fd, &event) < 0 ? -errno : 0;
	}
	pthread_mutex_unlock(&r->lock);
	return err;
}

/*
 * Handles an event of a trigger. Runs on the reactor's thread, with the lock held. After its group
 * is removed, a pressure file is in a permanent error state, which is reported once.
 */
void trigger_fired(struct reactor *r, u32 id, u32 events)
{
	struct trigger *t = *find(r, id);
	int gone = (events & (EPOLLERR | EPOLLHUP)) != 0;
	u64 count = 1;

	if (!t || (t->counts && read(t->fd, &count, sizeof count) != sizeof count))
		return;
	if (gone && !t->ready)
		epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, t->fd, NULL);
	reactor_post(r, (struct event){ .job = id, .kind = EVENT_TRIGGERED, .a = gone, .b = (int)count });
}

int trigger_close(struct reactor *r, u32 id)
{
	struct trigger **at, *t;

	pthread_mutex_lock(&r->lock);
	at = find(r, id);
	t = *at;
	if (t) {
		*at = t->next;
		close(t->fd);
		free(t);
	}
	pthread_mutex_unlock(&r->lock);
	return t ? 0 : -ESRCH;
}

void trigger_close_all(struct reactor *r)
{
	while (r->triggers)
		trigger_close(r, r->triggers->id);
}
