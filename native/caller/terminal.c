/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles sessions and terminals; see "Sessions and terminals" in docs/architecture.md. A job
 * without a terminal gets a new session. A job that has the caller's terminal as a stream stays in
 * the caller's session. It gets its own process group, which becomes the foreground group. hutch
 * takes the terminal back when the job stops or ends.
 */
#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "../hutch.h"

#define RESTORED (O_APPEND | O_NONBLOCK)
#define SIGNAL_BIT(sig) (1ull << ((sig) - 1))

static int is_terminal_of_session(int fd)
{
	int session = 0;

	return fd >= 0 && sys(__NR_ioctl, fd, TIOCGSID, &session) == 0 && session > 0 && session == sys(__NR_getsid, 0);
}

static int foreground_group(const struct terminal *t)
{
	int group = 0;

	return sys(__NR_ioctl, t->fd, TIOCGPGRP, &group) == 0 ? group : 0;
}

/* Sets the foreground group. A process in a background group may do this only while SIGTTOU is blocked. */
static void set_foreground_group(const struct terminal *t, int group)
{
	u64 one = SIGNAL_BIT(SIGTTOU), before;

	sys(__NR_rt_sigprocmask, K_SIG_BLOCK, &one, &before, NSIG_BYTES);
	sys(__NR_ioctl, t->fd, TIOCSPGRP, &group);
	sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &before, NULL, NSIG_BYTES);
}

/*
 * Returns true if another hutch of the same pipeline created this group for its job. The parent of
 * such a group's leader is in hutch's group.
 */
static int is_of_pipeline(const struct terminal *t, int group)
{
	int parent = 0;
	u64 started;

	return group > 0 && read_process(group, &parent, &started) && parent > 0 && sys(__NR_getpgid, parent) == t->own_group;
}

/* Runs before the clone: finds the stream that is the terminal, and saves the settings to restore at the end. */
void terminal_open(struct terminal *t, enum session session, const int *streams)
{
	int group;

	*t = (struct terminal){ .fd = -1, .stream = -1 };
	for (int i = 0; i < 3; i++) {
		/*
		 * only streams that keep the caller's descriptor number are restored: others are
		 * closed or reused before the job ends
		 */
		t->flags[i] = session == SESSION_KEPT || streams[i] != i ? -1
			      : (int)sys(__NR_fcntl, streams[i], F_GETFL);
		if (t->stream < 0 && is_terminal_of_session(streams[i]))
			t->stream = i;
	}
	if (t->stream < 0)
		return;
	t->fd = (int)sys(__NR_fcntl, streams[t->stream], F_DUPFD_CLOEXEC, 3);
	if (t->fd < 0)
		return;
	t->own_group = (int)sys(__NR_getpgid, 0);
	group = foreground_group(t);
	t->had = group == t->own_group || is_of_pipeline(t, group);
	/* a job whose stdin is not the terminal must not take ^C away from the server that started it */
	t->foreground = group == t->own_group && (session == SESSION_OWN || (session == SESSION_OF_LIBRARY && t->stream == 0));
	t->saved = session != SESSION_KEPT && sys(__NR_ioctl, t->fd, TCGETS, t->settings) == 0;
}

/*
 * Puts the child into its session and process group. Runs in the child after its streams are in
 * place. SIGTTOU stays blocked until the command begins.
 */
long terminal_enter(const struct terminal *t, enum session session)
{
	u64 one = SIGNAL_BIT(SIGTTOU);
	long own, err;

	if (session == SESSION_KEPT)
		return 0;
	if (t->stream < 0)
		return sys(__NR_setsid);
	err = sys(__NR_setpgid, 0, 0);
	if (err < 0 || !t->foreground)
		return err;
	sys(__NR_rt_sigprocmask, K_SIG_BLOCK, &one, NULL, NSIG_BYTES);
	own = sys(__NR_getpid);
	/* fails only if the terminal was hung up, so the result is ignored */
	sys(__NR_ioctl, t->stream, TIOCSPGRP, &(int){ (int)own });
	return 0;
}

/*
 * Returns true if hutch may make its own group the foreground group again. The foreground group
 * must be the job's, one that the job created, or one that has ended.
 */
static int may_take(const struct terminal *t, int job, int group)
{
	if (!t->had || group == t->own_group)
		return 0;
	if (group == job)
		return 1;
	return sys(__NR_kill, -group, 0) == -ESRCH || (!t->left && !is_of_pipeline(t, group));
}

static int is_equal(const u8 *one, const u8 *other, size_t length)
{
	while (length && *one == *other) {
		one++;
		other++;
		length--;
	}
	return length == 0;
}

/*
 * Restores the settings of the terminal, the foreground group and the flags of the caller's streams
 * after the job's end. Returns true if the job was in the foreground.
 */
int terminal_restore(struct terminal *t, enum session session, int job)
{
	int now, group;
	/* Node may set O_NONBLOCK on the library's streams at any time, so only O_APPEND is restored there */
	int which = session == SESSION_OF_LIBRARY ? O_APPEND : RESTORED;

	for (int i = 0; i < 3; i++) {
		now = t->flags[i] < 0 ? -1 : (int)sys(__NR_fcntl, i, F_GETFL);
		if (now >= 0 && (now ^ t->flags[i]) & which)
			sys(__NR_fcntl, i, F_SETFL, (now & ~which) | (t->flags[i] & which));
	}
	if (t->fd < 0)
		return 0;
	group = foreground_group(t);
	if (may_take(t, job, group))
		set_foreground_group(t, t->own_group);
	if (t->saved && t->had && foreground_group(t) == t->own_group) {
		u8 settings[sizeof t->settings];
		u64 one = SIGNAL_BIT(SIGTTOU), before;

		if (sys(__NR_ioctl, t->fd, TCGETS, settings) == 0 && !is_equal(settings, t->settings, sizeof settings)) {
			sys(__NR_rt_sigprocmask, K_SIG_BLOCK, &one, &before, NSIG_BYTES);
			sys(__NR_ioctl, t->fd, TCSETS, t->settings);
			sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &before, NULL, NSIG_BYTES);
		}
	}
	sys(__NR_close, t->fd);
	t->fd = -1;
	return group == job;
}

/*
 * Stops hutch itself with the job, as its shell expects. If the user typed ^Z, stops hutch's whole
 * process group, as the terminal would without hutch. Returns when hutch is continued by a signal
 * or at the job's deadline. Returns at once if no shell could continue the group.
 */
static void stop_self(int sig, int whole_group, u64 deadline)
{
	struct kernel_sigaction by_default = { 0 }, ignored = { .handler = SIG_IGN }, handler;
	struct { long value; int signal, notify, pad[12]; } event = { .signal = SIGCONT };
	struct { long long s, ns; } when[2] = { { 0, 0 }, { (long long)(deadline / 1000), (long long)(deadline % 1000) * 1000000 } };
	u64 one = SIGNAL_BIT(sig), before;
	int timer = -1;

	if (deadline && sys(__NR_timer_create, K_CLOCK_MONOTONIC, &event, &timer) == 0)
		sys(__NR_timer_settime, timer, K_TIMER_ABSTIME, when, NULL);
	/*
	 * stop the rest of the group first, then this process once: a second signal would stop it
	 * again after SIGCONT
	 */
	sys(__NR_rt_sigaction, sig, &ignored, &handler, NSIG_BYTES);
	if (whole_group)
		sys(__NR_kill, 0, sig);
	sys(__NR_rt_sigaction, sig, &by_default, NULL, NSIG_BYTES);
	sys(__NR_tgkill, sys(__NR_getpid), sys(__NR_gettid), sig);
	sys(__NR_rt_sigprocmask, 1 /* SIG_UNBLOCK */, &one, &before, NSIG_BYTES);
	sys(__NR_rt_sigprocmask, K_SIG_SETMASK, &before, NULL, NSIG_BYTES);
	sys(__NR_rt_sigaction, sig, &handler, NULL, NSIG_BYTES);
	if (timer >= 0)
		sys(__NR_timer_delete, timer);
}

/*
 * Stops hutch after the job was stopped by `sig`, and continues the job when hutch is continued.
 * typed: the terminal sent the signal. If the job stopped because it needs the terminal, and
 * hutch's group has it, the job gets the terminal instead.
 */
void run_stopped(struct run *run, int sig, int typed)
{
	struct outer *o = &run->outer;
	struct terminal *t = &o->terminal;
	int group, wants = sig == SIGTTIN || sig == SIGTTOU;

	if (t->fd < 0 || !t->had || run->ending)
		return;
	group = foreground_group(t);
	if (wants && is_of_pipeline(t, group) && group != o->pid)
		group = t->own_group;
	if (!wants || group != t->own_group) {
		if (group == o->pid)
			set_foreground_group(t, t->own_group);
		if (o->cpu_ms)
			outer_signal(o, SIGSTOP);
		stop_self(wants ? sig : SIGTSTP, typed, run->deadline);
		group = foreground_group(t);
		t->left |= group != t->own_group;
	}
	if (group == t->own_group) {
		t->foreground = 1;
		t->left = 0;
		set_foreground_group(t, o->pid);
	}
	sys(__NR_kill, -o->pid, SIGCONT);
	if (o->cpu_ms)
		outer_signal(o, SIGCONT);
}

static int is_there(int pidfd)
{
	return sys(__NR_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
}

/*
 * Sends a signal that the terminal sent to the job's whole process group. PID 1 of a pid namespace
 * forwards it to the group inside. Without the code TYPED_CODE, PID 1 would forward it only to the
 * command.
 */
void signal_job_group(int pidfd, int group, int reaps, int sig)
{
	struct kernel_siginfo info = { .signo = sig, .code = TYPED_CODE };

	if (reaps)
		sys(__NR_pidfd_send_signal, pidfd, sig, &info, 0);
	else if (is_there(pidfd))
		sys(__NR_kill, -group, sig);
}

/*
 * Returns true if a signal with this si_code reached this process alone. The terminal signals its
 * whole foreground process group, but when it hangs up, only the leader of its session.
 */
int reached_alone(int sig, int code)
{
	return code != K_SI_KERNEL || (sig == SIGHUP && sys(__NR_getsid, 0) == sys(__NR_getpid));
}

/*
 * Stops a job that has no terminal when the user stops hutch by ^Z, and continues the job with
 * hutch. Uses SIGSTOP, because the kernel ignores SIGTSTP in a session without a shell.
 */
void stop_with_job(int pidfd, int group)
{
	if (!is_there(pidfd))
		return;
	sys(__NR_kill, -group, SIGSTOP);
	stop_self(SIGTSTP, 0, 0);
	if (is_there(pidfd))
		sys(__NR_kill, -group, SIGCONT);
}
