/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns N COMMAND ARG... [::: COMMAND ARG...]...: executes the commands in turns, N times each. Prints a line
 * for each command: the medians of wall time and of CPU time in ms, and of peak memory in KiB. With +++ in place
 * of :::, a command always follows the one before it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS 64

static int by_value(const void *one, const void *other)
{
	double difference = *(const double *)one - *(const double *)other;

	return (difference > 0) - (difference < 0);
}

static double ms(struct timeval time)
{
	return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void run(char **command, char **environment, double *figures[3], int at)
{
	struct timespec begun, ended;
	struct rusage usage;
	int status, fd;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	pid = vfork();
	if (pid == 0) {
		fd = open("/dev/null", O_RDWR);
		dup2(fd, 0);
		dup2(fd, 1);
		execvpe(command[0], command, environment);
		_exit(127);
	}
	wait4(pid, &status, 0, &usage);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	if (status != 0) {
		fprintf(stderr, "%s: status %#x\n", command[0], (unsigned int)status);
		exit(1);
	}
	if (at < 0)
		return;
	figures[0][at] = (double)(ended.tv_sec - begun.tv_sec) * 1e3 + (double)(ended.tv_nsec - begun.tv_nsec) / 1e6;
	figures[1][at] = ms(usage.ru_utime) + ms(usage.ru_stime);
	figures[2][at] = (double)usage.ru_maxrss;
}

int main(int argc, char **argv)
{
	static char path[4096], home[4096];
	char *environment[] = { path, home, NULL }, **commands[COMMANDS];
	/* the first command of each turn, and the end of the last one */
	int turns[COMMANDS + 1] = { 0 }, turn_count = 1;
	int runs = atoi(argv[1]), count = 0;
	double *figures[COMMANDS][3];

	snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
	snprintf(home, sizeof home, "HOME=%s", getenv("HOME"));
	commands[count++] = argv + 2;
	for (int i = 2; i < argc && count < COMMANDS; i++)
		if (!strcmp(argv[i], ":::") || !strcmp(argv[i], "+++")) {
			if (argv[i][0] == ':')
				turns[turn_count++] = count;
			argv[i] = NULL;
			commands[count++] = argv + i + 1;
		}
	turns[turn_count] = count;
	for (int i = 0; i < count; i++)
		for (int k = 0; k < 3; k++)
			figures[i][k] = calloc((size_t)runs, sizeof(double));
	for (int round = -2; round < runs; round++)
		for (int i = 0; i < turn_count; i++) {
			int turn = (i + (round < 0 ? 0 : round)) % turn_count;

			for (int k = turns[turn]; k < turns[turn + 1]; k++)
				run(commands[k], environment, figures[k], round);
		}
	for (int i = 0; i < count; i++) {
		for (int k = 0; k < 3; k++)
			qsort(figures[i][k], (size_t)runs, sizeof(double), by_value);
		printf("%.2f %.2f %.0f\n", figures[i][0][runs / 2], figures[i][1][runs / 2], figures[i][2][runs / 2]);
	}
	return 0;
}
