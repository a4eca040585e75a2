/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the inner ops in order, before the child becomes the command. All run in hutch-init, inside
 * the namespaces created by clone3. Paths and names come from the plan, never from the container.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <net/if.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <signal.h>

#include "../hutch.h"
#include "../lib/message.h"


/*
 * Joins a group. On v1, writing "0" to `tasks` moves only the calling thread, which is hutch-init's
 * only one. Unlike a write to cgroup.procs, this does not wait for an RCU grace period (8 to 100 ms
 * if the last one was long ago).
 */
static int op_join_group(struct cursor *c)
{
	const char *path = take_string(c);
	int err = finished(c);

	return err ? err : write_text(path, "0");
}

/*
 * True once this process has created namespaces itself; awaitMaps then sends READY, so that hutch
 * writes the id maps.
 */
int made_namespaces;

static int op_unshare(struct cursor *c)
{
	u64 flags = take_u64(c);
	int err = finished(c);

	if (!err)
		err = (int)sys(__NR_unshare, flags);
	made_namespaces |= !err;
	return err;
}

/*
 * Sets the execution domain (personality(2)), which an exec keeps. The kernel accepts every value,
 * so the value is read back and compared.
 */
static int op_set_personality(struct cursor *c)
{
	u32 persona = take_u32(c);
	long err = finished(c);

	if (!err)
		err = sys(__NR_personality, persona);
	if (err < 0)
		return (int)err;
	return (u32)sys(__NR_personality, 0xffffffffu) == persona ? 0 : -EINVAL;
}

static int op_set_hostname(struct cursor *c)
{
	const char *name = take_string(c);
	int err = finished(c);

	return err ? err : (int)sys(__NR_sethostname, name, text_length(name));
}

static int op_set_domainname(struct cursor *c)
{
	const char *name = take_string(c);
	int err = finished(c);

	return err ? err : (int)sys(__NR_setdomainname, name, text_length(name));
}

/*
 * Writes a setting as root of the user namespace. Since Linux 6.9, the settings of an ipc namespace
 * belong to root of the user namespace that owns it. This process needs the caller's id until the
 * mounts are made, so a child process takes root's id for the write.
 */
static int write_as_root_inside(const char *path, const char *value)
{
	long pid = sys(__NR_clone, SIGCHLD, 0, 0, 0, 0), got;
	int status = 0;

	if (pid == 0) {
		long err = sys(__NR_setresuid, 0, 0, 0);

		sys(__NR_exit_group, -(err ? err : write_text(path, value)));
	}
	if (pid < 0)
		return (int)pid;
	do
		got = sys(__NR_wait4, pid, &status, 0x40000000 /* __WALL */, NULL);
	while (got == -EINTR);
	if (got < 0)
		return (int)got;
	return status & 0x7f ? -EACCES : -(status >> 8 & 0xff);
}

static int op_set_sysctl(struct cursor *c)
{
	const char *path = take_string(c), *value = take_string(c);
	int err = finished(c);

	if (err)
		return err;
	err = write_text(path, value);
	if (err == -EACCES && write_as_root_inside(path, value) == 0)
		return 0;
	return err;
}

/* Mounts a file system. An empty string for source, type or data is passed to mount(2) as NULL. */
static int op_mount(struct cursor *c)
{
	const char *source = take_string(c), *target = take_string(c), *type = take_string(c);
	u64 flags = take_u64(c);
	const char *data = take_string(c);
	int err = finished(c);

	if (err)
		return err;
	return (int)sys(__NR_mount, *source ? source : NULL, target, *type ? type : NULL, flags,
			*data ? data : NULL);
}

static int op_loopback_up(struct cursor *c)
{
	struct ifreq request = { .ifr_name = "lo" };
	long fd, err = finished(c);

	if (err)
		return (int)err;
	fd = sys(__NR_socket, K_AF_INET, K_SOCK_DGRAM | K_SOCK_CLOEXEC, 0);
	if (fd < 0)
		return (int)fd;
	err = sys(__NR_ioctl, fd, K_SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	if (err >= 0)
		err = sys(__NR_ioctl, fd, K_SIOCSIFFLAGS, &request);
	sys(__NR_close, fd);
	return (int)err;
}

static int op_change_directory(struct cursor *c)
{
	const char *path = take_string(c);
	int err = finished(c);

	return err ? err : (int)sys(__NR_chdir, path);
}

int dies_with_parent;

/*
 * Makes this process end with its parent. If the launcher had already ended, its end of the socket
 * is closed, which shows that.
 */
int end_with_parent(int signal)
{
	struct pollfd peer = { .fd = report_socket, .events = 0 };
	struct { long long s, ns; } now = { 0, 0 };
	long err = sys(__NR_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0);

	if (!err)
		err = sys(__NR_ppoll, &peer, 1, &now, NULL, NSIG_BYTES);
	if (err < 0)
		return (int)err;
	return peer.revents & POLLHUP ? -EOWNERDEAD : 0;
}

/* Sets the parent-death signal. It must run after any change of ids, because such a change clears the signal. */
static int op_die_with_parent(struct cursor *c)
{
	u32 signal = take_u32(c);
	int err = finished(c);

	if (!err)
		err = end_with_parent((int)signal);
	if (!err)
		dies_with_parent = 1;
	return err;
}

static int run_op(int code, struct cursor *payload)
{
	switch (code) {
#define CASE(number, name, handler, fields) case number: return handler(payload);
	INNER_OPS(CASE)
#undef CASE
	}
	return -EPROTO;
}

/*
 * Runs the inner section. Returns only if the command did not replace hutch-init: -errno, with the
 * index of the op in *step.
 */
int run_inner(struct cursor *ops, u32 *step)
{
	struct cursor payload;
	int code, err;

	for (*step = 0; (code = take_op(ops, &payload)) > 0; ++*step) {
		upcoming = *ops;
		err = run_op(code, &payload);
		if (err < 0)
			return err;
		if (ordered.at) {
			*ops = ordered;
			ordered.at = NULL;
		}
	}
	return code < 0 ? code : -EPROTO;
}
