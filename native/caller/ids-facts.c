/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the host ids that a sandbox may have, and the ids that accounts and living user namespaces
 * hold. /run/hutch/ids keeps these facts, so most starts inspect only new processes.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "ids.h"

#define TABLE_SIZE 65536
#define LAST_ID 1879048191	/* the end of systemd's range for containers */
#define FRESH_MS 60000
#define NEW_PIDS 256	/* with more new processes than this, a full scan is as cheap */

/* Where the ranges begin: first systemd's ids for containers, then lower, in a namespace with fewer ids. */
static const u32 floors[] = { 524288, 32768, 1 };
struct ids_facts facts;
static char own_map[KINDS][4096];
static char table[TABLE_SIZE] __attribute__((aligned(8)));

static void add_range(struct ranges *to, u64 start, u64 end)
{
	if (start < end && to->length < MAX_RANGES)
		to->at[to->length++] = (struct range){ (u32)start, (u32)(end - start) };
}

static const char *skip_spaces(const char *at)
{
	while (*at == ' ')
		at++;
	return at;
}

/* Parses digits and stops after them. Returns at most the highest id. */
static u64 take_digits(const char **at)
{
	u64 value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (value < 1ULL << 32)
			value = value * 10 + (u64)(**at - '0');
	return value < 1ULL << 32 ? value : 1ULL << 32;
}

static const char *next_line(const char *at)
{
	while (*at && *at != '\n')
		at++;
	return *at ? at + 1 : at;
}

/* Calls `line` for each line of a file, which may be longer than the buffer. A missing file has no lines. */
static void each_line(const char *path, void (*line)(const char *text, const void *data), const void *data)
{
	long fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), got;
	size_t have = 0;

	if (fd < 0)
		return;
	while ((got = sys(__NR_read, fd, table + have, sizeof table - 1 - have)) > 0) {
		const char *at = table, *end;
		size_t left;

		have += (size_t)got;
		table[have] = 0;
		for (end = next_line(at); end > at && end[-1] == '\n'; at = end, end = next_line(at))
			line(at, data);
		left = (size_t)(table + have - at);
		have = left < sizeof table - 1 ? left : 0;
		for (size_t i = 0; i < have; i++)
			table[i] = at[i];
	}
	table[have] = 0;
	if (have)
		line(table, data);
	sys(__NR_close, fd);
}

/* Parses the next whole line of a map: inside, outside, count. */
static int take_extent(const char **at, u64 extent[3])
{
	if (!**at)
		return 0;
	for (int i = 0; i < 3; i++) {
		*at = skip_spaces(*at);
		extent[i] = take_digits(at);
	}
	*at = next_line(*at);
	return 1;
}

/* Marks every slot that overlaps these ids as taken. */
static void take_ids(enum kind kind, u64 start, u64 count)
{
	const struct ranges *free = &facts.free[kind];
	u64 end = start + count, slot = 0;

	if (facts.shared[kind])
		return;
	for (u32 i = 0; i < free->length; i++) {
		u64 first = free->at[i].start, slots = free->at[i].count / facts.each;
		u64 from = start > first ? (start - first) / facts.each : 0;
		u64 to = end > first ? (end - first + facts.each - 1) / facts.each : 0;

		for (u64 n = from; n < to && n < slots && slot + n < facts.slots; n++)
			facts.taken[(slot + n) / 8] |= (u8)(1 << (slot + n) % 8);
		slot += slots;
	}
}

/* Describes the id fields of passwd(5), group(5), subuid(5) and subgid(5), whose fields are separated by colons. */
struct field {
	enum kind kind;
	int start, count;	/* fields of the first id and of the number of ids; count 0: the line has one id */
};

static int field_number(const char *line, int field, u64 *number)
{
	for (; field && *line && *line != '\n'; line++)
		field -= *line == ':';
	if (field || *line < '0' || *line > '9')
		return 0;
	*number = take_digits(&line);
	return 1;
}

static void take_line(const char *line, const void *data)
{
	const struct field *field = data;
	u64 start, count = 1;

	if (field_number(line, field->start, &start) && (!field->count || field_number(line, field->count, &count)))
		take_ids(field->kind, start, count);
}

static int is_roots(const char *line)
{
	static const char *const names[] = { "root:", "0:" };

	for (int n = 0; n < 2; n++) {
		const char *at = line, *name = names[n];

		while (*name && *at == *name)
			at++, name++;
		if (!*name)
			return 1;
	}
	return 0;
}

static void take_others_line(const char *line, const void *data)
{
	if (!is_roots(line))
		take_line(line, data);
}

static void add_roots_line(const char *line, const void *to)
{
	u64 start, count;

	if (is_roots(line) && field_number(line, 1, &start) && field_number(line, 2, &count))
		add_range((struct ranges *)to, start, start + count);
}

/* Reads the ids that exist in this user namespace; all ids if the namespace's map cannot be read. */
static void read_existing(const char *path, struct ranges *out)
{
	const char *at = table;
	u64 extent[3];
	long got = read_text(path, table, sizeof table - 1);

	table[got > 0 ? got : 0] = 0;
	out->length = 0;
	if (got <= 0) {
		add_range(out, 0, ~0u);
		return;
	}
	while (take_extent(&at, extent))
		add_range(out, extent[0], extent[0] + extent[2]);
}

static void intersect(struct ranges *out, const struct ranges *a, const struct range *b)
{
	for (u32 i = 0; i < a->length; i++) {
		u64 start = a->at[i].start, end = start + a->at[i].count, other = (u64)b->start + b->count;

		add_range(out, start > b->start ? start : b->start, end < other ? end : other);
	}
}

/* Chooses root's own range of subuid(5) as far as its ids exist, or otherwise one of the existing ranges. */
static void choose_ranges(enum kind kind, const char *map, const char *subordinate)
{
	struct ranges existing, own = { .length = 0 }, *free = &facts.free[kind];

	read_existing(map, &existing);
	each_line(subordinate, add_roots_line, &own);
	free->length = 0;
	for (u32 i = 0; i < own.length; i++)
		intersect(free, &existing, &own.at[i]);
	for (u32 i = 0; !free->length && i < sizeof floors / sizeof *floors; i++)
		intersect(free, &existing, &(struct range){ floors[i], LAST_ID - floors[i] + 1 });
	facts.shared[kind] = !free->length;
	if (facts.shared[kind])
		*free = existing;
}

static u32 count_slots(enum kind kind, u32 each)
{
	u64 slots = 0;

	for (u32 i = 0; i < facts.free[kind].length; i++)
		slots += facts.free[kind].at[i].count / each;
	return slots < MAX_SLOTS ? (u32)slots : MAX_SLOTS;
}

/*
 * Marks the host ids of another process's user namespace. Ranges with equal ids inside and outside
 * do not count. Returns 0 if the process is in this process's user namespace.
 */
static int take_map(enum kind kind, int proc, const char *pid, const char *file)
{
	static char text[4096];
	char path[32], *to = path;
	const char *at = text, *own = own_map[kind];
	u64 extent[3];
	long fd, got;

	while (*pid && to < path + 12)
		*to++ = *pid++;
	while ((*to++ = *file++) != 0)
		;
	fd = sys(__NR_openat, proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = sys(__NR_read, fd, text, sizeof text - 1);
	sys(__NR_close, fd);
	if (got <= 0)
		return 0;
	text[got] = 0;
	while (*at && *at == *own)
		at++, own++;
	if (!*at && !*own)
		return 0;
	for (at = text; take_extent(&at, extent);)
		if (extent[0] != extent[1])
			take_ids(kind, extent[1], extent[2]);
	return 1;
}

static void take_process(int proc, const char *pid)
{
	if (take_map(USERS, proc, pid, "/uid_map"))
		take_map(GROUPS, proc, pid, "/gid_map");
}

static void take_living(void)
{
	long proc = sys(__NR_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), got;

	if (proc < 0)
		return;
	while ((got = sys(__NR_getdents64, proc, table, sizeof table)) > 0)
		for (const char *at = table; at < table + got; at += ((const struct entry *)(const void *)at)->length) {
			const struct entry *e = (const void *)at;
			if (e->name[0] >= '1' && e->name[0] <= '9')
				take_process((int)proc, e->name);
		}
	sys(__NR_close, proc);
}

/* Returns the last pid that the kernel assigned, 0 if unknown. */
static u32 last_pid(void)
{
	char text[128];
	const char *at;
	long got = read_text("/proc/loadavg", text, sizeof text);

	if (got < 2)
		return 0;
	for (at = text + got - 2; at > text && at[-1] != ' '; at--)
		;
	return (u32)take_digits(&at);
}

/* Marks the ids of processes started since the last scan, by their pids. Returns 0 if a full scan is needed. */
static int take_new(void)
{
	u32 last = last_pid();
	long proc;

	if (!last || last < facts.last_pid || last - facts.last_pid > NEW_PIDS)
		return 0;
	proc = sys(__NR_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return 0;
	while (facts.last_pid < last) {
		char digits[12];
		int at = sizeof digits - 1;
		u32 pid = ++facts.last_pid;

		digits[at] = 0;
		do
			digits[--at] = (char)('0' + pid % 10);
		while (pid /= 10);
		take_process((int)proc, digits + at);
	}
	sys(__NR_close, proc);
	return 1;
}

/* Reads the key of the cached facts, which identifies the namespaces and the account files. */
static void read_key(u64 key[KEY_LENGTH])
{
	static const char *const files[] = {
		"/proc/self/ns/user", "/proc/self/ns/pid", "/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"
	};
	struct statx st;

	for (int i = 0; i < (int)(sizeof files / sizeof *files); i++) {
		key[2 * i] = key[2 * i + 1] = 0;
		if (sys(__NR_statx, AT_FDCWD, files[i], 0, STATX_INO | STATX_MTIME, &st))
			continue;
		key[2 * i] = st.stx_ino;
		/* a namespace file has no modification time of its own */
		if (i > 1)
			key[2 * i + 1] = (u64)st.stx_mtime.tv_sec * 1000000000 + st.stx_mtime.tv_nsec;
	}
}

void read_ids_facts(void)
{
	static const struct field user = { USERS, 2, 0 }, group = { GROUPS, 3, 0 }, named = { GROUPS, 2, 0 };
	static const struct field users = { USERS, 1, 2 }, groups = { GROUPS, 1, 2 };
	u32 both[KINDS];

	facts.version = FACTS_VERSION;
	read_key(facts.key);
	choose_ranges(USERS, "/proc/self/uid_map", "/etc/subuid");
	choose_ranges(GROUPS, "/proc/self/gid_map", "/etc/subgid");
	for (facts.each = IDS_EACH;; facts.each = 1) {
		for (int kind = 0; kind < KINDS; kind++)
			both[kind] = facts.shared[kind] ? 1 : count_slots(kind, facts.each);
		if (facts.each == 1 || (both[USERS] && both[GROUPS] && !facts.shared[USERS] && !facts.shared[GROUPS]))
			break;
	}
	facts.slots = facts.shared[GROUPS] || (!facts.shared[USERS] && both[USERS] < both[GROUPS]) ? both[USERS] : both[GROUPS];
	facts.last_pid = last_pid();
	memset(facts.taken, 0, sizeof facts.taken);
	for (int kind = 0; kind < KINDS; kind++)
		take_ids(kind, K_OVERFLOW_ID, 2);
	each_line("/etc/passwd", take_line, &user);
	each_line("/etc/passwd", take_line, &group);
	each_line("/etc/group", take_line, &named);
	each_line("/etc/subuid", take_others_line, &users);
	each_line("/etc/subgid", take_others_line, &groups);
	take_living();
	facts.read_at = now_ms();
}

static int is_current(const struct ids_facts *f, u64 now)
{
	u64 key[KEY_LENGTH];

	if (f->version != FACTS_VERSION || f->read_at > now || now - f->read_at > FRESH_MS || f->slots > MAX_SLOTS ||
	    f->free[USERS].length > MAX_RANGES || f->free[GROUPS].length > MAX_RANGES || (f->each != 1 && f->each != IDS_EACH))
		return 0;
	read_key(key);
	for (int i = 0; i < KEY_LENGTH; i++)
		if (key[i] != f->key[i])
			return 0;
	return 1;
}

/* Reads the facts from the file if it exists, and adds newer processes. */
void refresh_ids_facts(int fd)
{
	if (fd >= 0 && sys(__NR_pread64, fd, &facts, sizeof facts, 0) != (long)sizeof facts)
		facts.version = 0;
	/* a map is written only once, and this process stays in its user namespace */
	for (int kind = 0; kind < KINDS && !*own_map[KINDS - 1]; kind++) {
		long got = read_text(kind == USERS ? "/proc/self/uid_map" : "/proc/self/gid_map", own_map[kind],
				     sizeof own_map[kind] - 1);

		own_map[kind][got > 0 ? got : 0] = 0;
	}
	if (!is_current(&facts, now_ms()) || !take_new())
		read_ids_facts();
}

void keep_ids_facts(int fd)
{
	if (fd >= 0)
		sys(__NR_pwrite64, fd, &facts, sizeof facts, 0);
}
