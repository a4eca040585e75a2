/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares the addon's state of one job, and the reactor's events about it. Shared by addon.c,
 * reactor.c and forward.c.
 */
#ifndef HUTCH_JOB_H
#define HUTCH_JOB_H

#include <pthread.h>

#include "../hutch.h"
#include "arguments.h"

/*
 * The events of a job, from the reactor's thread to JavaScript:
 *
 *   JavaScript           reactor thread             kernel
 *   launch()  ─────────▶ adds pidfd, eventfds
 *             ◀───────── NOTICED                    inotify, eventfd
 *             ◀───────── STOPPED                    deadline: SIGTERM, later SIGKILL; CPU time: SIGKILL
 *             ◀───────── FAILED                     pidfd: report of hutch-init
 *             ◀───────── PROGRAM                    after FAILED of exec: struct program_look
 *             ◀───────── ENDED                      groups read and removed
 *
 * For a job in a pool, before these and in addition:
 *
 *   launch()  ─────────▶ adds the socket, too
 *             ◀───────── READY                      it waits for its job request, or is a container that
 *                                                   waits for its release or its start
 *   order()   ─────────▶ starts its time limits
 *             ◀───────── UNREAD                     pidfd: it ended before it read the request
 *             ◀───────── REFUSED                    a call of its own filter, see supervisor.c
 *
 * For a trigger, which has an id like a job:
 *
 *   openTrigger() ─────▶ adds its descriptor
 *             ◀───────── TRIGGERED                  pressure, v1 eventfd
 *   watchPipe() ───────▶ adds the end of a pipe
 *   armPipe()   ───────▶ waits for one event
 *             ◀───────── TRIGGERED                  readable, writable, or closed at the other end
 */
enum event_kind {
	EVENT_FAILED = 1, EVENT_NOTICED = 2, EVENT_STOPPED = 3, EVENT_ENDED = 4, EVENT_TRIGGERED = 5, EVENT_READY = 6,
	EVENT_UNREAD = 7, EVENT_REFUSED = 8, EVENT_PROGRAM = 9
};

struct event {
	u32 job;
	enum event_kind kind;
	/*
	 * Meaning by kind of event. FAILED: step in the inner section. NOTICED: step in the outer
	 * section. STOPPED: signal sent. READY: enum ready_for. ENDED: wait status of the command, or -1. TRIGGERED: 1
	 * when the group is gone. REFUSED: number of the kind of call, -1 for all counts, -2 for
	 * all calls.
	 */
	int a;
	/*
	 * FAILED: errno; STOPPED: 1 if the cause was the CPU time limit; ENDED: wait status of the
	 * cloned child; TRIGGERED: number of events
	 */
	int b;
	int c;	/* FAILED: number of the failed system call; ENDED: step of the failed clean-up op, or -1 */
	int d;	/* ENDED: errno of the failed clean-up op */
	double user_usec, system_usec;	/* ENDED: CPU time (rusage) of the cloned child and its reaped descendants */
	double voluntary, forced;	/* ENDED: context switches of the cloned child and its reaped descendants */
	double max_rss;		/* ENDED: peak memory of the command in KiB; 0 if hutch-init did not report it */
	u32 full_spaces, full_tables, table_limit, stopped_processes, frozen;	/* ENDED: as in struct run */
	u32 length;
	char *bytes;	/* NOTICED: text of the watched file; PROGRAM: struct program_look; ENDED: figures */
};

struct supervisor;

struct reactor;

/* A thread that waits until the terminal stops a job. */
struct stop_watch {
	struct reactor *reactor;
	pthread_t thread;
	u32 job;
	int pidfd;	/* a duplicate of the job's pidfd, which is not in the epoll set */
	int runs;
};

struct job {
	struct job *next;
	u32 id;
	u8 *program;
	struct run run;
	struct event *last;	/* memory for ENDED, which must be posted even when memory is short */
	struct supervisor *supervisor;
	struct stop_watch stop_watch;
	int listened;	/* true when the filter's listener has arrived, or cannot arrive any more */
};

struct trigger {
	struct trigger *next;
	u32 id;
	int fd;
	int counts;	/* true for an eventfd, whose counter must be read after each event */
	u32 ready;	/* EPOLLIN or EPOLLOUT for a pipe, armed for one event at a time; otherwise 0 */
};

/* The kinds of descriptors in the epoll set. */
enum source { FROM_WAKE, FROM_INOTIFY, FROM_PIDFD, FROM_EVENTFD, FROM_TRIGGER, FROM_REPORT, FROM_EMPTY };

/* The reactor (event thread) of a JavaScript environment, which is the main thread or a worker. */
struct reactor {
	pthread_mutex_t lock;	/* guards jobs and triggers; no job is reaped while it is held */
	pthread_t thread;
	int running;
	int stopping;
	int epoll_fd, wake_fd, inotify_fd, init_fd;
	u32 next_id;
	struct job *jobs;
	u32 job_count;
	struct trigger *triggers;
	napi_threadsafe_function post;
};

/* reactor.c */
int reactor_open(struct reactor *r);
void reactor_dispatch(struct reactor *r, u64 data, u32 events);
int reactor_deadlines(struct reactor *r);
void reactor_close(struct reactor *r);
int reactor_add(struct reactor *r, struct job *job);
struct job *reactor_find(struct reactor *r, u32 id);
int reactor_stop_job(struct reactor *r, u32 id);
void reactor_wake(struct reactor *r);
void job_free(struct job *job);
int reactor_listen(struct reactor *r, int fd, u32 events, enum source source, u32 index, u32 id);
void reactor_post(struct reactor *r, struct event event);

/* thread.c, or turn.c of native/standalone */
int reactor_start(struct reactor *r);

/* trigger.c */
int trigger_open(struct reactor *r, const char *where, const char *file, const char *argument, u32 *id);
void trigger_fired(struct reactor *r, u32 id, u32 events);
int trigger_watch(struct reactor *r, int fd, int writes, u32 *id);
int trigger_arm(struct reactor *r, u32 id);
int trigger_close(struct reactor *r, u32 id);
void trigger_close_all(struct reactor *r);

/* supervisor.c */
struct supervisor *supervisor_start(struct reactor *r, struct job *job, int listener);
void supervisor_end(struct supervisor *s, int tells);
int supervisor_take(int report_fd);

/* read.c */
napi_value export_read_files(napi_env env, napi_callback_info info);
napi_value export_read_log_tail(napi_env env, napi_callback_info info);
napi_value export_open_reader(napi_env env, napi_callback_info info);
napi_value export_read_again(napi_env env, napi_callback_info info);
napi_value export_close_reader(napi_env env, napi_callback_info info);

/* list-groups.c */
napi_value export_walk_groups(napi_env env, napi_callback_info info);

/* follow.c */
void add_follow(napi_env env, napi_value exports);

/* proc-connector.c */
void add_procs(napi_env env, napi_value exports);

/* pipe.c */
void add_pipes(napi_env env, napi_value exports);

/* ns.c */
void add_ns(napi_env env, napi_value exports);

/* netns.c */
void add_held(napi_env env, napi_value exports);
void add_stale(napi_env env, napi_value exports);

/* in-root.c */
void add_in_root(napi_env env, napi_value exports);

/* console.c */
void add_console(napi_env env, napi_value exports);

/* process.c */
void add_process(napi_env env, napi_value exports);

/* pool.c */
void add_order(napi_env env, napi_value exports);

/* start-socket.c */
void add_start_socket(napi_env env, napi_value exports);
void add_net_device(napi_env env, napi_value exports);

/* addon.c */
struct reactor *reactor_of(napi_env env);

/* exec.c */
napi_value export_exec(napi_env env, napi_callback_info info);

/* forward.c */
int hold_signals(void);
void forward_signals(int pidfd, const struct outer *outer);
u32 forward_nothing(void);
void die_by(int sig);
void die_with_parent(pid_t parent);

/* stops.c: notices when a job's terminal stops the job */

int hears_stops(const struct job *job);
void begin_stop_watch(struct reactor *r, struct job *job);
void end_stop_watch(struct reactor *r, struct job *job, int locked);

#endif
