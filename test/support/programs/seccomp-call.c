// SPDX-License-Identifier: Apache-2.0
// Makes one system call: its number and its arguments are the words. Prints its errno, or 0.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long a[7] = { 0 };

	for (int i = 1; i < argc && i < 8; i++)
		a[i - 1] = (long)strtoull(argv[i], NULL, 0);
	printf("%d", syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]) < 0 ? errno : 0);
	return 0;
}
