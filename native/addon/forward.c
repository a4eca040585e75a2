/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that the CLI gets go to its command. Node's own handlers do not tell
 * who sent one, and that decides: what the terminal sends (SI_KERNEL) went to
 * the whole foreground group, so the command has had it already.
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
static volatile unsigned int held;	/* those that came before there was a job */

static void forward(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen |= 1u << sig;
	if (info->si_code == SI_KERNEL)
		return;
	if (target >= 0)
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
	else
		held |= 1u << sig;
}

/* From before the start: a signal in between waits for the job. */
int hold_signals(void)
{
	struct sigaction action = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };

	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		if (sigaction(forwarded[i], &action, NULL) < 0)
			return -errno;
	return 0;
}

void forward_signals(int pidfd)
{
	unsigned int waiting;
	int before = __atomic_exchange_n(&target, pidfd, __ATOMIC_SEQ_CST);

	if (before >= 0)
		close(before);
	waiting = __atomic_exchange_n(&held, 0, __ATOMIC_SEQ_CST);
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
