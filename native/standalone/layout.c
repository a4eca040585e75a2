/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lays out the blocks of the snapshot while the build makes it, so that a start touches few of its pages. The program
 * runs twice, and asks for the same blocks in the same order. The first run gives each block pages of its own. At the
 * end, a child for each command of the arguments executes the command, and reads in /proc/self/pagemap which
 * blocks it wrote or read. The second run reads from stdin what the first one wrote, and has blocks of the
 * same commands side by side. Blocks that no command used lie before the others, where packed.c unpacks them.
 * Two builds must measure the same. Only what a command used in most rounds counts, and what depends on timing is made to
 * differ between rounds.
 * Blocks that are freed before the end are not in the snapshot.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

#define POOL ((size_t)1 << 36)
#define POOL_ADDRESS ((void *)((uintptr_t)1 << 44))
/* the kernel maps up to 16 pages around the one that is read, if they exist */
#define SLOT ((size_t)64 << 10)
#define BLOCKS (1u << 20)
#define PAGE 4096u
#define COMMANDS 16
/* the bit of the chains, which no command has */
#define CHAINS 1u
/*
 * The first round finds nothing that an earlier one left, so it does not count. What a command uses in most of the others
 * is in the layout. In a few of them it works without delay, so that what depends on timing is never in most. What a
 * busy machine changes now and then is.
 */
#define ROUNDS 9
#define MOST 6
#define IS_DELAYED(round) ((round) % 4 != 1)
/* the wait before a turn of the loop: events that came one by one then come together */
#define TURN_DELAY { .tv_nsec = 20000000 }
#define LOOKUPS (1u << 17)
#define MASKS (1u << COMMANDS)
/* zones in their order: blocks that commands write, blocks that they only read, the others */
#define GONE 0
#define WRITTEN 1u
#define READ (WRITTEN + MASKS)
#define UNUSED_ZONE (READ + MASKS)
#define ZONES (UNUSED_ZONE + 1)
/* bits of an entry of pagemap */
#define PRESENT ((uint64_t)1 << 63)
#define SWAPPED ((uint64_t)1 << 62)
#define FROM_FILE ((uint64_t)1 << 61)

/* what the first run writes */
static struct layout {
	uint32_t count;
	/* a bit for each command that failed */
	uint32_t failed;
	uint32_t sizes[ZONES];
	uint32_t zones[BLOCKS];
} *layout;

struct block {
	char *memory;
	size_t size;
	/* a bit for each command of this round */
	uint16_t writes, reads;
	/* the number of rounds of each command in which it wrote, and in which it wrote or read */
	uint8_t written[COMMANDS], used[COMMANDS];
	uint8_t gone;
};

static struct block *blocks;
static uint32_t count;
/* The pool has the memory of the first run, and of blocks that are freed. A slot has its block's number. */
static char *pool, *pool_end;
static int pool_file;
static uint32_t *slots;
static char **free_place;
static uint16_t command;
static int round_number;

static void *map(size_t size, int flags, int fd, void *address)
{
	void *memory = mmap(address, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	return memory;
}

static void open_layout(void)
{
	size_t done = 0;
	ssize_t more;

	layout = map(sizeof *layout, MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
	while ((more = read(0, (char *)layout + done, sizeof *layout - done)) > 0)
		done += (size_t)more;
	free_place = map(ZONES * sizeof *free_place, MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
	free_place[0] = snapshot_area();
	for (unsigned int zone = 1; zone < ZONES; zone++)
		free_place[zone] = free_place[zone - 1] + layout->sizes[zone - 1];
	if (layout->count)
		free_place[UNUSED_ZONE] = packed_area(layout->sizes[UNUSED_ZONE]);
	pool_file = memfd_create("pool", MFD_CLOEXEC);
	if (pool_file < 0 || ftruncate(pool_file, POOL))
		_exit(1);
	/* the engine's maps depend on addresses */
	pool = map(POOL, MAP_SHARED | MAP_FIXED_NOREPLACE, pool_file, POOL_ADDRESS);
	pool_end = pool;
	slots = map(POOL / SLOT * sizeof *slots, MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
	blocks = map(BLOCKS * sizeof *blocks, MAP_SHARED | MAP_ANONYMOUS, -1, NULL);
}

static size_t rounded(size_t size, size_t unit)
{
	return (size + unit - 1) & ~(unit - 1);
}

static struct block *block_of(const void *memory)
{
	/* the second run is not as the first one */
	if ((const char *)memory < pool || (const char *)memory >= pool_end)
		_exit(1);
	return &blocks[slots[(size_t)((const char *)memory - pool) / SLOT]];
}

void *layout_take(size_t size)
{
	uint32_t zone;
	char *memory;

	if (!pool)
		open_layout();
	if (count == BLOCKS || pool_end + rounded(size, SLOT) > pool + POOL)
		_exit(1);
	zone = count < layout->count ? layout->zones[count] : GONE;
	if (zone != GONE) {
		memory = free_place[zone];
		free_place[zone] += rounded(size, 8);
	} else {
		memory = pool_end;
		slots[(size_t)(memory - pool) / SLOT] = count;
		pool_end += rounded(size, SLOT);
	}
	blocks[count++] = (struct block){ .memory = memory, .size = size };
	return memory;
}

void layout_give(void *memory)
{
	struct block *block;

	if (!memory)
		return;
	block = block_of(memory);
	block->gone = 1;
	madvise(memory, rounded(block->size, PAGE), MADV_REMOVE);
}

size_t layout_size(const void *memory)
{
	return block_of(memory)->size;
}

/* Notes which blocks the command of this child used. */
void layout_report(void)
{
	int file = command ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
	uint64_t entry;

	for (struct block *block = blocks; file >= 0 && block < blocks + count; block++)
		for (size_t done = 0; !block->gone && done < block->size; done += PAGE) {
			if (pread(file, &entry, sizeof entry, (off_t)((uintptr_t)(block->memory + done) / PAGE * sizeof entry)) != sizeof entry)
				return;
			if (entry & SWAPPED || (entry & PRESENT && !(entry & FROM_FILE)))
				block->writes |= command;
			else if (entry & PRESENT)
				block->reads |= command;
		}
}

/* Waits before a turn of the loop in most rounds. Returns 1 in a command that is measured. */
int layout_turn(void)
{
	const struct timespec delay = TURN_DELAY;

	if (command && IS_DELAYED(round_number))
		nanosleep(&delay, NULL);
	return command != 0;
}

/* Starts a child that uses the snapshot as a start does. Returns 1 in the child, and 0 in the parent after its end. */
static int start_child(int bit)
{
	int status = 0;
	pid_t child = fork();

	if (child) {
		waitpid(child, &status, 0);
		if (child < 0 || status)
			layout->failed |= 1u << bit;
		return 0;
	}
	command = (uint16_t)(1 << bit);
	map(POOL, MAP_PRIVATE | MAP_FIXED, pool_file, pool);
	set_snapshot_memory(pool, pool_end);
	return 1;
}

/*
 * Looks up names and shapes of objects that do not exist. The engine's tables of them have chains. What depends on
 * the input may be in any chain, so whole chains must not be packed.
 */
static void walk_chains(void)
{
	char name[16];

	for (unsigned int i = 0; i < LOOKUPS; i++) {
		JS_FreeAtom(js, JS_NewAtomLen(js, name, (size_t)snprintf(name, sizeof name, "name%x", i)));
		/* the prototype stays, so that the next one has another address */
		JS_FreeValue(js, JS_NewObjectProto(js, JS_NewObject(js)));
	}
	layout_report();
	_exit(0);
}

/* Which parts of chains a command reads depends on ids, so they lie together. */
static void end_round(void)
{
	for (struct block *block = blocks; block < blocks + count; block++) {
		if (block->reads & CHAINS && !block->writes)
			block->reads = CHAINS;
		for (int bit = 0; round_number > 0 && bit < COMMANDS; bit++) {
			block->written[bit] += block->writes >> bit & 1;
			block->used[bit] += (block->reads | block->writes) >> bit & 1;
		}
		block->reads = block->writes = 0;
	}
}

/* Returns in a child for each command, with its arguments, and at the end in the parent, with none. The command `wait` waits for the end of what commands left. */
static void execute_commands(int *argc, char ***argv)
{
	int bit = 1, end, null;

	if (start_child(0))
		walk_chains();
	for (int at = 1; at < *argc && bit < COMMANDS; at = end + 1, bit++) {
		for (end = at; end < *argc && strcmp((*argv)[end], ":::");)
			end++;
		if (end - at == 1 && strcmp((*argv)[at], "wait") == 0) {
			while (wait(NULL) > 0)
				;
			bit--;
			continue;
		}
		if (!start_child(bit))
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; fd <= 2; fd++)
			dup2(null, fd);
		close(null);
		*argc = end - at;
		*argv += at;
		(*argv)[*argc] = NULL;
		return;
	}
	end_round();
}

/* Returns a bit for each command that used a block in most rounds. */
static uint16_t most(const uint8_t *rounds)
{
	uint16_t mask = 0;

	for (int bit = 0; bit < COMMANDS; bit++)
		if (rounds[bit] >= MOST)
			mask |= (uint16_t)(1 << bit);
	return mask;
}

/* Returns zones of written blocks in an order in which those of most commands are first. */
static void order_masks(uint32_t *order)
{
	uint32_t next = 0;

	for (int bits = COMMANDS; bits >= 0; bits--)
		for (unsigned int mask = 0; mask < MASKS; mask++)
			if (__builtin_popcount(mask) == bits)
				order[mask] = next++;
}

/* Ends the first run by writing the layout. Returns the end of the snapshot's memory in the second, NULL in a command's child. */
char *layout_end(int *argc, char ***argv)
{
	uint32_t *order = map(MASKS * sizeof *order, MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
	uint32_t zone;

	if (layout->count) {
		if (count != layout->count)
			_exit(1);
		return free_place[UNUSED_ZONE - 1];
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (; round_number < ROUNDS; round_number++) {
		execute_commands(argc, argv);
		if (command)
			return NULL;
	}
	order_masks(order);
	for (struct block *block = blocks; block < blocks + count; block++) {
		zone = UNUSED_ZONE;
		if (most(block->written))
			zone = WRITTEN + order[most(block->written)];
		else if (most(block->used))
			zone = READ + order[most(block->used)];
		if (block->gone)
			zone = GONE;
		else
			layout->sizes[zone] += (uint32_t)rounded(block->size, 8);
		layout->zones[block - blocks] = zone;
	}
	layout->count = count;
	write_all(layout, offsetof(struct layout, zones) + count * sizeof *layout->zones);
	_exit(0);
}
