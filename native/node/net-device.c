/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves a network device into the network namespace of a process by rtnetlink(7): linux.netDevices
 * of a container. The device keeps its permanent global addresses, which the kernel removes at a
 * move, and is up afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"

#define MAX_ADDRESSES 256
#define ADDRESS_BYTES 16
#define MAX_NAMES 4096	/* numbers that are tried for a name such as eth%d */

/* What was refused, as in src/oci/lifecycle/net-devices.ts. */
enum stage { STAGE_FIND = 1, STAGE_NAMESPACE, STAGE_ADDRESSES, STAGE_NAME, STAGE_MOVE, STAGE_ADD, STAGE_UP };

/* An attribute of an address: its length is 0 if it is missing. */
struct part {
	unsigned char bytes[ADDRESS_BYTES];
	size_t length;
};

struct address {
	struct ifaddrmsg head;
	struct part local, address, broadcast;
};

struct addresses {
	int index;
	unsigned int count;
	struct address list[MAX_ADDRESSES];
};

struct request {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
	};
	char attributes[256];
};

static int in_stage(enum stage stage, int err)
{
	return err < 0 ? err - (int)stage * STEP_PART : err;
}

static struct request make_request(int type, int flags, size_t body)
{
	struct request r = { .head = { .nlmsg_type = (unsigned short)type, .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags) } };

	r.head.nlmsg_len = (unsigned int)NLMSG_LENGTH(body);
	return r;
}

static void add_attribute(struct request *r, int type, const void *data, size_t length)
{
	struct rtattr *at = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	at->rta_type = (unsigned short)type;
	at->rta_len = (unsigned short)RTA_LENGTH(length);
	memcpy(RTA_DATA(at), data, length);
	r->head.nlmsg_len = (unsigned int)(NLMSG_ALIGN(r->head.nlmsg_len) + RTA_ALIGN(at->rta_len));
}

/* Sends a request, and passes each message of the answer on. Returns 0, or -errno of the kernel. */
static int ask(int fd, const struct request *r, int (*take)(const struct nlmsghdr *message, void *context), void *context)
{
	static char answer[1 << 16];	/* only the thread of JavaScript uses it */
	const struct nlmsghdr *message;
	ssize_t got;
	size_t left;
	int err = 0;

	if (send(fd, r, r->head.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		got = recv(fd, answer, sizeof answer, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		left = (size_t)got;
		for (message = (struct nlmsghdr *)answer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return err;
			if (message->nlmsg_type == NLMSG_ERROR)
				return err ? err : ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
			if (!err && take)
				err = take(message, context);
		}
	}
}

static int take_index(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWLINK)
		*(int *)context = ((const struct ifinfomsg *)NLMSG_DATA(message))->ifi_index;
	return 0;
}

/* Returns the index of a device, or -ENODEV. */
static int find_device(int fd, const char *name)
{
	struct request r = make_request(RTM_GETLINK, NLM_F_ACK, sizeof r.link);
	int index = -ENODEV, err;

	add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	err = ask(fd, &r, take_index, &index);
	return err ? err : index;
}

static void take_part(struct part *part, const struct rtattr *at)
{
	if (RTA_PAYLOAD(at) > sizeof part->bytes)
		return;
	part->length = RTA_PAYLOAD(at);
	memcpy(part->bytes, RTA_DATA(at), part->length);
}

/* Keeps a permanent global address: others belong to the network that the device leaves. */
static int take_address(const struct nlmsghdr *message, void *context)
{
	const struct ifaddrmsg *head = NLMSG_DATA(message);
	struct addresses *all = context;
	struct address found = { 0 };
	const struct rtattr *at = IFA_RTA(head);
	int left = (int)IFA_PAYLOAD(message);

	if (message->nlmsg_type != RTM_NEWADDR || (int)head->ifa_index != all->index ||
	    head->ifa_scope != RT_SCOPE_UNIVERSE || !(head->ifa_flags & IFA_F_PERMANENT))
		return 0;
	if (all->count == MAX_ADDRESSES)
		return -E2BIG;
	found.head = *head;
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == IFA_LOCAL)
			take_part(&found.local, at);
		else if (at->rta_type == IFA_ADDRESS)
			take_part(&found.address, at);
		else if (at->rta_type == IFA_BROADCAST)
			take_part(&found.broadcast, at);
	}
	all->list[all->count++] = found;
	return 0;
}

static int read_addresses(int fd, struct addresses *all)
{
	struct request r = make_request(RTM_GETADDR, NLM_F_DUMP, sizeof r.address);

	return ask(fd, &r, take_address, all);
}

static int add_address(int fd, int index, const struct address *one)
{
	struct request r = make_request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof r.address);

	r.address = one->head;
	r.address.ifa_index = (unsigned int)index;
	r.address.ifa_flags = 0;
	if (one->local.length)
		add_attribute(&r, IFA_LOCAL, one->local.bytes, one->local.length);
	if (one->address.length)
		add_attribute(&r, IFA_ADDRESS, one->address.bytes, one->address.length);
	if (one->broadcast.length)
		add_attribute(&r, IFA_BROADCAST, one->broadcast.bytes, one->broadcast.length);
	return ask(fd, &r, NULL, NULL);
}

static int set_up(int fd, int index)
{
	struct request r = make_request(RTM_NEWLINK, NLM_F_ACK, sizeof r.link);

	r.link.ifi_index = index;
	r.link.ifi_change = IFF_UP;
	r.link.ifi_flags = IFF_UP;
	return ask(fd, &r, NULL, NULL);
}

static int move(int fd, int index, int network, const char *name)
{
	struct request r = make_request(RTM_NEWLINK, NLM_F_ACK, sizeof r.link);

	r.link.ifi_index = index;
	add_attribute(&r, IFLA_NET_NS_FD, &network, sizeof network);
	add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(fd, &r, NULL, NULL);
}

static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* Opens a socket that belongs to another network namespace. This thread is in that namespace only meanwhile. */
static int open_netlink_in(int network)
{
	int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	if (own < 0)
		return -errno;
	if (setns(network, CLONE_NEWNET) < 0) {
		fd = -errno;
	} else {
		fd = open_netlink();
		/* in the wrong namespace, everything later would go wrong */
		if (setns(own, CLONE_NEWNET) < 0)
			abort();
	}
	close(own);
	return fd;
}

/*
 * Replaces the %d of a name by the lowest number that is free in the new namespace. A name without
 * %d must be free: the kernel would move the device before it refuses the name.
 */
static int choose_name(int inside, const char *pattern, char name[IFNAMSIZ])
{
	const char *number = strstr(pattern, "%d");

	if (!number) {
		int index;

		if (snprintf(name, IFNAMSIZ, "%s", pattern) >= IFNAMSIZ)
			return -ENAMETOOLONG;
		index = find_device(inside, name);
		return index == -ENODEV ? 0 : index < 0 ? index : -EEXIST;
	}
	for (int i = 0; i < MAX_NAMES; i++) {
		int index;

		if (snprintf(name, IFNAMSIZ, "%.*s%d%s", (int)(number - pattern), pattern, i, number + 2) >= IFNAMSIZ)
			return -ENAMETOOLONG;
		index = find_device(inside, name);
		if (index < 0)
			return index == -ENODEV ? 0 : index;
	}
	return -ENFILE;
}

static int move_between(int outside, int inside, int network, const char *device, const char *pattern)
{
	static struct addresses all;	/* only the thread of JavaScript uses it */
	char name[IFNAMSIZ];
	int index, err;

	all.count = 0;
	all.index = find_device(outside, device);
	if (all.index < 0)
		return in_stage(STAGE_FIND, all.index);
	err = in_stage(STAGE_ADDRESSES, read_addresses(outside, &all));
	if (!err)
		err = in_stage(STAGE_NAME, choose_name(inside, pattern, name));
	/* the kernel sets the device down when it moves it; one that may not move, such as lo, must stay as it is */
	if (!err)
		err = in_stage(STAGE_MOVE, move(outside, all.index, network, name));
	if (err)
		return err;
	index = find_device(inside, name);
	if (index < 0)
		return in_stage(STAGE_MOVE, index);
	for (unsigned int i = 0; !err && i < all.count; i++)
		err = in_stage(STAGE_ADD, add_address(inside, index, &all.list[i]));
	return err ? err : in_stage(STAGE_UP, set_up(inside, index));
}

/*
 * moveDevice(device, pid, name): moves a network device into the network namespace of a process,
 * under a name that may contain %d. Returns 0, or -(errno + stage * STEP_PART)
 */
static napi_value export_move_device(napi_env env, napi_callback_info info)
{
	char device[IFNAMSIZ], pattern[IFNAMSIZ], path[64];
	int pid, network, outside, inside, err = read_arguments(env, info, "sis", device, sizeof device, &pid, pattern, sizeof pattern);

	if (err)
		return to_number(env, err);
	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	network = open(path, O_RDONLY | O_CLOEXEC);
	if (network < 0)
		return to_number(env, in_stage(STAGE_NAMESPACE, -errno));
	outside = open_netlink();
	inside = open_netlink_in(network);
	if (outside < 0 || inside < 0)
		err = in_stage(STAGE_NAMESPACE, outside < 0 ? outside : inside);
	else
		err = move_between(outside, inside, network, device, pattern);
	if (outside >= 0)
		close(outside);
	if (inside >= 0)
		close(inside);
	close(network);
	return to_number(env, err);
}

void add_net_device(napi_env env, napi_value exports)
{
	static const struct exported list[] = { { "moveDevice", export_move_device } };

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
