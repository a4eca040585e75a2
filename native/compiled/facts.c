/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that this machine has the properties that the program was compiled for: kernel version,
 * capabilities, layout of control groups.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/magic.h>
#include <linux/utsname.h>
#include <sys/statfs.h>

#include "compiled.h"

static void add_hex(struct text *t, u64 value)
{
	char digits[17];
	int at = sizeof digits - 1;

	digits[at] = 0;
	do
		digits[--at] = "0123456789abcdef"[value & 15];
	while (value >>= 4);
	add(t, digits + at);
}

static u64 parse_hex(const char *s)
{
	u64 value = 0;

	for (; *s; s++)
		value = value << 4 | (u64)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return value;
}

static int check_id(const char *expected, long id, struct text *found)
{
	add_number(found, (u64)id);
	return same(found->bytes, expected);
}

/* Returns true if the kernel has this version, such as "5.12", or a newer one. */
static int check_kernel(const char *expected, struct text *found)
{
	struct new_utsname name;
	const char *at = name.release;
	u64 major, wanted;

	if (sys(__NR_uname, &name) < 0)
		return 0;
	add(found, name.release);
	major = parse_number(&at);
	wanted = parse_number(&expected);
	if (major != wanted)
		return major > wanted;
	at += *at == '.';
	expected += *expected == '.';
	return parse_number(&at) >= parse_number(&expected);
}

/* Returns true if the process has all of these capabilities; it may have more. */
static int check_capabilities(const char *expected, struct text *found)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
	u64 has, wanted = parse_hex(expected);

	if (sys(__NR_capget, &header, data) < 0)
		return 0;
	has = data[0].permitted | (u64)data[1].permitted << 32;
	add_hex(found, has);
	return (has & wanted) == wanted;
}

static int check_tree(const char *path, u64 magic, struct text *found)
{
	struct statfs what = { 0 };
	char room[32];
	long err = sys(__NR_statfs, path, &what);

	if (err < 0)
		add(found, errno_name((int)-err, room));
	else
		add(found, (u64)what.f_type == CGROUP2_SUPER_MAGIC ? "cgroup2" :
			   (u64)what.f_type == CGROUP_SUPER_MAGIC ? "cgroup (v1)" : "no cgroup file system");
	return !err && (u64)what.f_type == magic;
}

static int check_fact(const char *kind, const char *expected, struct text *found)
{
	if (same(kind, "user"))
		return check_id(expected, sys(__NR_geteuid), found);
	if (same(kind, "group"))
		return check_id(expected, sys(__NR_getegid), found);
	if (same(kind, "kernel"))
		return check_kernel(expected, found);
	if (same(kind, "capabilities"))
		return check_capabilities(expected, found);
	if (same(kind, "cgroup2"))
		return check_tree(expected, CGROUP2_SUPER_MAGIC, found);
	if (same(kind, "cgroup"))
		return check_tree(expected, CGROUP_SUPER_MAGIC, found);
	/* handled by place-groups.c */
	return same(kind, "enable") || same(kind, "account") || same(kind, "share") || same(kind, "cpu.max") || starts(kind, OWN_PLACEHOLDER);
}

/*
 * Checks that this machine has all properties that the program was compiled for. Returns 0 if so,
 * otherwise prints the first difference and returns -1.
 */
int check_facts(const struct strings *facts, const char *file)
{
	const char *kind = facts->first;

	for (u32 i = 0; i + 1 < facts->count; i += 2) {
		const char *expected = next_string(kind);
		struct text found = { .length = 0 }, t = { .length = 0 };

		if (!check_fact(kind, expected, &found)) {
			add(&t, "hutch: cannot start ");
			add(&t, file);
			add(&t, " here: it was compiled for another ");
			add(&t, starts(kind, "cgroup") ? "layout of control groups" : starts(kind, "cap") ? "set of capabilities" : kind);
			add(&t, "\n  expected     ");
			add(&t, starts(kind, "cgroup") ? same(kind, "cgroup") ? "cgroup (v1) at " : "cgroup2 at " : "");
			add(&t, expected);
			add(&t, same(kind, "kernel") ? " or newer" : "");
			add(&t, "\n  found        ");
			add(&t, found.bytes);
			add(&t, "\n  remedy       compile it again here, as this user: hutch compile\n");
			print(2, t.bytes);
			return -1;
		}
		kind = next_string(expected);
	}
	return 0;
}
