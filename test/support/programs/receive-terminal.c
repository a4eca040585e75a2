// SPDX-License-Identifier: Apache-2.0
// Listens on a console socket as conmon does. Prints the name and the size of the terminal that it receives, and then its output until the end.
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int receive_master(int connection)
{
	char name[64] = "", control[CMSG_SPACE(sizeof(int))];
	struct iovec piece = { name, sizeof name - 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct winsize size = { 0 };
	int master;

	if (recvmsg(connection, &message, 0) <= 0 || !CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&master, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof master);
	ioctl(master, TIOCGWINSZ, &size);
	printf("%s %d %d\n", name, size.ws_row, size.ws_col);
	fflush(stdout);
	return master;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), master;
	char text[4096];
	ssize_t got;

	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
		return 125;
	strcpy(address.sun_path, argv[1]);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
		return 125;
	puts("listens");
	fflush(stdout);
	master = receive_master(accept(listener, NULL, NULL));
	while (master >= 0 && (got = read(master, text, sizeof text)) > 0)
		if (write(1, text, (size_t)got) != got)
			return 125;
	return 0;
}
