/* SPDX-License-Identifier: Apache-2.0 */
/* Notices when the terminal stops a job, in a separate thread: only waitid(2) reports stops, no descriptor does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"


/*
 * Waits until the terminal stops the command, because hutch must then stop, too. Needed only for a
 * job without hutch-init, which would report the stop.
 */
static void *watch_stops(void *arg)
{
	struct stop_watch *w = arg;
	siginfo_t info;

	while (waitid(K_P_PIDFD, (id_t)w->pidfd, &info, WSTOPPED | WEXITED | WNOWAIT) == 0 && info.si_code == CLD_STOPPED) {
		struct job *job;

		if (waitid(K_P_PIDFD, (id_t)w->pidfd, &info, WSTOPPED | WNOHANG) < 0 || info.si_pid == 0)
			continue;
		pthread_mutex_lock(&w->reactor->lock);
		job = reactor_find(w->reactor, w->job);
		if (job && !job->run.ending)
			run_stopped(&job->run, info.si_status, 1);
		pthread_mutex_unlock(&w->reactor->lock);
	}
	return NULL;
}

int hears_stops(const struct job *job)
{
	const struct terminal *t = &job->run.outer.terminal;

	return t->fd >= 0 && t->had && job->run.outer.session != SESSION_KEPT;
}

/*
 * Starts the thread that waits for stops. If that fails, the job still runs, but hutch does not
 * notice when it stops.
 */
void begin_stop_watch(struct reactor *r, struct job *job)
{
	struct stop_watch *w = &job->stop_watch;
	sigset_t all, before;

	w->pidfd = (int)sys(__NR_pidfd_open, job->run.outer.pid, 0);
	if (w->pidfd < 0)
		return;
	w->reactor = r;
	w->job = job->id;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	w->runs = pthread_create(&w->thread, NULL, watch_stops, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!w->runs)
		close(w->pidfd);
}

/*
 * Ends the thread that waits for stops. The job's process was reaped, so the thread ends as soon as
 * it gets the lock.
 */
void end_stop_watch(struct reactor *r, struct job *job, int locked)
{
	if (!job->stop_watch.runs)
		return;
	if (locked)
		pthread_mutex_unlock(&r->lock);
	pthread_join(job->stop_watch.thread, NULL);
	if (locked)
		pthread_mutex_lock(&r->lock);
	close(job->stop_watch.pidfd);
	job->stop_watch.runs = 0;
}
