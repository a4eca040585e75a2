/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one thread that waits for all events of jobs: ends (pidfd), reports of hutch-init (socket),
 * kernel events (inotify, v1 eventfds) and deadlines. It also runs the clean-up. So a busy event
 * loop neither leaves groups behind nor delays a deadline.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"

/* Posts an event to JavaScript. Without free memory it is posted in `spare` without bytes, or lost without `spare`. */
static void post_in(struct reactor *r, struct event event, struct event *spare)
{
	struct event *copy = malloc(sizeof *copy + event.length);

	if (!copy) {
		copy = spare;
		event.length = 0;
	} else {
		free(spare);
	}
	if (!copy)
		return;
	*copy = event;
	copy->bytes = (char *)(copy + 1);
	if (event.length)
		memcpy(copy->bytes, event.bytes, event.length);
	if (napi_call_threadsafe_function(r->post, copy, napi_tsfn_blocking) != napi_ok)
		free(copy);
}

void reactor_post(struct reactor *r, struct event event)
{
	post_in(r, event, NULL);
}

int reactor_listen(struct reactor *r, int fd, u32 events, enum source source, u32 index, u32 id)
{
	struct epoll_event event = { .events = events, .data.u64 = (u64)id << 32 | index << 8 | source };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

struct job *reactor_find(struct reactor *r, u32 id)
{
	struct job *job = r->jobs;

	while (job && job->id != id)
		job = job->next;
	return job;
}

void job_free(struct job *job)
{
	for (u32 i = 0; i < job->run.outer.watches; i++)
		if (job->run.outer.watch[i].fd >= 0)
			close(job->run.outer.watch[i].fd);
	if (job->supervisor)
		supervisor_end(job->supervisor, 0);
	if (job->run.outer.started) {
		close(job->run.outer.pidfd);
		if (job->run.outer.report_fd >= 0)
			close(job->run.outer.report_fd);
	}
	free(job->run.outer.figures);
	free(job->last);
	free(job->program);
	free(job);
}

static void unlink_job(struct reactor *r, struct job *job)
{
	struct job **at = &r->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	r->job_count--;
}

static void read_reports(struct reactor *r, struct job *job)
{
	struct program_look said;

	while (run_failed(&job->run, &said))
		if (said.report.kind == REPORT_PROGRAM)
			reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_PROGRAM, .length = sizeof said, .bytes = (char *)&said });
		else
			reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_FAILED, .a = (int)said.report.step,
					.b = said.report.value, .c = (int)said.report.max_rss });
}

static void note(struct reactor *r, struct job *job, const struct watch *w)
{
	char text[4096];
	long got = w->path ? read_text(w->path, text, sizeof text) : 0;

	reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_NOTICED, .a = (int)w->step,
				.length = got > 0 ? (u32)got : 0, .bytes = text });
}

static void on_inotify(struct reactor *r)
{
	char buffer[4096] __attribute__((aligned(8)));
	ssize_t got = read(r->inotify_fd, buffer, sizeof buffer);

	for (ssize_t at = 0; at < got;) {
		struct inotify_event *event = (struct inotify_event *)(void *)(buffer + at);

		at += (ssize_t)(sizeof *event + event->len);
		for (struct job *job = r->jobs; job; job = job->next)
			for (u32 i = 0; i < job->run.outer.watches; i++)
				if (job->run.outer.watch[i].descriptor == event->wd && !(event->mask & IN_IGNORED))
					note(r, job, &job->run.outer.watch[i]);
	}
}

static void on_eventfd(struct reactor *r, struct job *job, u32 index)
{
	if (run_event(&job->run, index))
		note(r, job, &job->run.outer.watch[index]);
}

static void finish(struct reactor *r, struct job *job)
{
	struct run *run = &job->run;
	unsigned int pause;

	/*
	 * Remove the pidfd from the epoll set: it stays readable, and a duplicate (see
	 * export_forward) keeps the entry. The socket, too.
	 */
	if (!run->pauses) {
		epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, run->outer.pidfd, NULL);
		if (hears_stops(job))
			epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, run->outer.report_fd, NULL);
	}
	pause = run_finish(run);
	if (pause) {
		/* closing empty_fd also removes it from the epoll set */
		if (!run->pauses && run->empty_fd >= 0)
			reactor_listen(r, run->empty_fd, EPOLLPRI, FROM_EMPTY, 0, job->id);
		run->pauses = 1;
		run->deadline = now_ms() + pause;
		return;
	}
	end_stop_watch(r, job, 1);
	if (job->supervisor)
		supervisor_end(job->supervisor, 1);
	job->supervisor = NULL;
	post_in(r, (struct event){ .job = job->id, .kind = EVENT_ENDED, .a = run->command_status, .b = run->own_status,
				.c = run->failed_errno ? run->failed_step : -1, .d = run->failed_errno + run->failed_call * STEP_PART,
				.user_usec = (double)run->user_usec, .system_usec = (double)run->system_usec,
				.voluntary = (double)run->voluntary, .forced = (double)run->forced, .max_rss = run->max_rss, .frozen = (u32)run->frozen,
				.full_spaces = run->full_spaces, .full_tables = run->full_tables, .table_limit = run->table_limit, .stopped_processes = run->stopped_processes,
				.length = run->outer.figures_length, .bytes = run->outer.figures }, job->last);
	job->last = NULL;
	/* remove the watches here: cgroupfs does not drop the watch of a removed file */
	for (u32 i = 0; i < job->run.outer.watches; i++)
		if (job->run.outer.watch[i].descriptor >= 0)
			inotify_rm_watch(r->inotify_fd, job->run.outer.watch[i].descriptor);
	unlink_job(r, job);
	job_free(job);
}

static void on_end(struct reactor *r, struct job *job)
{
	if (!run_ended(&job->run))
		return;
	read_reports(r, job);
	if (job->run.outer.takes_order && job->run.unread)
		reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_UNREAD });
	finish(r, job);
}

/* Handles reports of hutch-init as they come. After its exec or its end, the remaining ones are read at the job's end. */
static void on_report(struct reactor *r, struct job *job, u32 events)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = (u64)job->id << 32 | FROM_REPORT };

	read_reports(r, job);
	for (int gate = 0; gate < READY_KINDS; gate++)
		if (job->run.ready >> gate & 1)
			reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_READY, .a = gate });
	job->run.ready = 0;
	if (job->run.outer.hears_ready && !(events & EPOLLHUP))
		epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, job->run.outer.report_fd, &again);
}

static void stop_further(struct reactor *r, struct job *job)
{
	reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_STOPPED, .a = run_stop(&job->run) });
}

/* Handles deadlines that have passed. Returns the milliseconds until the next, or -1. */
int reactor_deadlines(struct reactor *r)
{
	struct job *job, *next;
	u64 now = now_ms(), first = 0;

	for (job = r->jobs; job; job = next) {
		next = job->next;
		if (job->run.cpu_check_at && job->run.cpu_check_at <= now && run_check_cpu(&job->run, now))
			reactor_post(r, (struct event){ .job = job->id, .kind = EVENT_STOPPED, .a = SIGKILL, .b = 1 });
		if (!job->run.deadline || job->run.deadline > now)
			continue;
		job->run.deadline = 0;
		if (job->run.ending)
			finish(r, job);
		else
			stop_further(r, job);
	}
	for (job = r->jobs; job; job = job->next)
		if (run_due(&job->run) && (!first || run_due(&job->run) < first))
			first = run_due(&job->run);
	if (!first)
		return -1;
	return first <= now ? 0 : first - now > 1000000 ? 1000000 : (int)(first - now);
}

/* Receives the listener of the job's seccomp filter. It arrives before any other report, or not at all. */
static void on_listener(struct reactor *r, struct job *job)
{
	int listener = supervisor_take(job->run.outer.report_fd);

	job->listened = 1;
	if (!hears_stops(job) || !job->run.outer.reaps)
		epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, job->run.outer.report_fd, NULL);
	if (listener >= 0)
		job->supervisor = supervisor_start(r, job, listener);
}

/* Handles one event of the epoll set. */
void reactor_dispatch(struct reactor *r, u64 data, u32 events)
{
	enum source source = data & 0xff;
	struct job *job;
	u64 count;

	if (source == FROM_WAKE && read(r->wake_fd, &count, sizeof count) > 0)
		return;
	if (source == FROM_INOTIFY) {
		on_inotify(r);
		return;
	}
	if (source == FROM_TRIGGER) {
		trigger_fired(r, (u32)(data >> 32), events);
		return;
	}
	job = reactor_find(r, (u32)(data >> 32));
	if (!job)
		return;
	if (source == FROM_REPORT && job->run.outer.supervises && !job->listened)
		on_listener(r, job);
	else if (source == FROM_REPORT)
		on_report(r, job, events);
	if (source == FROM_PIDFD)
		on_end(r, job);
	if (source == FROM_EMPTY)
		finish(r, job);
	if (source == FROM_EVENTFD)
		on_eventfd(r, job, (u32)(data >> 8) & 0xffffff);
}

void reactor_wake(struct reactor *r)
{
	/* fails only if the counter is at its maximum; the thread wakes up in that case, too */
	eventfd_write(r->wake_fd, 1);
}

/* Opens the reactor. Runs at the first launch, so a program that only imports hutch pays nothing. */
int reactor_open(struct reactor *r)
{
	int err;

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->epoll_fd < 0 || r->wake_fd < 0)
		return -errno;
	r->init_fd = init_image_memfd();
	err = reactor_listen(r, r->wake_fd, EPOLLIN, FROM_WAKE, 0, 0);
	/* without inotify (fs.inotify.max_user_instances), events are read only at the job's end */
	if (!err && r->inotify_fd >= 0)
		err = reactor_listen(r, r->inotify_fd, EPOLLIN, FROM_INOTIFY, 0, 0);
	return err ? err : reactor_start(r);
}

/* Adds a job. From here on, the reactor owns the job, and frees it at its end. */
int reactor_add(struct reactor *r, struct job *job)
{
	int err = 0;

	pthread_mutex_lock(&r->lock);
	job->id = ++r->next_id;
	job->next = r->jobs;
	r->jobs = job;
	r->job_count++;
	for (u32 i = 0; !err && i < job->run.outer.watches; i++)
		if (job->run.outer.watch[i].fd >= 0)
			err = reactor_listen(r, job->run.outer.watch[i].fd, EPOLLIN, FROM_EVENTFD, i, job->id);
	if (!err && job->run.outer.hears_ready)
		err = reactor_listen(r, job->run.outer.report_fd, EPOLLIN | EPOLLONESHOT, FROM_REPORT, 0, job->id);
	else if (!err && (job->run.outer.supervises || (hears_stops(job) && job->run.outer.reaps)))
		err = reactor_listen(r, job->run.outer.report_fd, EPOLLIN, FROM_REPORT, 0, job->id);
	if (!err)
		err = reactor_listen(r, job->run.outer.pidfd, EPOLLIN, FROM_PIDFD, 0, job->id);
	if (run_due(&job->run))
		reactor_wake(r);
	if (hears_stops(job) && !job->run.outer.reaps)
		begin_stop_watch(r, job);
	pthread_mutex_unlock(&r->lock);
	return err;
}

/* Stops a job as if its timeout had passed. */
int reactor_stop_job(struct reactor *r, u32 id)
{
	struct job *job;
	int err = -ESRCH;

	pthread_mutex_lock(&r->lock);
	job = reactor_find(r, id);
	if (job && !job->run.ending) {
		if (job->run.stop_stage == 0) {
			job->run.deadline = now_ms();
			reactor_wake(r);
		}
		err = 0;
	}
	pthread_mutex_unlock(&r->lock);
	return err;
}

/* Closes the reactor with the JavaScript environment: ends its jobs, and removes what it can without waiting. */
void reactor_close(struct reactor *r)
{
	if (r->running) {
		pthread_mutex_lock(&r->lock);
		r->stopping = 1;
		reactor_wake(r);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	for (struct job *job = r->jobs, *next; job; job = next) {
		next = job->next;
		if (!job->run.ending && !job->run.outer.outlives) {
			outer_kill(&job->run.outer);
			sys(__NR_waitid, K_P_PIDFD, job->run.outer.pidfd, NULL, WEXITED, NULL);
		}
		for (int tries = 0; !job->run.outer.outlives && tries < 500 && outer_finish(&job->run.outer) != 0; tries++)
			sleep_ms(1);
		end_stop_watch(r, job, 0);
		terminal_restore(&job->run.outer.terminal, job->run.outer.session, job->run.outer.pid);
		job_free(job);
	}
	r->jobs = NULL;
	trigger_close_all(r);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	if (r->inotify_fd >= 0)
		close(r->inotify_fd);
	if (r->init_fd >= 0)
		close(r->init_fd);
}
