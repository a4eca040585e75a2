/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that the CLI gets go to its command. Node's own handlers do not tell
 * who sent one, and that decides. A signal of the terminal (SI_KERNEL) goes to
 * the whole foreground group: a job in hutch's group has had it already, and
 * to a job in a group of its own it is passed on as to a group.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "job.h"

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH };
static volatile sig_atomic_t target = -1;
static volatile unsigned int seen;	/* bit n: signal n came */
static volatile unsigned int held, held_typed;	/* those that came before there was a job; of these, the terminal's */
static struct sigaction before_job[2];	/* of SIGTSTP and SIGCONT */
static struct { pid_t group; int reaps, has_terminal; } own;	/* the job's process group, 0: hutch's */

/* Until there is a job. Those of the terminal are kept apart: they are meant for a whole group. */
static void hold(int sig, const siginfo_t *info)
{
	__atomic_fetch_or(info->si_code == SI_KERNEL ? &held_typed : &held, 1u << sig, __ATOMIC_SEQ_CST);
}

static void forward(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen |= 1u << sig;
	if (target < 0)
		hold(sig, info);
	else if (info->si_code != SI_KERNEL)
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
	else if (own.group)
		signal_job_group(target, own.group, own.reaps, sig);
}

static void stop_job(int job, int typed)
{
	if (!typed)
		sys(__NR_pidfd_send_signal, job, SIGTSTP, NULL, 0);
	else if (own.has_terminal)
		signal_job_group(job, own.group, own.reaps, SIGTSTP);
	else
		stop_with_job(job, own.group);
}

static void stop(int sig, siginfo_t *info, void *context)
{
	int job = target;

	(void)context;
	if (job < 0)
		hold(sig, info);
	else
		stop_job(job, info->si_code == SI_KERNEL);
}

/* SIGCONT ends a stop that is still to come, as the kernel does with its own. */
static void pass_on(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (target >= 0) {
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
		return;
	}
	__atomic_fetch_and(&held, ~(1u << SIGTSTP), __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&held_typed, ~(1u << SIGTSTP), __ATOMIC_SEQ_CST);
}

/* From before the start: a signal in between waits for the job. */
int hold_signals(void)
{
	struct sigaction action = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction stops = { .sa_sigaction = stop, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction goes_on = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };

	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		if (sigaction(forwarded[i], &action, NULL) < 0)
			return -errno;
	return sigaction(SIGTSTP, &stops, &before_job[0]) < 0 || sigaction(SIGCONT, &goes_on, &before_job[1]) < 0 ? -errno : 0;
}

/* Where job control is hutch's own business: the job is in a group of its own. */
static void control_job(void)
{
	sigset_t one;

	/* else a job could stop hutch by a setting of the terminal (TOSTOP) as soon as hutch writes to it */
	sigemptyset(&one);
	sigaddset(&one, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &one, NULL);
}

/* A job in hutch's group is stopped and continued with hutch. A stop in between is made up for; SIG_IGN, as a caller may have set it, discards it. */
static void leave_job_control(unsigned int waiting)
{
	sigaction(SIGTSTP, &before_job[0], NULL);
	sigaction(SIGCONT, &before_job[1], NULL);
	if (waiting & 1u << SIGTSTP)
		kill(getpid(), SIGTSTP);
}

void forward_signals(int pidfd, const struct outer *outer)
{
	unsigned int waiting, typed;
	int before;

	if (outer->session != SESSION_KEPT) {
		own.reaps = (int)outer->reaps;
		own.has_terminal = outer->terminal.stream >= 0;
		own.group = outer->pid;
		control_job();
	}
	before = __atomic_exchange_n(&target, pidfd, __ATOMIC_SEQ_CST);
	if (before >= 0)
		close(before);
	waiting = __atomic_exchange_n(&held, 0, __ATOMIC_SEQ_CST);
	typed = __atomic_exchange_n(&held_typed, 0, __ATOMIC_SEQ_CST);
	if (!own.group)
		leave_job_control(waiting | typed);
	else if (typed & 1u << SIGTSTP)
		stop_job(pidfd, 1);
	else if (waiting & 1u << SIGTSTP)
		stop_job(pidfd, 0);
	waiting |= own.group ? typed : 0;
	waiting &= ~(1u << SIGTSTP);
	for (int sig = 1; sig < 32; sig++)
		if (waiting & 1u << sig)
			sys(__NR_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/* Whoever waits for this process reads the same from its end as from the command's. No core: it would be Node's. */
void die_by(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct rlimit none = { 0, 0 };
	sigset_t one;

	setrlimit(RLIMIT_CORE, &none);
	sigaction(sig, &action, NULL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	kill(getpid(), sig);
}

/* From here on this process ends when its parent does; that may have happened before. */
void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		kill(getpid(), SIGKILL);
}

/* The handlers stay: a signal that comes while hutch prints its verdict must not cut that off. */
u32 forward_nothing(void)
{
	int before = __atomic_exchange_n(&target, -1, __ATOMIC_SEQ_CST);

	if (before >= 0)
		close(before);
	return seen;
}
