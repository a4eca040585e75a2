// SPDX-License-Identifier: Apache-2.0
/*
 * The floor: clone, exec and wait with nothing around. `floor PROGRAM` starts
 * it once for each line on stdin and answers with the microseconds it took.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char stack[65536] __attribute__((aligned(16)));

static int child(void *program)
{
	char *const argv[] = { program, NULL }, *const env[] = { NULL };

	execve(program, argv, env);
	_exit(127);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	char line[16];

	while (argc == 2 && fgets(line, sizeof line, stdin)) {
		double before = now();
		int status, pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, argv[1]);

		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
		printf("%.1f\n", now() - before);
		fflush(stdout);
	}
	return 0;
}
