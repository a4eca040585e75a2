/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: waits for the core's events, watched descriptors, signals and timers, and calls
 * JavaScript. Between two calls it runs the jobs of promises.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

#define WATCHES 64
#define UNHANDLED 64
#ifndef BUSY_SECONDS
#define BUSY_SECONDS 5
#endif

struct watched {
	int id, fd, referenced;
	short events;
	JSValue function;
};

static struct watched watched[WATCHES];
static int watch_count, last_id;
static JSValue turn KEPT, on_signal KEPT;
static JSValue unhandled[UNHANDLED];
static int unhandled_count;
static int signal_pipe[2] = { -1, -1 };
static int signals_watched;
static struct timespec busy_since;
/* true after a system call of a module: a command of 10,000 groups may compute for long between two returns to the loop */
int made_call;

static void note_return(void)
{
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &busy_since);
}

/* Ends a computation without a system call or a return to the loop for BUSY_SECONDS of CPU time. */
static int interrupt(JSRuntime *rt, void *opaque)
{
	static unsigned int calls;
	struct timespec now;

	(void)rt;
	(void)opaque;
	/* the engine calls this every few microseconds, and the clock of the CPU costs a system call */
	if (++calls % 64)
		return 0;
	if (made_call) {
		made_call = 0;
		note_return();
		return 0;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec - busy_since.tv_sec - (now.tv_nsec < busy_since.tv_nsec) >= BUSY_SECONDS;
}

static void track_rejection(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque)
{
	(void)reason;
	(void)opaque;
	if (!handled && unhandled_count < UNHANDLED)
		unhandled[unhandled_count++] = JS_DupValue(c, promise);
	for (int i = 0; handled && i < unhandled_count; i++)
		if (JS_IsStrictEqual(c, unhandled[i], promise)) {
			JS_FreeValue(c, unhandled[i]);
			unhandled[i--] = unhandled[--unhandled_count];
		}
}

void run_jobs(void)
{
	JSContext *c;
	int done;

	while ((done = JS_ExecutePendingJob(JS_GetRuntime(js), &c)) > 0)
		;
	if (done < 0)
		end_by_exception();
	if (unhandled_count) {
		JS_Throw(js, JS_PromiseResult(js, unhandled[0]));
		end_by_exception();
	}
}

void call_function(JSValueConst function, int argc, JSValueConst *argv)
{
	JSValue out = JS_Call(js, function, JS_UNDEFINED, argc, argv);

	if (JS_IsException(out))
		end_by_exception();
	JS_FreeValue(js, out);
}

/* watch(fd, events, function): calls function(events) when poll(2) reports some; returns an id */
static JSValue js_watch(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	int32_t fd = -1, events = 0;

	(void)self;
	(void)argc;
	if (JS_ToInt32(c, &fd, argv[0]) || JS_ToInt32(c, &events, argv[1]))
		return JS_EXCEPTION;
	if (watch_count == WATCHES)
		return JS_NewInt32(c, -EMFILE);
	watched[watch_count++] = (struct watched){ ++last_id, fd, 1, (short)events, JS_DupValue(c, argv[2]) };
	return JS_NewInt32(c, last_id);
}

static struct watched *find(JSContext *c, JSValueConst id)
{
	int32_t number = 0;

	JS_ToInt32(c, &number, id);
	for (int i = 0; i < watch_count; i++)
		if (watched[i].id == number)
			return &watched[i];
	return NULL;
}

static JSValue js_unwatch(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	struct watched *w = find(c, argv[0]);

	(void)self;
	(void)argc;
	if (w) {
		JS_FreeValue(c, w->function);
		*w = watched[--watch_count];
	}
	return JS_UNDEFINED;
}

/* refer(id, keeps): sets whether a watched descriptor keeps this process running */
static JSValue js_refer(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	struct watched *w = find(c, argv[0]);

	(void)self;
	(void)argc;
	if (w)
		w->referenced = JS_ToBool(c, argv[1]);
	return JS_UNDEFINED;
}

/* setTurn(function): the function runs what is due of timers, at most one, and returns the time until the next */
static JSValue js_set_turn(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	(void)self;
	(void)argc;
	turn = JS_DupValue(c, argv[0]);
	return JS_UNDEFINED;
}

static void note_signal(int number)
{
	char byte = (char)number;
	int err = errno;

	if (write(signal_pipe[1], &byte, 1) < 0)
		errno = err;
	errno = err;
}

/* watchSignal(number, watches, function): passes a signal to function(number), or restores its default action */
static JSValue js_watch_signal(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	int32_t number = 0;

	(void)self;
	(void)argc;
	if (JS_ToInt32(c, &number, argv[0]))
		return JS_EXCEPTION;
	if (signal_pipe[0] < 0 && pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return JS_NewInt32(c, -errno);
	if (JS_ToBool(c, argv[1])) {
		JS_FreeValue(c, on_signal);
		on_signal = JS_DupValue(c, argv[2]);
		action.sa_handler = note_signal;
		action.sa_flags = SA_RESTART;
		signals_watched++;
	} else {
		signals_watched--;
	}
	return JS_NewInt32(c, sigaction(number, &action, NULL) < 0 ? -errno : 0);
}

static void deliver_signals(void)
{
	char byte;

	while (read(signal_pipe[0], &byte, 1) == 1) {
		JSValueConst number = JS_NewInt32(js, byte);

		call_function(on_signal, 1, &number);
		run_jobs();
	}
}

static const JSCFunctionListEntry list[] = {
	JS_CFUNC_DEF("watch", 3, js_watch), JS_CFUNC_DEF("unwatch", 1, js_unwatch), JS_CFUNC_DEF("refer", 2, js_refer),
	JS_CFUNC_DEF("setTurn", 1, js_set_turn), JS_CFUNC_DEF("watchSignal", 3, js_watch_signal),
};

void host_loop(JSValue host)
{
	JS_SetPropertyFunctionList(js, host, list, sizeof list / sizeof *list);
	JS_SetInterruptHandler(JS_GetRuntime(js), interrupt, NULL);
	JS_SetHostPromiseRejectionTracker(JS_GetRuntime(js), track_rejection, NULL);
}

/* Runs at most one timer. Returns the milliseconds until the next, -1 without one, -2 - N for one that keeps nothing running. */
static double run_timer(void)
{
	double next = -1;
	JSValue out;

	if (!JS_IsFunction(js, turn))
		return -1;
	out = JS_Call(js, turn, JS_UNDEFINED, 0, NULL);
	if (JS_IsException(out))
		end_by_exception();
	JS_ToFloat64(js, &next, out);
	JS_FreeValue(js, out);
	run_jobs();
	return next;
}

/* Calls the functions of the descriptors that are ready. They may watch and unwatch others meanwhile. */
static void call_ready(const struct pollfd *ready, const int *ids, int count)
{
	for (int i = 0; i < count; i++) {
		JSValueConst events = JS_NewInt32(js, ready[i].revents);
		int at = 0;

		if (!ready[i].revents)
			continue;
		while (at < watch_count && watched[at].id != ids[i])
			at++;
		if (at == watch_count)
			continue;
		JSValue function = JS_DupValue(js, watched[at].function);
		call_function(function, 1, &events);
		JS_FreeValue(js, function);
		run_jobs();
	}
}

/* Runs until nothing is left that could call JavaScript again. Returns 0 then. */
int run_loop(void)
{
	for (;;) {
		struct pollfd ready[WATCHES + 3];
		int ids[WATCHES], epoll_fd, count, alive = 0, timeout, deadline;
		double timer;

		note_return();
		run_jobs();
		/* whether a turn finds no event depends on timing: the layout has what that needs in any case */
		if (layout_turn())
			while (run_timer() == 0)
				;
		deadline = core_turn(&epoll_fd);
		if (core_deliver())
			continue;
		timer = run_timer();
		if (timer == 0)
			continue;
		alive = timer >= 0 || core_waits() || signals_watched > 0;
		count = watch_count;
		for (int i = 0; i < count; i++) {
			ready[i] = (struct pollfd){ watched[i].fd, watched[i].events, 0 };
			ids[i] = watched[i].id;
			alive |= watched[i].referenced;
		}
		if (!alive)
			return 0;
		timer = timer < -1 ? -2 - timer : timer;
		timeout = timer < 0 ? -1 : timer > 1000000 ? 1000000 : (int)(timer + 0.999);
		if (deadline >= 0 && (timeout < 0 || deadline < timeout))
			timeout = deadline;
		ready[count] = (struct pollfd){ epoll_fd, POLLIN, 0 };
		ready[count + 1] = (struct pollfd){ core_wake_fd(), POLLIN, 0 };
		ready[count + 2] = (struct pollfd){ signal_pipe[0], POLLIN, 0 };
		if (poll(ready, (nfds_t)count + 3, timeout) < 0)
			continue;
		note_return();
		if (ready[count + 1].revents) {
			uint64_t times;

			if (read(core_wake_fd(), &times, sizeof times) < 0)
				continue;
		}
		if (ready[count + 2].revents)
			deliver_signals();
		call_ready(ready, ids, count);
	}
}
