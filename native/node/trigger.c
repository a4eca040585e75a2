/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens descriptors that the kernel makes readable on events of a group: pressure triggers
 * (accounting/psi.rst) and v1 eventfds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "job.h"

/* Opens a pressure trigger, which lives as long as its descriptor. The write includes the NUL. */
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

/*
 * Opens a trigger. `file` is '' for a pressure trigger, whose `where` is the file itself. Returns 0
 * and the id, or -errno.
 */
int trigger_open(struct reactor *r, const char *where, const char *file, const char *argument, u32 *id)
{
	int fd = *file ? legacy_eventfd(where, file, argument) : open_pressure(where, argument);
	struct trigger *t;
	int err;

	if (fd < 0)
		return fd;
	t = calloc(1, sizeof *t);
	if (!t) {
		close(fd);
		return -ENOMEM;
	}
	t->fd = fd;
	t->counts = *file != 0;
	pthread_mutex_lock(&r->lock);
	t->id = ++r->next_id;
	err = reactor_listen(r, fd, t->counts ? EPOLLIN : EPOLLPRI, FROM_TRIGGER, 0, t->id);
	if (!err) {
		t->next = r->triggers;
		r->triggers = t;
		*id = t->id;
	}
	pthread_mutex_unlock(&r->lock);
	if (err) {
		close(fd);
		free(t);
	}
	return err;
}

static struct trigger **find(struct reactor *r, u32 id)
{
	struct trigger **at = &r->triggers;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/*
 * Handles an event on the reactor's thread, with its lock held. The pressure file of a removed
 * group fails permanently, which is reported once.
 */
void trigger_fired(struct reactor *r, u32 id, u32 events)
{
	struct trigger *t = *find(r, id);
	int gone = (events & (EPOLLERR | EPOLLHUP)) != 0;
	u64 count = 1;

	if (!t || (t->counts && read(t->fd, &count, sizeof count) != sizeof count))
		return;
	if (gone)
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
