/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwards signals that the CLI receives to its command. How to forward a signal depends on its
 * sender, which Node's handlers do not report. The terminal (SI_KERNEL) signals the whole
 * foreground group. A job in hutch's group has then already received the signal. For a job in its
 * own group, hutch signals that whole group. A signal that reached hutch alone is for the command.
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
static volatile unsigned int seen;	/* bit n is set if signal n was received */
static volatile unsigned int held, held_typed;	/* signals kept for a later job; held_typed: from the terminal */
static struct { pid_t group; int reaps, has_terminal; } own;	/* process group of the job, 0 if it is hutch's */

static void forward(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen |= 1u << sig;
	if (target < 0)
		*(reached_alone(sig, info->si_code) ? &held : &held_typed) |= 1u << sig;
	else if (reached_alone(sig, info->si_code))
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
	else if (own.group)
		signal_job_group(target, own.group, own.reaps, sig);
}

/* Keeps the signals that arrive before the job exists. forward_signals() then sends them to the job. */
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

/* Sets up job control (^Z and its continuation) for a job in its own process group. */
static void control_job(void)
{
	struct sigaction stops = { .sa_sigaction = stop, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction goes_on = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t one;

	sigaction(SIGTSTP, &stops, NULL);
	sigaction(SIGCONT, &goes_on, NULL);
	/* block SIGTTOU: a job could set TOSTOP on the terminal, and hutch would stop when it writes there */
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
 * Ends this process by a signal, so that its parent reads the same wait status as that of the
 * command. Prevents a core file, which would be a dump of Node.
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

/* Makes this process end when its parent ends. Ends it now if the parent has already ended. */
void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		kill(getpid(), SIGKILL);
}

/* Stops forwarding. The signal handlers stay installed, so a signal cannot end hutch while it prints its verdict. */
u32 forward_nothing(void)
{
	int before = __atomic_exchange_n(&target, -1, __ATOMIC_SEQ_CST);

	if (before >= 0)
		close(before);
	return seen;
}
