/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of the binary without Node: creates the engine with bounds on memory and stack. Loads the
 * first two modules, which are the globals and src/cli/main.ts, and runs the loop. Nothing is torn
 * down at the end: the kernel frees it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"

#define STACK_LIMIT (4u << 20)
#define COLLECT_FROM (16u << 20)
#define STATUS_FAILED 125

JSContext *js KEPT;

_Noreturn void end(int status)
{
	core_close();
	layout_report();
	_exit(status);
}

static void say(const char *words)
{
	if (write(2, words, strlen(words)) < 0)
		_exit(STATUS_FAILED);
}

static const char lacks_memory[] = "hutch: out of memory, of which hutch itself may use 64 MiB\n"
				   "  remedy: check the size of the input, and ulimit -v\n";

_Noreturn void end_without_memory(void)
{
	say(lacks_memory);
	_exit(STATUS_FAILED);
}

static int has(const char *text, const char *words)
{
	return text && strstr(text, words);
}

/* Ends hutch after an exception that nothing handled. The engine's own words are for developers alone. */
_Noreturn void end_by_exception(void)
{
	static int ending;
	JSValue error = JS_GetException(js), stack;
	const char *text;

	if (ending)
		_exit(STATUS_FAILED);
	ending = 1;
	lift_memory_limit();
	text = JS_ToCString(js, error);
	if (memory_refused || has(text, "out of memory") || has(text, "string too long"))
		say(lacks_memory);
	else if (has(text, "stack overflow") || has(text, "Maximum call stack"))
		say("hutch: the input is nested too deeply\n  remedy: check the input\n");
	else if (has(text, "interrupted"))
		say("hutch: stopped after 5 seconds of computation without a result\n  remedy: check the size of the input\n");
	else
		say("hutch: an internal error occurred\n  remedy: report it, with the command line; HUTCH_DEBUG=1 prints details\n");
	if (getenv("HUTCH_DEBUG")) {
		stack = JS_GetPropertyStr(js, error, "stack");
		say(text ? text : "");
		say("\n");
		text = JS_ToCString(js, stack);
		say(text ? text : "");
	}
	end(STATUS_FAILED);
}

static void open_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(STATUS_FAILED);
}

static JSContext *open_context(JSRuntime *rt)
{
	JSContext *c = JS_NewContextRaw(rt);

	if (!c || JS_AddIntrinsicBaseObjects(c) || JS_AddIntrinsicDate(c) || JS_AddIntrinsicRegExp(c) || JS_AddIntrinsicJSON(c) ||
	    JS_AddIntrinsicProxy(c) || JS_AddIntrinsicMapSet(c) || JS_AddIntrinsicTypedArrays(c) || JS_AddIntrinsicPromise(c) ||
	    JS_AddIntrinsicBigInt(c) || JS_AddIntrinsicWeakRef(c))
		end_without_memory();
	JS_AddIntrinsicRegExpCompiler(c);
	return c;
}

/* Creates the engine, with hutch's functions of C. The build loads the common modules before the functions that ask the machine. */
static void open_engine(void)
{
	JSRuntime *rt = new_runtime();
	JSValue global, host;

	if (!rt)
		end_without_memory();
	JS_SetMaxStackSize(rt, STACK_LIMIT);
	/* a command is over before it has made much garbage in circles */
	JS_SetGCThreshold(rt, COLLECT_FROM);
	js = open_context(rt);
	global = JS_GetGlobalObject(js);
	host = JS_NewObject(js);
	if (JS_IsException(host))
		end_by_exception();
	JS_SetPropertyStr(js, global, "hutchHost", JS_DupValue(js, host));
	JS_FreeValue(js, global);
	host_text(host);
	prepare_modules();
	if (snapshot_wanted() && load_common_modules())
		end_by_exception();
	host_files(host);
	host_images(host);
	host_children(host);
	host_process(host);
	host_loop(host);
	JS_FreeValue(js, host);
}

int main(int argc, char **argv)
{
	JSValue out;

	open_standard_streams();
	/* as in Node: a closed pipe is an error of write, not the end */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* as in Node: the end of a child is to be seen, also under a parent that ignores it */
	signal(SIGCHLD, SIG_DFL);
	/* without some memory, the engine dereferences NULL while it starts */
	if (!reserve_memory())
		end_without_memory();
	if (!snapshot_open())
		open_engine();
	if (snapshot_wanted())
		snapshot_write(&argc, &argv);
	host_arguments(argc, argv);
	for (unsigned int i = 0; i < 2; i++) {
		out = load_module(i);
		if (JS_IsException(out))
			end_by_exception();
		JS_FreeValue(js, out);
	}
	run_loop();
	/* a promise can be lost if there is no memory for its reaction */
	say("hutch: ended without a result, which may be for lack of memory\n  remedy: check the size of the input, and ulimit -v\n");
	end(STATUS_FAILED);
}
