// SPDX-License-Identifier: Apache-2.0
// Listens on a socket as agents of runtimes do. Prints each text that comes with a descriptor. Of a pidfd, prints the process. As the listener
// of a filter, lets each call fail with EMEDIUMTYPE, and prints the call's number.
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive(int connection)
{
	static char text[131072], control[CMSG_SPACE(sizeof(int))];
	struct iovec piece = { text, sizeof text };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t got = recvmsg(connection, &message, 0);
	char more;
	int fd;

	if (got <= 0 || !CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	printf("%.*s\n", (int)got, text);
	/* nothing follows the one message */
	puts(read(connection, &more, 1) == 0 ? "end" : "more");
	return fd;
}

/* Prints the line "Pid:" of a pidfd. */
static void print_process(int fd)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, "Pid:", 4) == 0)
			fputs(line, stdout);
	fclose(file);
}

static void answer(int fd)
{
	for (;;) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp response = { 0 };

		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call)) {
			if (errno == EINTR)
				continue;
			break;
		}
		printf("call %d of %d\n", call.data.nr, call.pid);
		fflush(stdout);
		response.id = call.id;
		response.error = -EMEDIUMTYPE;
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), connection, fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
		return 125;
	signal(SIGCHLD, SIG_IGN);
	strcpy(address.sun_path, argv[1]);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 9))
		return 125;
	puts("listens");
	fflush(stdout);
	while ((connection = accept(listener, NULL, NULL)) >= 0) {
		fd = receive(connection);
		close(connection);
		if (fd < 0)
			continue;
		print_process(fd);
		fflush(stdout);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			answer(fd);
			return 0;
		}
		close(fd);
	}
	return 0;
}
