// SPDX-License-Identifier: Apache-2.0
// Makes system calls that a filter refuses. Each word is one thing to do; what a call returned is printed as its errno, or 0.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void handle(int sig)
{
	(void)sig;
}

static void *refused(void *times)
{
	for (long i = 0; i < (long)times; i++)
		if (unshare(CLONE_NEWNS) == 0 || errno != EPERM)
			abort();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "mount"))
			printf("%d", mount("none", "/tm\033p", "tmpfs", MS_NOSUID | MS_NODEV, NULL) ? errno : 0);
		if (!strcmp(argv[i], "bad"))
			printf("%d", syscall(SYS_mount, 1, 2, 3, 0, 0) ? errno : 0);
		if (!strcmp(argv[i], "kinds"))
			for (int k = 0; k < 1000; k++)
				unshare(k << 8);
		if (!strcmp(argv[i], "socket"))
			printf("%d", socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? errno : 0);
		if (!strcmp(argv[i], "flood"))
			refused((void *)20000);
		if (!strcmp(argv[i], "ignore"))
			signal(SIGSYS, SIG_IGN);
		if (!strcmp(argv[i], "forge")) {
			signal(SIGSYS, handle);
			prctl(PR_SET_NAME, "SigCgt:0");
		}
		if (!strcmp(argv[i], "unshare"))
			printf("%d", unshare(CLONE_NEWNS) ? errno : 0);
		for (int t = 0; t < 4 && !strcmp(argv[i], "threads"); t++)
			pthread_create(&threads[t], NULL, refused, (void *)100);
		for (int t = 0; t < 4 && !strcmp(argv[i], "threads"); t++)
			pthread_join(threads[t], NULL);
		for (int c = 0; c < 20 && !strcmp(argv[i], "children"); c++)
			if (fork() == 0) {
				refused((void *)10);
				_exit(0);
			}
		while (!strcmp(argv[i], "children") && wait(NULL) > 0)
			;
	}
	return 0;
}
