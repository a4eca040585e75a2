/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that the CLI gets go to its command. Node's own handlers do not tell
 * who sent one, and that decides: what the terminal sends (SI_KERNEL) went to
 * the whole foreground group, so the command has had it already.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "job.h"

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH };
static volatile sig_atomic_t target = -1;
static volatile unsigned int seen;	/* bit n: signal n came */

static void forward(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen |= 1u << sig;
	if (target >= 0 && info->si_code != SI_KERNEL)
		sys(__NR_pidfd_send_signal, target, sig, NULL, 0);
}

int forward_signals(int pidfd)
{
	struct sigaction action = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };

	seen = 0;
	target = pidfd;
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		if (sigaction(forwarded[i], &action, NULL) < 0)
			return -errno;
	return 0;
}

/* The handlers stay: a signal that comes while hutch prints its verdict must not cut that off. */
u32 forward_nothing(void)
{
	target = -1;
	return seen;
}
