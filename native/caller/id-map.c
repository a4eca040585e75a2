/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side of the handshake in wire/program.h: writes the id maps of the user namespace in
 * which the child was born. The child waits meanwhile. It is not reaped before its end is reported,
 * so its process id is not reused.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"

#define MAP_SIZE 4096	/* the kernel accepts less than a page */
#define EXEC_TRIES 2000	/* retries of at least 50 us each: 0.1 s in total */
#define MAX_WORDS (340 * 3)	/* the kernel accepts at most 340 extents (user_namespaces(7)) */

static char *append(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	*to = 0;
	return to;
}

static char *append_number(char *to, u32 number)
{
	char digits[12];
	int at = sizeof digits - 1;

	digits[at] = 0;
	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	return append(to, digits + at);
}

/*
 * Waits until the child's exec is complete: vfork returns in the middle of the exec. On Linux 7,
 * the new memory becomes dumpable only a moment later. Until then, the process's files in /proc
 * belong to root.
 */
static void await_exec(const char *path)
{
	struct { long long s, ns; } moment = { 0, 50000 };

	for (int tries = 0; tries < EXEC_TRIES && sys(__NR_faccessat, AT_FDCWD, path, 2 /* W_OK */) == -EACCES; tries++)
		sys(__NR_nanosleep, &moment, NULL);
}

static int write_proc(int pid, const char *file, const char *text)
{
	char path[64];
	int err;

	append(append(append_number(append(path, "/proc/"), (u32)pid), "/"), file);
	err = write_text(path, text);
	if (err != -EACCES)
		return err;
	await_exec(path);
	return write_text(path, text);
}

/* Writes an id map. An extent has three words: inside, outside, count. `first` and `count` replace RESERVED_ID. */
int write_map(int pid, const char *file, const struct strings *map, u32 first, u32 count)
{
	char text[MAP_SIZE], *at = text;
	const char *word = map->first;

	if (map->length >= sizeof text)
		return -E2BIG;
	for (u32 i = 0; i < map->count; i++, word = next_string(word)) {
		if (i % 3 == 1 && *word == *RESERVED_ID) {
			at = append_number(at, first);
			at = append(at, " ");
			at = append_number(at, count);
			at = append(at, "\n");
			i++, word = next_string(word);
			continue;
		}
		at = append(at, word);
		at = append(at, i % 3 == 2 ? "\n" : " ");
	}
	return write_proc(pid, file, text);
}

/*
 * Maps ids by newuidmap(1) or newgidmap(1), which may map the ids that /etc/subuid and /etc/subgid
 * grant to this user.
 */
static int map_by_tool(int pid, const char *tool, const struct strings *map)
{
	const char *argv[MAX_WORDS + 3];
	char number[12], path[64];
	int status;

	if (map->count > MAX_WORDS)
		return -E2BIG;
	append_number(number, (u32)pid);
	append(append(append(path, "/proc/"), number), "/uid_map");
	await_exec(path);
	argv[0] = tool;
	argv[1] = number;
	fill_pointers(argv + 2, map);
	status = run_tool(argv);
	return status < 0 ? status : status == 0 ? 0 : status >> 8 == 127 ? -ENOENT : -EPERM;
}

/*
 * Waits until the child is in its namespaces and reads its program. Returns 0 if the child failed
 * or ended; its end is reported later.
 */
static long await_ready(int fd)
{
	struct report report;
	long got;

	do
		got = receive(fd, &report, sizeof report, K_MSG_PEEK);
	while (got == -EINTR);
	if (got < 0)
		return got;
	if (got != (long)sizeof report || report.kind != REPORT_READY)
		return 0;
	got = receive(fd, &report, sizeof report, 0);
	return got < 0 ? got : 1;
}

/*
 * Returns 0 if the child is gone: its end is reported later. ECONNRESET: the child ended before it
 * read a sent message.
 */
int sent(long got)
{
	return got < 0 && got != -EPIPE && got != -ECONNRESET ? (int)got : 0;
}

static int send_go(const struct outer *o)
{
	char go = GO_BYTE;

	return sent(transmit(o->report_fd, &go, 1, K_MSG_NOSIGNAL));
}

int op_send_go(struct outer *o, struct cursor *c)
{
	int err = finished(c);

	return err ? err : send_go(o);
}

static void unbind(const char *file, u32 count)
{
	for (u32 i = 0; i < count; i++, file = next_string(file))
		sys(__NR_umount2, file, 2 /* MNT_DETACH */);
}

/*
 * Mounts files of namespaces to keep the namespaces. The mounts are made in the caller's mount
 * namespace, while the child waits in its own. The child has forked before: a pid namespace can be
 * mounted only after its first process exists.
 */
int op_bind_namespaces(struct outer *o, struct cursor *c)
{
	struct strings kinds = take_strings(c), files = take_strings(c);
	const char *kind = kinds.first, *file = files.first;
	char path[64];
	long err = finished(c);

	if (err || kinds.count != files.count)
		return -EPROTO;
	err = await_ready(o->report_fd);
	if (err <= 0)
		return (int)err;
	for (u32 i = 0; i < kinds.count; i++, kind = next_string(kind), file = next_string(file)) {
		if (text_length(kind) > 24)
			return -EPROTO;
		append(append(append_number(append(path, "/proc/"), (u32)o->pid), "/ns/"), kind);
		err = sys(__NR_mount, path, file, NULL, K_MS_BIND, NULL);
		if (err) {
			unbind(files.first, i);
			return (int)err;
		}
	}
	err = send_go(o);
	if (err)
		unbind(files.first, kinds.count);
	return (int)err;
}

int op_map_ids(struct outer *o, struct cursor *c)
{
	struct strings users = take_strings(c), groups = take_strings(c);
	u32 deny_setgroups = take_u32(c);
	const char *user_tool = take_string(c), *group_tool = take_string(c);
	long err = finished(c);

	if (err || users.count % 3 || groups.count % 3)
		return -EPROTO;
	/* the clone has created the user namespace, so there is no need to wait for the child */
	err = o->cloned & CLONE_NEWUSER ? 1 : await_ready(o->report_fd);
	if (err <= 0)
		return (int)err;
	/*
	 * before gid_map: a user who could drop a group by setgroups could open files that are
	 * closed to this group (CVE-2014-8989)
	 */
	err = deny_setgroups ? write_proc(o->pid, "setgroups", "deny") : 0;
	if (!err && groups.count)
		err = *group_tool ? map_by_tool(o->pid, group_tool, &groups) : write_map(o->pid, "gid_map", &groups, o->first_group, o->id_count);
	if (!err && users.count)
		err = *user_tool ? map_by_tool(o->pid, user_tool, &users) : write_map(o->pid, "uid_map", &users, o->first_user, o->id_count);
	return err ? (int)err : send_go(o);
}
