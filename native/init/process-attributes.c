/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets what a container's command inherits from this process besides ids, capabilities and the limits
 * of priority.c: keyring, umask, scheduling, processors, memory policy.
 */
#include <linux/errno.h>
#include <linux/keyctl.h>
#include <linux/sched/types.h>

#include "../hutch.h"

#define WORD_BITS (8 * sizeof(u64))
#define MAX_NUMBERS 8192	/* processors or memory nodes */

struct bit_set {
	u64 words[MAX_NUMBERS / WORD_BITS];
};

static int make_set(struct bit_set *set, const struct numbers *members)
{
	*set = (struct bit_set){ { 0 } };
	for (u32 i = 0; i < members->count; i++) {
		if (members->first[i] >= MAX_NUMBERS)
			return -EINVAL;
		set->words[members->first[i] / WORD_BITS] |= 1ull << members->first[i] % WORD_BITS;
	}
	return 0;
}

/* Returns the permissions in the description of a key, "type;uid;gid;permissions;name"; 0 if they are missing. */
static u32 parse_permissions(const char *text)
{
	u32 value = 0;

	for (int semicolons = 0; semicolons < 3; text++) {
		if (!*text)
			return 0;
		semicolons += *text == ';';
	}
	for (; (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f'); text++)
		value = value << 4 | (u32)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return value;
}

/*
 * Joins the session keyring of this name, and creates it if it is missing. Adds permissions to it, so
 * that commands which enter the container later can join it too. They add none.
 */
int op_join_keyring(struct cursor *c)
{
	const char *name = take_string(c);
	u32 adds = take_u32(c);
	char text[512];
	long key, got, err = finished(c);

	if (err)
		return (int)err;
	key = sys(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	if (key == -ENOSYS)	/* a kernel without keyrings has nothing to separate */
		return 0;
	if (key < 0 || !adds)
		return key < 0 ? (int)key : 0;
	got = sys(__NR_keyctl, KEYCTL_DESCRIBE, key, text, sizeof text - 1);
	if (got < 0)
		return (int)got;
	text[(size_t)got < sizeof text ? (size_t)got : sizeof text - 1] = 0;
	return (int)sys(__NR_keyctl, KEYCTL_SETPERM, key, parse_permissions(text) | adds);
}

int op_set_umask(struct cursor *c)
{
	u32 mask = take_u32(c);
	int err = finished(c);

	if (!err)
		sys(__NR_umask, mask);
	return err;
}

int op_set_scheduler_attributes(struct cursor *c)
{
	struct sched_attr attributes = { .size = sizeof attributes };
	int err;

	attributes.sched_policy = take_u32(c);
	attributes.sched_flags = take_u64(c);
	attributes.sched_nice = (int)take_u32(c);
	attributes.sched_priority = take_u32(c);
	attributes.sched_runtime = take_u64(c);
	attributes.sched_deadline = take_u64(c);
	attributes.sched_period = take_u64(c);
	err = finished(c);
	return err ? err : (int)sys(__NR_sched_setattr, 0, &attributes, 0);
}

int op_set_affinity(struct cursor *c)
{
	struct numbers processors = take_numbers(c);
	struct bit_set set;
	int err = finished(c);

	if (!err)
		err = make_set(&set, &processors);
	return err ? err : (int)sys(__NR_sched_setaffinity, 0, sizeof set, &set);
}

int op_set_memory_policy(struct cursor *c)
{
	u32 mode = take_u32(c);
	struct numbers nodes = take_numbers(c);
	struct bit_set set;
	int err = finished(c);

	if (!err)
		err = make_set(&set, &nodes);
	/* one more than the number of bits: the kernel counts the end */
	return err ? err : (int)sys(__NR_set_mempolicy, mode, nodes.count ? &set : NULL, nodes.count ? 1025 : 0);
}

/* Raises a hard limit, while this process still has the right to do so in the initial user namespace. */
int op_raise_limit(struct cursor *c)
{
	u32 resource = take_u32(c);
	u64 hard = take_u64(c);
	struct { u64 soft, hard; } pair;
	long err = finished(c);

	if (!err)
		err = sys(__NR_prlimit64, 0, resource, NULL, &pair);
	if (err || pair.hard >= hard)
		return (int)err;
	pair.hard = hard;
	return (int)sys(__NR_prlimit64, 0, resource, &pair, NULL);
}
