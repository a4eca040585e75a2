/* SPDX-License-Identifier: Apache-2.0 */
/* Functions about this process, its children, the machine and the clock for src/system/standalone/. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

#define POLLED 16

extern char **environ;

/* environment(): returns the variables as "NAME=VALUE" */
FUNCTION(js_environment)
{
	JSValue out = JS_NewArray(js);

	UNUSED;
	for (uint32_t i = 0; environ[i]; i++)
		JS_SetPropertyUint32(js, out, i, new_utf8((const uint8_t *)environ[i], strlen(environ[i])));
	return out;
}

/* ids(): returns [pid, ppid, uid, euid, gid, egid] */
FUNCTION(js_ids)
{
	long ids[6] = { getpid(), getppid(), (long)getuid(), (long)geteuid(), (long)getgid(), (long)getegid() };
	JSValue fields[6];

	UNUSED;
	for (int i = 0; i < 6; i++)
		fields[i] = JS_NewInt64(js, ids[i]);
	return JS_NewArrayFrom(js, 6, fields);
}

FUNCTION(js_groups)
{
	static gid_t ids[65536];
	int count = getgroups(65536, ids);
	JSValue out = JS_NewArray(js);

	UNUSED;
	for (int i = 0; i < count; i++)
		JS_SetPropertyUint32(js, out, (uint32_t)i, JS_NewInt64(js, ids[i]));
	return out;
}

FUNCTION(js_cwd)
{
	char path[4096];

	UNUSED;
	return getcwd(path, sizeof path) ? new_utf8((const uint8_t *)path, strlen(path)) : result(-1);
}

FUNCTION(js_umask)
{
	mode_t mask = umask(0);

	UNUSED;
	umask(mask);
	return JS_NewInt32(js, (int)mask);
}

FUNCTION(js_kill)
{
	UNUSED;
	return result(kill(number(argv[0]), number(argv[1])));
}

FUNCTION(js_exit)
{
	UNUSED;
	end(number(argv[0]));
}

/* now(): milliseconds of the monotonic clock */
FUNCTION(js_now)
{
	struct timespec time;

	UNUSED;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return JS_NewNumber(js, (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6);
}

/* nanoseconds(): the monotonic clock as a BigInt */
FUNCTION(js_nanoseconds)
{
	struct timespec time;

	UNUSED;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return JS_NewBigInt64(js, (int64_t)time.tv_sec * 1000000000 + time.tv_nsec);
}

FUNCTION(js_sleep)
{
	double ms = 0;

	UNUSED;
	JS_ToFloat64(js, &ms, argv[0]);
	struct timespec time = { (time_t)(ms / 1000), (long)((ms - (double)(time_t)(ms / 1000) * 1000) * 1e6) };
	while (ms > 0 && nanosleep(&time, &time) < 0 && errno == EINTR)
		;
	return JS_UNDEFINED;
}

FUNCTION(js_is_terminal)
{
	UNUSED;
	return JS_NewBool(js, isatty(number(argv[0])));
}

/* windowSize(fd): returns [columns, rows], or undefined */
FUNCTION(js_window_size)
{
	struct winsize size;

	UNUSED;
	if (ioctl(number(argv[0]), TIOCGWINSZ, &size) < 0)
		return JS_UNDEFINED;
	JSValue fields[2] = { JS_NewInt32(js, size.ws_col), JS_NewInt32(js, size.ws_row) };
	return JS_NewArrayFrom(js, 2, fields);
}

/* machine(): returns [kernel release, total memory, processors that this process may use, page size, uptime] */
FUNCTION(js_machine)
{
	struct timespec up;
	struct utsname name;
	struct sysinfo info;
	cpu_set_t set;
	int cpus;

	UNUSED;
	uname(&name);
	sysinfo(&info);
	clock_gettime(CLOCK_BOOTTIME, &up);
	cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	JSValue fields[5] = { JS_NewString(js, name.release), JS_NewNumber(js, (double)info.totalram * info.mem_unit), JS_NewInt32(js, cpus),
			      JS_NewInt32(js, (int)sysconf(_SC_PAGESIZE)), JS_NewNumber(js, (double)up.tv_sec + (double)up.tv_nsec / 1e9) };
	return JS_NewArrayFrom(js, 5, fields);
}

FUNCTION(js_random)
{
	uint8_t bytes[256];
	size_t count = (size_t)number(argv[0]) % (sizeof bytes + 1);

	UNUSED;
	if (getrandom(bytes, count, 0) != (ssize_t)count)
		return result(-1);
	return new_buffer(bytes, count);
}

FUNCTION(js_set_priority)
{
	UNUSED;
	return result(setpriority(PRIO_PROCESS, (id_t)number(argv[0]), number(argv[1])));
}

/* poll([fd, events, …], ms): waits; returns the events of each, or -errno */
FUNCTION(js_poll)
{
	struct pollfd fds[POLLED];
	double ms = -1;
	int64_t count = 0;
	JSValue out;

	UNUSED;
	JS_GetLength(js, argv[0], &count);
	count = count / 2 > POLLED ? POLLED : count / 2;
	for (int64_t i = 0; i < count; i++) {
		JSValue fd = JS_GetPropertyUint32(js, argv[0], (uint32_t)(2 * i)), events = JS_GetPropertyUint32(js, argv[0], (uint32_t)(2 * i + 1));

		fds[i] = (struct pollfd){ number(fd), (short)number(events), 0 };
	}
	JS_ToFloat64(js, &ms, argv[1]);
	if (poll(fds, (nfds_t)count, ms < 0 ? -1 : ms > 1e9 ? 1000000000 : (int)ms) < 0 && errno != EINTR)
		return result(-1);
	out = JS_NewArray(js);
	for (int64_t i = 0; i < count; i++)
		JS_SetPropertyUint32(js, out, (uint32_t)i, JS_NewInt32(js, fds[i].revents));
	return out;
}

FUNCTION(js_inotify)
{
	UNUSED;
	return result(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
}

/* inotifyAdd(fd, path): watches what node:fs watches */
FUNCTION(js_inotify_add)
{
	struct words path;
	JSValue out;

	UNUSED;
	if (words_take(&path, argv[1]))
		return JS_EXCEPTION;
	out = result(inotify_add_watch(number(argv[0]), path.bytes, IN_ATTRIB | IN_CREATE | IN_MODIFY | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
				       IN_MOVED_FROM | IN_MOVED_TO));
	words_free(&path);
	return out;
}

/* lacksMemory(): returns whether the engine was refused memory */
FUNCTION(js_lacks_memory)
{
	UNUSED;
	return JS_NewBool(js, memory_refused);
}

FUNCTION(js_core)
{
	UNUSED;
	return load_core();
}

static const JSCFunctionListEntry list[] = {
	JS_CFUNC_DEF("environment", 0, js_environment), JS_CFUNC_DEF("ids", 0, js_ids), JS_CFUNC_DEF("groups", 0, js_groups),
	JS_CFUNC_DEF("cwd", 0, js_cwd), JS_CFUNC_DEF("umask", 0, js_umask), JS_CFUNC_DEF("kill", 2, js_kill), JS_CFUNC_DEF("exit", 1, js_exit),
	JS_CFUNC_DEF("now", 0, js_now), JS_CFUNC_DEF("nanoseconds", 0, js_nanoseconds), JS_CFUNC_DEF("sleep", 1, js_sleep),
	JS_CFUNC_DEF("isTerminal", 1, js_is_terminal), JS_CFUNC_DEF("windowSize", 1, js_window_size), JS_CFUNC_DEF("machine", 0, js_machine),
	JS_CFUNC_DEF("random", 1, js_random), JS_CFUNC_DEF("setPriority", 2, js_set_priority), JS_CFUNC_DEF("poll", 2, js_poll),
	   
	  
	JS_CFUNC_DEF("inotify", 0, js_inotify), JS_CFUNC_DEF("inotifyAdd", 2, js_inotify_add), JS_CFUNC_DEF("lacksMemory", 0, js_lacks_memory), JS_CFUNC_DEF("core", 0, js_core),
};

/* Sets host.argv. */
void host_arguments(int argc, char **argv)
{
	JSValue global = JS_GetGlobalObject(js), host = JS_GetPropertyStr(js, global, "hutchHost"), words = JS_NewArray(js);

	for (int i = 0; i < argc; i++)
		JS_SetPropertyUint32(js, words, (uint32_t)i, new_utf8((const uint8_t *)argv[i], strlen(argv[i])));
	JS_SetPropertyStr(js, host, "argv", words);
	JS_FreeValue(js, host);
	JS_FreeValue(js, global);
}

void host_process(JSValue host)
{
	JS_SetPropertyFunctionList(js, host, list, sizeof list / sizeof *list);
}
