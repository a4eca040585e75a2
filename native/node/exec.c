/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces this process by another program, which Node cannot do: joins groups, then calls exec.
 * The command keeps the pid, signals, terminal and exit status of this process. No JavaScript runs
 * after the first join, because the group's limits may be too small for Node.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "job.h"

/* Joins a group by writing "0", which moves the writing process with all its threads. */
static int join(const char *procs)
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, "0", 1) != 1)
		err = -errno;
	close(fd);
	return err;
}

/*
 * Undoes Node's changes of process state: resets SIGPIPE and SIGXFSZ, which Node ignores, and
 * clears close-on-exec of the standard streams. Node does not change the signal mask, and the exec
 * resets handlers.
 */
static void restore(void)
{
	static const int ignored[] = { SIGPIPE, SIGXFSZ };
	struct sigaction action = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		sigaction(ignored[i], &action, NULL);
	for (int fd = 0; fd <= 2; fd++)
		fcntl(fd, F_SETFD, 0);
}

/* Restores the soft limit of open files, which Node raised to the maximum. */
static void restore_open_files(double soft)
{
	struct rlimit limit;

	if (soft > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 && soft < (double)limit.rlim_cur) {
		limit.rlim_cur = (rlim_t)soft;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * exec(procs, argv, count, openFiles): joins the groups of the files procs, then executes argv.
 * Both lists are NUL-separated; argv has count words, which may be empty. Returns only on failure:
 * [index in procs, or -1 if exec failed, errno]
 */
napi_value export_exec(napi_env env, napi_callback_info info)
{
	char *words[2] = { NULL, NULL };
	const char **command = NULL;
	double open_files = 0;
	int failed = -1, err = -ENOMEM, step = 0;
	u32 words_count = 0, at = 0;

	if (read_arguments(env, info, "wwud", &words[0], &words[1], &words_count, &open_files))
		words_count = 0;
	command = calloc(words_count + 1, sizeof *command);
	if (words[0] && words[1] && command && words_count > 0) {
		for (const char *w = words[1]; at < words_count; w = next_string(w))
			command[at++] = w;
		err = 0;
		for (const char *p = words[0]; !err && *p; p = next_string(p), step++) {
			err = join(p);
			if (err)
				failed = step;
		}
		if (!err) {
			restore();
			restore_open_files(open_files);
			execvp(command[0], (char *const *)command);
			err = -errno;
		}
	}
	free(words[0]);
	free(words[1]);
	free(command);
	return to_numbers(env, (int[]){ failed, -err }, 2);
}
