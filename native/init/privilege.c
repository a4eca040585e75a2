/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reduces ids and capabilities. The plan puts these ops in the one order that works: bounding set,
 * ids, the other four sets, no_new_privs. All run before the command, so no code of the container
 * has run yet.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/prctl.h>

#include "../hutch.h"

/*
 * Sets the supplementary groups, the group id and the user id, in this order: after the user id has
 * changed, setgroups is refused.
 */
int op_set_user(struct cursor *c)
{
	u32 uid = take_u32(c), gid = take_u32(c);
	struct numbers groups = take_numbers(c);
	u32 keep_groups = take_u32(c), keep_capabilities = take_u32(c);
	long err = finished(c);

	if (!err && keep_capabilities)
		err = sys(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (!err && keep_groups != 1)
		err = sys(__NR_setgroups, groups.count, groups.first);
	if (err == -EPERM && keep_groups == 2)	/* an ancestor user namespace forbids setgroups */
		err = 0;
	if (!err)
		err = sys(__NR_setresgid, gid, gid, gid);
	if (!err)
		err = sys(__NR_setresuid, uid, uid, uid);
	return (int)err;
}

/*
 * Empties the capability bounding set. Must run before the ids change, which drops the needed
 * CAP_SETPCAP. Capabilities that this program does not know are dropped, too.
 */
int op_drop_bounding(struct cursor *c)
{
	u64 keep = take_u64(c);
	long err = finished(c);

	for (unsigned int number = 0; !err && number < 64; number++) {
		if (keep >> number & 1)
			continue;
		err = sys(__NR_prctl, PR_CAPBSET_DROP, number, 0, 0, 0);
		/* without CAP_SETPCAP, no failure if the set is already empty */
		if (err == -EPERM && sys(__NR_prctl, PR_CAPBSET_READ, number, 0, 0, 0) == 0)
			err = 0;
		if (err == -EINVAL)	/* the last capability of this kernel was number - 1 */
			return 0;
	}
	return (int)err;
}

/*
 * Sets the capability sets. The ambient set is emptied first: it must stay a subset of the permitted
 * and the inheritable set.
 */
int op_set_capabilities(struct cursor *c)
{
	u64 effective = take_u64(c), permitted = take_u64(c), inheritable = take_u64(c), ambient = take_u64(c);
	long err = finished(c);

	if (!err)
		err = sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!err)
		err = set_capabilities(effective, permitted, inheritable);
	return (int)(err ? err : raise_ambient(ambient));
}

/* Sets no_new_privs: from here on, set-user-ID programs and file capabilities have no effect (no_new_privs.rst). */
int op_no_new_privileges(struct cursor *c)
{
	int err = finished(c);

	return err ? err : (int)sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
