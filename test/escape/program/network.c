// SPDX-License-Identifier: Apache-2.0
/* Sockets and terminals: what reaches others without a file. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attempt.h"

static int try_packet(char **arguments)
{
	(void)arguments;
	return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? -1 : 0;
}

static int try_raw(char **arguments)
{
	(void)arguments;
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 ? -1 : 0;
}

static int try_vsock(char **arguments)
{
	(void)arguments;
	return probe(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
}

/* A local socket of the host that has a name and no file. */
static int try_abstract(char **arguments)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(arguments[0]));

	snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "%s", arguments[0]);
	return connect(fd, (struct sockaddr *)&to, length);
}

/* Not an attempt: what the one above looks for, until it is killed. */
static int listen_abstract(char **arguments)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(arguments[0]));

	snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "%s", arguments[0]);
	if (bind(fd, (struct sockaddr *)&at, length) || listen(fd, 8))
		return -1;
	puts("listening");
	return pause();
}

/* A service that listens on the host's loopback. */
static int try_loopback(char **arguments)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[0])) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&to, sizeof to);
}

/* An interface that does not exist is taken away: past the right that is ENODEV. */
static int try_link_away(char **arguments)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} ask = { { sizeof ask, RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 }, { .ifi_index = 0x7fffff } };
	char answer[4096];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	(void)arguments;
	if (fd < 0 || send(fd, &ask, sizeof ask, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 0)
		return -1;
	errno = -((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error;
	return probe(errno ? -1 : 0, ENODEV);
}

/* An interface of the host, by its name. */
static int try_interface(char **arguments)
{
	return if_nametoindex(arguments[0]) ? 0 : -1;
}

/* A letter is typed into the terminal from which this was started. */
static int try_type(char **arguments)
{
	int fd = open("/dev/tty", O_RDWR);

	(void)arguments;
	if (fd < 0)
		return -1;
	return ioctl(fd, TIOCSTI, "x");
}

const struct attempt network_attempts[] = {
	{ "packet", try_packet },
	{ "raw", try_raw },
	{ "vsock", try_vsock },
	{ "abstract", try_abstract },
	{ "listen-abstract", listen_abstract },
	{ "loopback", try_loopback },
	{ "link-away", try_link_away },
	{ "interface", try_interface },
	{ "type", try_type },
	{ 0 },
};
