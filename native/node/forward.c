/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwards the CLI's signals to its command. The sender of a signal decides how, and Node's
 * handlers do not report the sender. The terminal (SI_KERNEL) signals the whole foreground group. A
 * job in hutch's group has received such a signal already. A job in its own group gets it as a
 * group.
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
static volatile unsigned int seen;	/* bit n: signal n was received */
static volatile unsigned int held, held_typed;	/* received before the job existed; held_typed: from the terminal */
static struct { pid_t group; int reaps, has_terminal; } own;	/* the job's process group, 0: hutch's */

static void forward(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen |= 1u << sig;
	if (target < 0)
		*(info->si_code == SI_KERNEL ? &held_typed : &held) |= 1u << sig;
	else if (info->si_code != SI_KERNEL)
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
	else if (own.group)
		signal_job_group(target, own.group, own.reaps, sig);
}

/* Holds signals from before the start: an early signal waits for the job. */
int hold_signals(void)
{
	struct sigaction action = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };

	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		if (sigaction(forwarded[i], &action, NULL) < 0)
			return -errno;
	return 0;
}

static void stop(int sig, siginfo_t *info, void *context)
{
	int job = target;

	(void)context;
	if (job < 0)
		return;
	if (info->si_code != SI_KERNEL)
		sys(__NR_pidfd_send_signal, job, sig, NULL, 0);
	else if (own.has_terminal)
		signal_job_group(job, own.group, own.reaps, sig);
	else
		stop_with_job(job, own.group);
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (target >= 0)
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
}

/* Handles job control: called if the job is in its own group. */
static void control_job(void)
{
	struct sigaction stops = { .sa_sigaction = stop, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction goes_on = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t one;

	sigaction(SIGTSTP, &stops, NULL);
	sigaction(SIGCONT, &goes_on, NULL);
	/* otherwise a job could set TOSTOP on the terminal, and hutch would stop when it writes there */
	sigemptyset(&one);
	sigaddset(&one, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &one, NULL);
}

void forward_signals(int pidfd, const struct outer *outer)
{
	unsigned int waiting;
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
	waiting |= own.group ? __atomic_exchange_n(&held_typed, 0, __ATOMIC_SEQ_CST) : 0;
	for (int sig = 1; sig < 32; sig++)
		if (waiting & 1u << sig)
			sys(__NR_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/*
 * Ends this process by a signal, so that its parent reads the same wait status as the command's.
 * Without a core file, which would be Node's.
 */
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

/* Ends this process when its parent ends, or now if the parent has ended. */
void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		kill(getpid(), SIGKILL);
}

/* Ends forwarding. The handlers stay: a signal must not interrupt hutch while it prints its verdict. */
u32 forward_nothing(void)
{
	int before = __atomic_exchange_n(&target, -1, __ATOMIC_SEQ_CST);

	if (before >= 0)
		close(before);
	return seen;
}
