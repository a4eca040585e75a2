/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries a namespace through its descriptor by ioctl_ns(2). For a network namespace, also its id
 * in this process's network namespace (RTM_GETNSID of rtnetlink(7)). Called by
 * src/host/namespaces.ts.
 */
#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "job.h"

/*
 * namespaceLink(fd, which): returns the parent namespace (which: 0) or the owning user namespace
 * (1) as a close-on-exec descriptor, or -errno
 */
static napi_value export_link(napi_env env, napi_callback_info info)
{
	int values[2], fd, err = read_arguments(env, info, "ii", &values[0], &values[1]);

	if (err)
		return to_number(env, err);
	fd = ioctl(values[0], values[1] ? NS_GET_USERNS : NS_GET_PARENT);
	return to_number(env, fd < 0 ? -errno : fd);
}

/*
 * namespaceOwner(fd): returns the uid of a user namespace's creator, as mapped in this process's
 * user namespace, or -errno
 */
static napi_value export_owner(napi_env env, napi_callback_info info)
{
	int fd, err = read_arguments(env, info, "i", &fd);
	uid_t uid;

	if (!err && ioctl(fd, NS_GET_OWNER_UID, &uid) < 0)
		err = -errno;
	return to_number(env, err ? err : (double)uid);
}

struct request {
	struct nlmsghdr head;
	struct rtgenmsg family;
	char pad[NLMSG_ALIGN(sizeof(struct rtgenmsg)) - sizeof(struct rtgenmsg)];
	struct rtattr attribute;
	int32_t fd;
};

/* Finds the namespace id in the kernel's answer. Returns -ENOENT if the answer contains no id. */
static int find_id(const struct nlmsghdr *head, size_t size, int *id)
{
	const struct rtattr *at;
	int left;

	if (!NLMSG_OK(head, size))
		return -EBADMSG;
	if (head->nlmsg_type == NLMSG_ERROR)
		return -ENOENT;
	if (head->nlmsg_type != RTM_NEWNSID || head->nlmsg_len < NLMSG_SPACE(sizeof(struct rtgenmsg)))
		return -EBADMSG;
	at = (const struct rtattr *)((const char *)head + NLMSG_SPACE(sizeof(struct rtgenmsg)));
	left = (int)(head->nlmsg_len - NLMSG_SPACE(sizeof(struct rtgenmsg)));
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
		if (at->rta_type == NETNSA_NSID && RTA_PAYLOAD(at) >= sizeof *id) {
			memcpy(id, RTA_DATA(at), sizeof *id);
			return 0;
		}
	return -ENOENT;
}

static int read_id(int fd, int *id)
{
	_Alignas(struct nlmsghdr) char reply[512];
	struct request ask = {
		.head = { .nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETNSID, .nlmsg_flags = NLM_F_REQUEST },
		.family = { .rtgen_family = AF_UNSPEC },
		.attribute = { .rta_len = RTA_LENGTH(sizeof(int32_t)), .rta_type = NETNSA_FD },
		.fd = fd,
	};
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t size;
	int err;

	if (sock < 0)
		return -errno;
	/* the kernel answers before send() returns, so recv() never has to wait */
	if (send(sock, &ask, sizeof ask, 0) < 0 || (size = recv(sock, reply, sizeof reply, MSG_DONTWAIT)) < 0)
		err = -errno;
	else
		err = find_id((const struct nlmsghdr *)reply, (size_t)size, id);
	close(sock);
	return err;
}

/* networkId(fd): returns the id of a network namespace, -1 if it has none, -2 if the kernel does not say */
static napi_value export_network_id(napi_env env, napi_callback_info info)
{
	int fd, id, err = read_arguments(env, info, "i", &fd);

	if (!err)
		err = read_id(fd, &id);
	return to_number(env, err ? -2 : id < 0 ? -1 : id);
}

/* Returns a descriptor of the network namespace to which another process's socket belongs, or -errno. */
static int open_socket_network(int pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int sock, ns, err;

	if (pidfd < 0)
		return -errno;
	sock = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	err = -errno;
	close(pidfd);
	if (sock < 0)
		return err;
	ns = ioctl(sock, SIOCGSKNS);
	err = -errno;
	close(sock);
	return ns < 0 ? err : ns;
}

/*
 * socketNetwork(pid, fd): returns the network namespace of another process's socket as a
 * close-on-exec descriptor, or -errno
 */
static napi_value export_socket_network(napi_env env, napi_callback_info info)
{
	int values[2], err = read_arguments(env, info, "ii", &values[0], &values[1]);

	return to_number(env, err ? err : open_socket_network(values[0], values[1]));
}

/* landlock(): returns the version of the kernel's Landlock ABI, or -errno */
static napi_value export_landlock(napi_env env, napi_callback_info info)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);

	(void)info;
	return to_number(env, version < 0 ? -errno : (int)version);
}

void add_ns(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "namespaceLink", export_link }, { "namespaceOwner", export_owner }, { "networkId", export_network_id },
		{ "socketNetwork", export_socket_network }, { "landlock", export_landlock },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
