/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one started program: its reports, its end, its deadline and its clean-up. The caller of
 * these functions only waits: the addon's reactor for many runs, a compiled file for one.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <signal.h>
#include <sys/resource.h>

#include "../hutch.h"

/*
 * Retries of a clean-up op. A process in the middle of a large exit can hold its group for seconds.
 * After these retries, hutch reports the remaining processes.
 */
#define RETRIES_AT_MOST 400
/* Milliseconds between reads of a v1 group after SIGTERM: v1 does not notify when a group becomes empty. */
#define GRACE_PAUSE_MS 10

/* Starts the time limits of a run. */
void run_begin(struct run *run)
{
	run->deadline = run->outer.timeout_ms ? now_ms() + run->outer.timeout_ms : 0;
	run_limit_cpu(run);
}

/*
 * Starts a run. Returns 0, or -errno with life->outer.step at the failed op and nothing left
 * behind. The program's bytes must outlive the run.
 */
int run_start(struct run *run, const struct launch_files *files)
{
	struct cursor inner;
	int err = open_program(files->program, files->program_size, &run->outer.ops, &inner);

	run->command_status = -1;
	run->outer.report_fd = -1;
	run->empty_fd = -1;
	run->outer.terminal = (struct terminal){ .fd = -1, .stream = -1, .flags = { -1, -1, -1 } };
	if (!err)
		err = outer_start(&run->outer, files);
	if (!err) {
		if (!run->outer.takes_order)
			run_begin(run);
		return 0;
	}
	if (run->outer.started) {
		outer_kill(&run->outer);
		sys(__NR_wait4, run->outer.pid, NULL, K_WALL, NULL);
	}
	terminal_restore(&run->outer.terminal, run->outer.session, run->outer.pid);
	outer_undo(&run->outer);
	return err;
}

/*
 * Receives the next failure report of hutch-init, or its findings about the refused program.
 * Returns 1 if all of *said was received, otherwise only the report counts. A hutch-init outside of
 * the pid namespace reports after the inner one, whose report is more precise.
 */
int run_failed(struct run *run, struct program_look *said)
{
	struct report *report = &said->report;
	long got;

	/*
	 * ECONNRESET: hutch-init ended before it read GO; its messages follow this error. No report
	 * may be lost for a transient error.
	 */
	for (int tries = 0; tries < 3;) {
		got = receive(run->outer.report_fd, said, sizeof *said, K_MSG_DONTWAIT);
		if (got < 0 && got != -EAGAIN) {
			tries++;
			run->unread |= got == -ECONNRESET;
			continue;
		}
		if (got == (long)sizeof *said && report->kind == REPORT_PROGRAM)
			return 1;
		if (got != (long)sizeof *report)
			return 0;
		if (report->kind == REPORT_FAILED)
			return 1;
		run->ready |= report->kind == REPORT_READY && report->value == READY_FOR_ORDER;
		if (report->kind == REPORT_EXITED || report->kind == REPORT_FULL)
			run->full_spaces |= report->step;
		if (report->kind == REPORT_EXITED && run->command_status == -1) {
			run->command_status = report->value;
			run->max_rss = report->max_rss;
			run->outer.terminal.typed = (int)report->typed;
		}
		if (report->kind == REPORT_STOPPED)
			run_stopped(run, report->value, (int)report->step);
	}
	return 0;
}

/* Opens cgroup.events of the job's v2 group, which notifies poll(2) when the group becomes empty. Returns -1 without one. */
static int open_events(const struct outer *o)
{
	static const char from[] = "cgroup.kill", to[] = "cgroup.events";
	size_t length = o->kill_file ? text_length(o->kill_file) : 0, end = sizeof from - 1;
	char path[4096];
	long fd;

	if (length < end || length + sizeof to > sizeof path)
		return -1;
	memcpy(path, o->kill_file, length - end);
	memcpy(path + length - end, to, sizeof to);
	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -1 : (int)fd;
}

/* Returns whether the job's groups have a process. Reading cgroup.events also arms its next notification. */
static int has_processes(const struct run *run)
{
	static const char empty[] = "populated 0";
	const char *path = run->outer.procs.first;
	char text[sizeof empty - 1];
	int count = 0;

	if (run->empty_fd >= 0)
		return sys(__NR_pread64, run->empty_fd, text, sizeof text, 0) == sizeof text &&
		       text[sizeof text - 1] != '0';
	for (u32 i = 0; i < run->outer.procs.count && !count; i++, path = next_string(path))
		signal_listed(path, 0, 0, &count);
	return count;
}

/* Returns true if the cloned process has ended, and reaps it once. */
int run_ended(struct run *run)
{
	struct rusage usage = { 0 };

	if (run->ending || !reap_child(run->outer.pid, run->outer.pidfd, &run->own_status, &usage))
		return 0;
	run->ending = 1;
	/* other processes that were sent SIGTERM keep their time to end */
	run->grace = run->stop_stage == 1 ? run->deadline : 0;
	if (run->grace)
		run->empty_fd = open_events(&run->outer);
	run->deadline = run->cpu_check_at = 0;
	run->voluntary = (u64)usage.ru_nvcsw;
	run->forced = (u64)usage.ru_nivcsw;
	run->user_usec = (u64)usage.ru_utime.tv_sec * 1000000 + (u64)usage.ru_utime.tv_usec;
	run->system_usec = (u64)usage.ru_stime.tv_sec * 1000000 + (u64)usage.ru_stime.tv_usec;
	return 1;
}

/*
 * Gives the terminal back after the job's end. A signal from ^C that ended the job is also sent to
 * hutch's own group: a script that waits for hutch must end with it.
 */
static void end_terminal(struct run *run)
{
	struct terminal *t = &run->outer.terminal;
	int said = run->command_status != -1, sig = (said ? run->command_status : run->own_status) & 0x7f;

	if (terminal_restore(t, run->outer.session, run->outer.pid) && (sig == SIGINT || sig == SIGQUIT) &&
	    (!said || t->typed))
		sys(__NR_kill, 0, sig);
}

/*
 * Runs the rest of the outer section. Returns 0 when complete. Otherwise returns the milliseconds
 * until the next try, or until POLLPRI on life->empty_fd.
 */
unsigned int run_finish(struct run *run)
{
	u64 now = run->grace ? now_ms() : 0;
	int err;

	if (run->grace > now && has_processes(run))
		return run->empty_fd < 0 ? GRACE_PAUSE_MS : (unsigned int)(run->grace - now);
	run->grace = 0;
	if (run->empty_fd >= 0)
		sys(__NR_close, run->empty_fd);
	run->empty_fd = -1;
	run->outer.failed = (run->command_status != -1 ? run->command_status : run->own_status) != 0 || run->stop_stage;
	while ((err = outer_finish(&run->outer)) != 0) {
		if (err == -EAGAIN && run->retries < RETRIES_AT_MOST)
			return run->retries++ < 10 ? 1 : 25;
		if (err == -EAGAIN)
			outer_skip(&run->outer);
		if (!run->failed_errno) {
			run->failed_step = (int)run->outer.step - 1;
			run->failed_errno = err == -EAGAIN ? EBUSY : -err;
			run->failed_call = (int)failed_call(err);
		}
	}
	end_terminal(run);
	return 0;
}

/*
 * Sends the stop signal to the job's processes, and later SIGKILL. Returns the signal. SIGCONT
 * follows the stop signal, because a stopped process does not act on signals.
 */
int run_stop(struct run *run)
{
	int sig = run->stop_stage == 0 && run->outer.kill_after_ms ? (int)run->outer.stop_signal : SIGKILL;

	if (run->stop_stage == 0)
		run_find_full(run);
	if (sig != SIGKILL) {
		outer_signal(&run->outer, sig);
		outer_signal(&run->outer, SIGCONT);
	} else {
		outer_kill(&run->outer);
	}
	run->stop_stage = sig == SIGKILL ? 2 : 1;
	if (sig == SIGKILL)
		run->cpu_check_at = 0;
	run->deadline = sig != SIGKILL ? now_ms() + run->outer.kill_after_ms : 0;
	return sig;
}

/*
 * Handles an event of a watched file. v1 has no memory.oom.group: hutch writes the kill file of the
 * parallel v2 tree, a moment later. Returns false if there was no event.
 */
int run_event(struct run *run, u32 index)
{
	struct watch *w = &run->outer.watch[index];
	u64 count;

	if (index >= run->outer.watches || sys(__NR_read, w->fd, &count, sizeof count) != sizeof count || run->ending)
		return 0;
	if (w->kill && *w->kill)
		write_text(w->kill, "1");
	return 1;
}
