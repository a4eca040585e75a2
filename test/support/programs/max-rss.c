/* SPDX-License-Identifier: Apache-2.0 */
/* Executes a command, and prints its peak memory in KiB. A small parent: memory before an exec counts, too. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage usage;
	int status = 1;
	pid_t pid = argc > 1 ? fork() : -1;

	if (pid == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0 || status != 0)
		return 1;
	printf("%ld\n", usage.ru_maxrss);
	return 0;
}
