/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one started program: handles its reports, its end, its deadline and its clean-up. The
 * callers of these functions wait for events. The addon's reactor does so for many runs, a compiled
 * file for one.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <signal.h>
#include <sys/resource.h>

#include "../hutch.h"

/*
 * Maximum number of retries of a clean-up op. A process that is freeing much memory at its exit can
 * keep its group in use for seconds. After the last retry, hutch reports the remaining processes.
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
 * Starts a run. Returns 0, or -errno with run->outer.step at the failed op and nothing left behind.
 * The program's bytes must outlive the run.
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
	if (run->outer.started && !run->outer.outlives) {
		outer_kill(&run->outer);
		sys(__NR_wait4, run->outer.pid, NULL, K_WALL, NULL);
	}
	terminal_restore(&run->outer.terminal, run->outer.session, run->outer.pid);
	outer_undo(&run->outer);
	return err;
}

/*
 * Receives the next message from hutch-init: a failed step, or what it found out about a program
 * that could not be executed. Returns 1 if one was received. Returns 0 if *said holds only a report
 * or nothing new. With a pid namespace, the hutch-init outside of it reports after the one inside,
 * whose report is more precise.
 */
int run_failed(struct run *run, struct program_look *said)
{
	struct report *report = &said->report;
	long got;

	/*
	 * ECONNRESET means that hutch-init ended before it read GO. Its messages are received after
	 * this error. A transient error must not lose a report, so receiving is repeated.
	 */
	for (int tries = 0; tries < 3 && run->outer.report_fd >= 0;) {
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
		if (report->kind == REPORT_READY && report->value > READY_FOR_MAPS && report->value < READY_KINDS)
			run->ready |= 1u << report->value;
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

/*
 * Opens cgroup.events of the job's v2 group, on which poll(2) reports when the group becomes empty.
 * Returns -1 if the job has no such group.
 */
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

/*
 * Returns true if the job's groups have a process. Reading cgroup.events also requests the next
 * notification of a change.
 */
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

/* Returns true once the cloned process has ended, and reaps it. */
int run_ended(struct run *run)
{
	struct rusage usage = { 0 };

	if (run->ending)
		return 0;
	if (!reap_child(run->outer.pid, run->outer.pidfd, &run->own_status, &usage)) {
		if (!run->outer.outlives || !has_ended(run->outer.pidfd))
			return 0;
		/* an adopted process whose parent is another process */
		run->own_status = STATUS_UNKNOWN;
	}
	run->ending = 1;
	/* the job's other processes were sent SIGTERM too, and keep the rest of their time until SIGKILL */
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
 * Gives the terminal back to hutch after the job's end. If ^C or ^\ ended the job, sends the same
 * signal to hutch's own group, so that a script around hutch ends too.
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
 * Runs the remaining outer ops. Returns 0 when all are done. Otherwise returns the milliseconds
 * after which the caller must try again; POLLPRI on run->empty_fd may end the wait earlier.
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
 * Sends the stop signal (SIGTERM by default) to the job's processes at the first call, and SIGKILL
 * at the next. Returns the signal. SIGCONT follows the stop signal, because a stopped process does
 * not handle signals.
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
 * Handles an event of a watched file. Returns false if there was no event. v1 has no
 * memory.oom.group, which kills a whole group at once. hutch therefore kills the job's group in the
 * parallel v2 tree.
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
