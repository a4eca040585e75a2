/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the parents of the groups that this start creates, as src/host/parent-group.ts and
 * src/run/launch.ts do for hutch run. A parent is the caller's own group. On v2 it is an ancestor
 * of that group if processes in the group prevent controllers in its children.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../caller/groups.h"
#include "compiled.h"

#define MAX_PASSES 1000

/* What the compiled program needs from its groups: see src/compile/file-format.ts. */
struct wishes {
	const char *enable, *account;
	const char *share;	/* required share of CPU time, as "QUOTA PERIOD" of cpu.max */
	int may_shrink;		/* true for a sandbox, which accepts a smaller share if the caller's group has less */
};

/* Removes the last component of a path. Returns 0 if the path is empty. */
int go_up(char *path)
{
	size_t length = text_length(path);

	if (!length)
		return 0;
	while (length && path[--length] != '/')
		;
	path[length] = 0;
	return 1;
}

/*
 * Returns true if a group has processes that prevent controllers in its children. The root of the
 * v2 tree is the exception: it may have both. Only the root has no cgroup.type.
 */
static int is_populated(const struct place *place)
{
	char text[64];

	return *read_in(place, "cgroup.procs", text, sizeof text) && *read_in(place, "cgroup.type", text, sizeof text);
}

/*
 * Returns true if hutch may move the group's processes to a child group. Either the group belongs
 * to a job of hutch, or it contains only this process.
 */
static int may_evacuate(const struct place *place)
{
	struct text own = { .length = 0 };
	char text[64];
	u64 pid, space;

	if (parse_group_name(file_name(place->path), &pid, &space))
		return 1;
	add_number(&own, (u64)sys(__NR_getpid));
	add(&own, "\n");
	return same(read_in(place, "cgroup.procs", text, sizeof text), own.bytes);
}

/*
 * Moves a group's processes to a child group (LEAF_NAME), so that the group can give controllers to
 * children. A process that cannot be moved stays, and enabling controllers fails later.
 */
static void evacuate(const struct place *place)
{
	static char list[65536];
	struct text leaf, procs;

	join(&leaf, place, LEAF_NAME);
	sys(__NR_mkdirat, AT_FDCWD, leaf.bytes, 0755);
	join(&procs, place, LEAF_NAME "/cgroup.procs");
	for (int pass = 0; pass < MAX_PASSES; pass++) {
		const char *at = read_in(place, "cgroup.procs", list, sizeof list);
		int moved = 0;

		while (*at) {
			struct text pid = { .length = 0 };
			u64 number = parse_number(&at);

			add_number(&pid, number);
			/*
			 * cgroup.procs shows 0 for a process of another pid namespace; writing 0
			 * would move this process
			 */
			moved += number && write_text(procs.bytes, pid.bytes) == 0;
			at += *at != 0;
		}
		if (!moved)
			return;
	}
}

/*
 * Goes up to the nearest group whose children can have controllers. Collects the limits of the
 * groups on the way, which will not contain the job. Returns -errno if there are too many limits.
 */
static int leave_populated(struct place *place)
{
	static struct place level;
	size_t length = text_length(place->path), whole = length;

	/* search from the tree's root downwards: below a group with processes, no group can have controllers */
	level.mount = place->mount;
	for (size_t i = 0, top = 0; i <= whole; i++) {
		if (i && i < whole && place->path[i] != '/')
			continue;
		memcpy(level.path, place->path, i);
		level.path[i] = 0;
		if (is_populated(&level)) {
			/* the root of a cgroup namespace looks populated too, but nothing above it is visible */
			length = i ? top : whole;
			break;
		}
		top = i;
	}
	while (text_length(place->path) > length) {
		int err = read_outer_limits(place);

		if (err)
			return err;
		go_up(place->path);
	}
	return 0;
}

/* Returns true if the list `text`, such as "memory pids ", has all controllers of a list such as "+memory +pids". */
static int has_all(const char *text, const char *controllers)
{
	while (*controllers) {
		size_t length = 0;

		if (*controllers == '+' || *controllers == ' ') {
			controllers++;
			continue;
		}
		while (controllers[length] && controllers[length] != ' ')
			length++;
		if (!has_name(text, controllers, length))
			return 0;
		controllers += length;
	}
	return 1;
}

/*
 * Enables controllers for the children of every group from the root down to this one. Returns 0, or
 * -errno with the path of the group that refused in `where`.
 */
static int enable(const struct place *place, const char *controllers, struct text *where)
{
	static struct place level;
	char text[1024];
	size_t length = text_length(place->path);

	if (!*controllers || has_all(read_in(place, "cgroup.subtree_control", text, sizeof text), controllers))
		return 0;
	level.mount = place->mount;
	for (size_t i = 0; i <= length; i++) {
		int err;

		if (i && i < length && place->path[i] != '/')
			continue;
		memcpy(level.path, place->path, i);
		level.path[i] = 0;
		if (has_all(read_in(&level, "cgroup.subtree_control", text, sizeof text), controllers))
			continue;
		join(where, &level, "cgroup.subtree_control");
		err = write_text(where->bytes, controllers);
		if (err)
			return err;
	}
	return 0;
}

static int place_unified(struct place *place, const struct wishes *wishes, struct text *why)
{
	struct text needed = { .length = 0 }, where = { .length = 0 };
	char text[1024], room[32];
	int err = 0;

	add(&needed, wishes->enable);
	if (*wishes->enable && is_populated(place)) {
		if (may_evacuate(place)) {
			evacuate(place);
		} else {
			static struct place root;

			err = leave_populated(place);
			root.mount = place->mount;
			hold_outer_limits(read_in(&root, "cgroup.controllers", text, sizeof text), &needed);
		}
	}
	if (err) {
		add(why, "the groups around its caller have too many limits to hold them all for the job");
		return err;
	}
	err = enable(place, needed.bytes, &where);
	if (err) {
		add(why, "enabling ");
		add(why, needed.bytes);
		add(why, " in ");
		add(why, where.bytes);
		add(why, " was refused (");
		add(why, errno_name(-err, room));
		add(why, ")");
		return err;
	}
	/*
	 * controllers that are only read and not limited are not enabled below a group with
	 * processes: that would make the group threaded
	 */
	if (*wishes->account && (*wishes->enable || !is_populated(place)))
		enable(place, wishes->account, &where);
	return 0;
}

/*
 * Returns the share of CPU time: quota divided by period, in units of 2^-20. The kernel compares
 * shares in this unit.
 */
static u64 share_of(u64 quota, u64 period)
{
	return period ? (quota << 20) / period : 0;
}

static void report_share(struct text *why, const char *wanted, const struct place *place, u64 quota, u64 period)
{
	struct text group;

	join(&group, place, "");
	add(why, "--cpus asks for ");
	add(why, wanted);
	add(why, " (us of CPU time, us of each period), ");
	add(why, group.bytes);
	add(why, " has ");
	add_number(why, quota);
	add(why, " ");
	add_number(why, period);
	add(why, ", and on v1 no group below it may have a larger share");
}

/*
 * Checks that the requested share of CPU time is not larger than an ancestor's, which v1 refuses. A
 * sandbox gets the ancestor's share; any other program is refused.
 */
static int keep_share(const struct place *place, const struct wishes *wishes, struct text *why)
{
	static struct place level;
	const char *wanted = wishes->share;
	u64 quota = parse_number(&wanted), period;

	wanted += *wanted == ' ';
	period = parse_number(&wanted);
	level = *place;
	do {
		char above[32], length[32];
		const char *at = read_in(&level, "cpu.cfs_quota_us", above, sizeof above);
		u64 theirs = parse_number(&at), their_period;

		at = read_in(&level, "cpu.cfs_period_us", length, sizeof length);
		their_period = parse_number(&at);
		if (!theirs || !their_period)
			continue;
		if (share_of(quota, period) <= share_of(theirs, their_period))
			return 0;
		if (wishes->may_shrink)
			return add_own_value("cpu.cfs_quota_us", above, 1) || add_own_value("cpu.cfs_period_us", length, 1);
		report_share(why, wishes->share, &level, theirs, their_period);
		return -EINVAL;
	} while (go_up(level.path));
	return 0;
}

/* Copies the CPUs and memory nodes of the parent group: a new v1 cpuset is empty, and a process cannot join it. */
static int inherit_cpus(const struct place *place)
{
	char cpus[1024], mems[1024];

	return add_own_value("cpuset.cpus", read_in(place, "cpuset.cpus", cpus, sizeof cpus), 0) ||
	       add_own_value("cpuset.mems", read_in(place, "cpuset.mems", mems, sizeof mems), 0);
}

static int refuse(const char *file, const char *why)
{
	struct text t = { .length = 0 };

	add(&t, "hutch: cannot start ");
	add(&t, file);
	add(&t, ": ");
	add(&t, why);
	add(&t, "\n  remedy       start it in another group, or compile it with other limits or --parent\n");
	print(2, t.bytes);
	return -1;
}

/*
 * Finds the caller's groups and prepares them as parents of the program's groups. Returns 0, or
 * nonzero after printing a message.
 */
int place_groups(const struct strings *facts, const char *file)
{
	const char *kind = facts->first;
	struct wishes wishes = { "", "", "", 0 };
	struct text why = { .length = 0 };
	int err = 0;

	for (u32 i = 0; i + 1 < facts->count; i += 2) {
		const char *value = next_string(kind);

		if (same(kind, "enable"))
			wishes.enable = value;
		else if (same(kind, "account"))
			wishes.account = value;
		else if (same(kind, "cpu.max") || same(kind, "share")) {
			wishes.share = value;
			wishes.may_shrink = same(kind, "share");
		}
		else if (starts(kind, OWN_PLACEHOLDER) && !add_place(kind + sizeof OWN_PLACEHOLDER - 1, value))
			return refuse(file, "it names too many hierarchies of control groups");
		kind = next_string(value);
	}
	if (!place_count)
		return 0;
	err = find_places(&why);
	for (u32 i = 0; i < place_count && !err; i++) {
		struct place *place = &places[i];

		if (!*place->controller)
			err = place_unified(place, &wishes, &why);
		else if (same(place->controller, "cpu") && *wishes.share)
			err = keep_share(place, &wishes, &why);
		else if (same(place->controller, "cpuset"))
			err = inherit_cpus(place);
	}
	return err ? refuse(file, why.bytes) : 0;
}
