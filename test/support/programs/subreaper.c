// SPDX-License-Identifier: Apache-2.0
// Runs a program as a subreaper, as conmon and containerd's shim run a runtime. Prints the program's process id, and the process id and the wait
// status of each process that becomes its child and ends, until none is left.
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int pid, status;

	if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		return 125;
	pid = fork();
	if (pid == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	printf("{\"started\":%d}\n", pid);
	fflush(stdout);
	while ((pid = wait(&status)) > 0) {
		printf("{\"reaped\":%d,\"status\":%d}\n", pid, status);
		fflush(stdout);
	}
	return 0;
}
