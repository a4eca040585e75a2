/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reserves host ids for the user namespace of one sandbox. No account, other sandbox or other user
 * namespace uses these ids. The kernel's per-user limits and signals therefore stay within this
 * sandbox. A range is reserved by a lock on the bytes of /run/hutch/ids whose offsets are the ids.
 * The kernel releases the lock whenever its holder ends. If /run is not writable, or another mount
 * namespace has another /run, two weaker means remain. These are a random choice of ids, and the
 * ids of the user namespaces that are visible in /proc.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "ids.h"

#define LOCK_FILE "/run/hutch/ids"

static int busy;

static u32 id_of(enum kind kind, u32 slot)
{
	const struct ranges *free = &facts.free[kind];

	for (u32 i = 0; !facts.shared[kind] && i < free->length; i++) {
		u32 slots = free->at[i].count / facts.each;

		if (slot < slots)
			return free->at[i].start + slot * facts.each;
		slot -= slots;
	}
	return free->length ? free->at[0].start : 0;
}

static int open_lock(void)
{
	static const char directory[] = "/run/hutch";
	long fd = -ENOENT;

	for (int tries = 0; tries < 2 && fd == -ENOENT; tries++) {
		if (tries)
			sys(__NR_mkdirat, AT_FDCWD, directory, 0755);
		fd = sys(__NR_openat, AT_FDCWD, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	return (int)fd;
}

/*
 * Returns the first free slot (range of ids), searching from a random slot upwards, so that
 * concurrent starts rarely compete.
 */
static long find_slot(int fd)
{
	u32 random = 0;

	if (!facts.slots)
		return -EDQUOT;
	sys(__NR_getrandom, &random, sizeof random, 0);
	for (u32 n = 0, slot = random % facts.slots; n < facts.slots; n++, slot = slot + 1 == facts.slots ? 0 : slot + 1) {
		struct { short type, whence; long start, length; int pid; } lock = { F_WRLCK, 0, 0, facts.each, 0 };
		long err;

		if (facts.taken[slot / 8] >> slot % 8 & 1)
			continue;
		if (fd < 0 || facts.shared[USERS])
			return slot;
		lock.start = id_of(USERS, slot);
		err = sys(__NR_fcntl, fd, F_OFD_SETLK, &lock);
		if (!err)
			return slot;
		if (err != -EAGAIN && err != -EACCES)
			return err;
	}
	return -EDQUOT;
}

/*
 * Reserves a range of user and group ids for one sandbox. Returns -EDQUOT if no range is free. The
 * threads of one process share the facts about ids.
 */
int op_reserve_ids(struct outer *o, struct cursor *c)
{
	long slot, err = finished(c);
	u64 now = now_ms();
	int fd;

	if (err)
		return (int)err;
	while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	fd = open_lock();
	refresh_ids_facts(fd);
	slot = find_slot(fd);
	if (slot == -EDQUOT && facts.read_at < now) {	/* these facts may be old: processes may have ended */
		read_ids_facts();
		slot = find_slot(fd);
	}
	keep_ids_facts(fd);
	if (slot >= 0) {
		o->ids_fd = fd;
		o->first_user = id_of(USERS, (u32)slot);
		o->first_group = id_of(GROUPS, (u32)slot);
		o->id_count = facts.each;
	}
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	if (slot < 0 && fd >= 0)
		sys(__NR_close, fd);
	return slot < 0 ? (int)slot : 0;
}

/* Releases the reserved ids: closing the descriptor releases the lock on them. */
void release_ids(struct outer *o)
{
	if (o->id_count && o->ids_fd >= 0)
		sys(__NR_close, o->ids_fd);
	o->id_count = 0;
}
