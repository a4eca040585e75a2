/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defines the addon's exports. Only src/system/native.ts calls them, and it describes each of them.
 * The addon uses only Node-API and not libuv, so runtimes other than Node can load it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job.h"

/* fails only if src/system/native.ts misuses the call or the environment is shutting down */
#define OK(call) do { if ((call) != napi_ok) return NULL; } while (0)

struct instance {
	struct reactor reactor;
	napi_ref on_event;
	int opened;
	u32 active;	/* number of jobs whose end JavaScript has not received yet */
};

static struct instance *instance_of(napi_env env)
{
	struct instance *self = NULL;

	OK(napi_get_instance_data(env, (void **)&self));
	return self;
}

/* Passes one event to JavaScript's callback. Runs on JavaScript's thread. */
static void deliver(napi_env env, napi_value callback, void *context, void *data)
{
	napi_value undefined, argv[17];
	struct instance *self = context;
	struct event *event = data;

	if (env) {
		if (event->kind == EVENT_ENDED && --self->active == 0)
			napi_unref_threadsafe_function(env, self->reactor.post);
		argv[0] = to_number(env, event->job);
		argv[1] = to_number(env, event->kind);
		argv[2] = to_number(env, event->a);
		argv[3] = to_number(env, event->b);
		argv[4] = to_number(env, event->c);
		argv[5] = to_number(env, event->d);
		argv[6] = to_number(env, event->user_usec);
		argv[7] = to_number(env, event->system_usec);
		napi_get_undefined(env, &undefined);
		argv[8] = undefined;
		if (event->length)
			napi_create_buffer_copy(env, event->length, event->bytes, NULL, &argv[8]);
		argv[9] = to_number(env, event->max_rss);
		argv[10] = to_number(env, event->voluntary);
		argv[11] = to_number(env, event->forced);
		argv[12] = to_number(env, event->full_spaces);
		argv[13] = to_number(env, event->full_tables);
		argv[14] = to_number(env, event->table_limit);
		argv[15] = to_number(env, event->stopped_processes);
		argv[16] = to_number(env, event->frozen);
		napi_call_function(env, undefined, callback, 17, argv, NULL);
	}
	free(event);
}

/* Returns the environment's reactor, or NULL before the first launch. */
struct reactor *reactor_of(napi_env env)
{
	struct instance *self = NULL;

	return napi_get_instance_data(env, (void **)&self) == napi_ok && self->opened ? &self->reactor : NULL;
}

static int open_instance(napi_env env, struct instance *self)
{
	napi_value callback, name;
	int err;

	if (self->opened)
		return 0;
	if (napi_get_reference_value(env, self->on_event, &callback) != napi_ok ||
	    napi_create_string_utf8(env, "hutch", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, NULL, NULL, self, deliver,
					    &self->reactor.post) != napi_ok)
		return -EINVAL;
	napi_unref_threadsafe_function(env, self->reactor.post);
	err = reactor_open(&self->reactor);
	if (!err)
		self->opened = 1;
	return err;
}

/*
 * listen(callback): calls callback(job, kind, a, b, c, d, userUsec, systemUsec, bytes, maxRss,
 * voluntary, forced, fullSpaces, fullTables, tableLimit, stoppedProcesses, frozen) for every event
 */
static napi_value export_listen(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	napi_value callback;

	if (self && !read_arguments(env, info, "v", &callback))
		napi_create_reference(env, callback, 1, &self->on_event);
	return NULL;
}

/* launch(program, streams): returns [job, pid], or after a clean-up [0, outer step, errno, failed call] */
static napi_value export_launch(napi_env env, napi_callback_info info)
{
	struct launch_files files = { 0 };
	struct instance *self = instance_of(env);
	struct job *job;
	size_t size, count;
	void *bytes;
	int *streams, step, err = read_arguments(env, info, "BI", &bytes, &size, &streams, &count);

	if (!self)
		return NULL;
	if (!err)
		err = count < STANDARD_STREAMS || count > MAX_STREAMS ? -EINVAL : open_instance(env, self);
	if (err)
		return to_numbers(env, (int[]){ 0, -1, -err, (int)failed_call(err) }, 4);
	job = calloc(1, sizeof *job);
	if (!job || !(job->program = malloc(size)) || !(job->run.outer.figures = malloc(FIGURES_SIZE)) ||
	    !(job->last = malloc(sizeof *job->last))) {
		if (job)
			job_free(job);
		return to_numbers(env, (int[]){ 0, -1, ENOMEM }, 3);
	}
	memcpy(job->program, bytes, size);
	memcpy(files.streams, streams, count * sizeof *streams);
	files.stream_count = (u32)count;
	files.program = job->program;
	files.program_size = size;
	files.init_fd = self->reactor.init_fd < 0 ? init_image_file() : self->reactor.init_fd;
	files.inotify_fd = self->reactor.inotify_fd;
	err = run_start(&job->run, &files);
	if (self->reactor.init_fd < 0 && files.init_fd >= 0)
		close(files.init_fd);
	if (!err) {
		int pid = job->run.outer.pid;

		if (self->active++ == 0)
			napi_ref_threadsafe_function(env, self->reactor.post);
		if (reactor_add(&self->reactor, job) < 0)
			outer_kill(&job->run.outer);
		return to_numbers(env, (int[]){ (int)self->reactor.next_id, pid }, 2);
	}
	step = (int)job->run.outer.step;
	job_free(job);
	return to_numbers(env, (int[]){ 0, step, -err, (int)failed_call(err) }, 4);
}

/* signal(job, number): sends a signal to all processes of the job; returns 0 or -errno */
static napi_value export_signal(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	struct job *job;
	u32 id;
	int sig, err = read_arguments(env, info, "ui", &id, &sig);

	if (!self)
		return NULL;
	if (!err)
		err = -ESRCH;
	if (err == -ESRCH && self->opened) {
		pthread_mutex_lock(&self->reactor.lock);
		job = reactor_find(&self->reactor, id);
		if (job && !job->run.ending)
			err = sig == 9 ? outer_kill(&job->run.outer) : outer_signal(&job->run.outer, sig);
		pthread_mutex_unlock(&self->reactor.lock);
	}
	return to_number(env, err);
}

/* stop(job): stops a job as if its timeout had passed; returns 0 or -errno */
static napi_value export_stop(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	u32 id;
	int err = read_arguments(env, info, "u", &id);

	if (!self)
		return NULL;
	return to_number(env, err ? err : self->opened ? reactor_stop_job(&self->reactor, id) : -ESRCH);
}

/* holdSignals(): keeps signals sent to this process until forward() passes them on to a job */
static napi_value export_hold_signals(napi_env env, napi_callback_info info)
{
	(void)info;
	return to_number(env, hold_signals());
}

/* forward(job): forwards received signals to the job. forward(0): stops that; returns bit n for received signal n. */
static napi_value export_forward(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	struct job *job;
	struct outer outer;
	u32 id;
	int err = read_arguments(env, info, "u", &id);

	if (!self)
		return NULL;
	if (err)
		return to_number(env, err);
	if (id == 0)
		return to_number(env, forward_nothing());
	err = -ESRCH;
	pthread_mutex_lock(&self->reactor.lock);
	job = reactor_find(&self->reactor, id);
	if (job)	/* a copy of the pidfd: the handler may run after the job's end, at which the pidfd is closed */
		err = (int)sys(__NR_fcntl, job->run.outer.pidfd, F_DUPFD_CLOEXEC, 3);
	if (job)
		outer = job->run.outer;
	pthread_mutex_unlock(&self->reactor.lock);
	if (err >= 0)
		forward_signals(err, &outer);
	return to_number(env, err < 0 ? err : 0);
}

/* access(path, mode): calls access(2); returns 0 or -errno */
static napi_value export_access(napi_env env, napi_callback_info info)
{
	char *path = NULL;
	int mode, err = read_arguments(env, info, "wi", &path, &mode);

	if (!err && access(path, mode) < 0)
		err = -errno;
	free(path);
	return to_number(env, err);
}

/* dieBy(signal): ends this process by a signal */
static napi_value export_die_by(napi_env env, napi_callback_info info)
{
	int sig;

	if (!read_arguments(env, info, "i", &sig))
		die_by(sig);
	return NULL;
}

/* dieWithParent(pid): makes the kernel kill this process when its parent, with this pid, ends */
static napi_value export_die_with_parent(napi_env env, napi_callback_info info)
{
	int parent;

	if (!read_arguments(env, info, "i", &parent))
		die_with_parent(parent);
	return NULL;
}

/*
 * environmentChanged(): returns true if the C environment differs from that of the last call.
 * Always true in a worker, whose process.env is a copy. Reading process.env takes more than half of
 * a plan's time.
 */
static napi_value export_environment_changed(napi_env env, napi_callback_info info)
{
	extern char **environ;
	static u64 known;
	u64 sum = 14695981039346656037u;
	napi_value out;

	(void)info;
	if (sys(__NR_gettid) != sys(__NR_getpid)) {
		OK(napi_get_boolean(env, true, &out));
		return out;
	}
	for (char **at = environ; at && *at; at++)
		for (const char *c = *at; ; c++) {	/* FNV-1a */
			sum = (sum ^ (u8)*c) * 1099511628211u;
			if (!*c)
				break;
		}
	OK(napi_get_boolean(env, sum != known, &out));
	known = sum;
	return out;
}

/* callName(number): returns the name of a system call that hutch makes, or "" for other calls */
static napi_value export_call_name(napi_env env, napi_callback_info info)
{
	napi_value out = NULL;
	u32 call;

	if (!read_arguments(env, info, "u", &call))
		napi_create_string_utf8(env, call_name(call), NAPI_AUTO_LENGTH, &out);
	return out;
}

/* openTrigger(where, file, argument): returns an id or -errno; keeps the process alive until closeTrigger(id) */
static napi_value export_open_trigger(napi_env env, napi_callback_info info)
{
	char where[4096], file[256], argument[256];
	struct instance *self = instance_of(env);
	u32 id = 0;
	int err = read_arguments(env, info, "sss", where, sizeof where, file, sizeof file, argument, sizeof argument);

	if (!self)
		return NULL;
	err = err ?: open_instance(env, self);
	err = err ?: trigger_open(&self->reactor, where, file, argument, &id);
	if (!err && self->active++ == 0)
		napi_ref_threadsafe_function(env, self->reactor.post);
	return to_number(env, err ? err : (double)id);
}

/* watchPipe(fd, writes): returns an id or -errno; closeTrigger(id) of an armed pipe also closes the descriptor */
static napi_value export_watch_pipe(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	bool writes;
	u32 id = 0;
	int fd, err = read_arguments(env, info, "ib", &fd, &writes);

	if (!self)
		return NULL;
	err = err ?: open_instance(env, self);
	err = err ?: trigger_watch(&self->reactor, fd, writes, &id);
	return to_number(env, err ? err : (double)id);
}

/* armPipe(id, waits): while something waits, keeps the process alive; when the pipe is ready, one event TRIGGERED follows */
static napi_value export_arm_pipe(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	bool waits;
	u32 id;

	if (!self || read_arguments(env, info, "ub", &id, &waits) || !self->opened)
		return self ? to_number(env, -ESRCH) : NULL;
	if (waits && self->active++ == 0)
		napi_ref_threadsafe_function(env, self->reactor.post);
	if (!waits && --self->active == 0)
		napi_unref_threadsafe_function(env, self->reactor.post);
	return to_number(env, waits ? trigger_arm(&self->reactor, id) : 0);
}

static napi_value export_close_trigger(napi_env env, napi_callback_info info)
{
	struct instance *self = instance_of(env);
	u32 id;
	int err = read_arguments(env, info, "u", &id);

	if (!self)
		return NULL;
	if (!err)
		err = self->opened ? trigger_close(&self->reactor, id) : -ESRCH;
	if (!err && --self->active == 0)
		napi_unref_threadsafe_function(env, self->reactor.post);
	return to_number(env, err);
}

static void close_instance(void *data)
{
	struct instance *self = data;

	forward_nothing();
	if (self->opened)
		reactor_close(&self->reactor);
	free(self);
}

NAPI_MODULE_INIT()
{
	static const struct exported list[] = {
		{ "listen", export_listen }, { "launch", export_launch }, { "signal", export_signal },
		{ "stop", export_stop }, { "forward", export_forward },
		{ "holdSignals", export_hold_signals }, { "environmentChanged", export_environment_changed },
		{ "readFiles", export_read_files }, { "openReader", export_open_reader },
		{ "readAgain", export_read_again }, { "closeReader", export_close_reader },
		{ "walkGroups", export_walk_groups }, { "readLogTail", export_read_log_tail },
		{ "openTrigger", export_open_trigger }, { "dieBy", export_die_by },
		{ "dieWithParent", export_die_with_parent }, { "access", export_access },
		{ "watchPipe", export_watch_pipe }, { "armPipe", export_arm_pipe },
		{ "closeTrigger", export_close_trigger }, { "exec", export_exec }, { "callName", export_call_name },
	};
	static void (*const parts[])(napi_env, napi_value) = {
		add_procs, add_ns, add_held, add_follow, add_order, add_stale, add_process, add_console,
		add_in_root, add_pipes,
	};
	struct instance *self = calloc(1, sizeof *self);

	if (!self)
		return NULL;
	pthread_mutex_init(&self->reactor.lock, NULL);
	self->reactor.epoll_fd = self->reactor.wake_fd = self->reactor.inotify_fd = self->reactor.init_fd = -1;
	OK(napi_set_instance_data(env, self, NULL, NULL));
	OK(napi_add_env_cleanup_hook(env, close_instance, self));
	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		parts[i](env, exports);
	return exports;
}
