/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot: the engine's memory after hutch's common modules were loaded, as the build wrote it.
 * A start maps it, so that nothing is read or executed again; the kernel copies a page when it changes. What common
 * commands do not use is packed (packed.c).
 * The build links this program with an empty area that says MAKE, and runs it: it loads the modules and
 * writes the area. A second link has that area at the same address. Without one, each start loads its modules.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "engine.h"

__asm__(".section hutch_snapshot,\"aw\",@progbits\n.balign 4096\n.globl snapshot, snapshot_end\n.hidden snapshot, snapshot_end\n"
	"snapshot:\n	.incbin \"" HUTCH_SNAPSHOT "\"\nsnapshot_end:\n.text\n");

#define ABSENT 0
#define MAKE 1
#define MADE 2

/* variables of C that the engine's memory belongs to: those with KEPT */
extern char __start_kept[], __stop_kept[];

extern struct {
	uint64_t state;
	/* size of the packed blocks' memory, which ends where this begins */
	uint64_t packed_size;
	char kept[1008];
	_Alignas(16) char memory[];
} snapshot;
extern const char snapshot_end[];

int snapshot_wanted(void)
{
	return snapshot.state == MAKE;
}

/* Returns the area's memory, which begins as zeros. */
char *snapshot_area(void)
{
	return snapshot.memory;
}

/* Returns memory for the packed blocks, as zeros. */
char *packed_area(size_t size)
{
	char *start;

	snapshot.packed_size = (size + PACKED_BLOCK - 1) / PACKED_BLOCK * PACKED_BLOCK;
	start = (char *)&snapshot - snapshot.packed_size;
	if (mmap(start, snapshot.packed_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != start)
		_exit(1);
	return start;
}

/* Returns whether there is a snapshot. The engine is then as it was when the build made it. */
int snapshot_open(void)
{
	if (snapshot.state != MADE)
		return 0;
	memcpy(__start_kept, snapshot.kept, (size_t)(__stop_kept - __start_kept));
	unpack_on_demand((char *)&snapshot - snapshot.packed_size, (char *)&snapshot);
	set_snapshot_memory((char *)&snapshot - snapshot.packed_size, snapshot_end);
	JS_UpdateStackTop(JS_GetRuntime(js));
	return 1;
}

/* The engine takes its seeds from the clock. Two builds make the same snapshot. */
int __real_gettimeofday(struct timeval *now, void *zone);
int __wrap_gettimeofday(struct timeval *now, void *zone);

int __wrap_gettimeofday(struct timeval *now, void *zone)
{
	int status = __real_gettimeofday(now, zone);

	if (snapshot_wanted())
		*now = (struct timeval){ 1, 0 };
	return status;
}

/* Removes addresses of the stack, whose place is another in each process. JS_UpdateStackTop sets them at a start. */
static void forget_stack(uintptr_t *from, const uintptr_t *to)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0), room = 16u << 20;

	for (; from < to; from++)
		if (*from > here - room && *from < here + room)
			*from = 0;
}

void write_all(const void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = write(1, (const char *)bytes + done, size - done);

		if (count <= 0)
			_exit(1);
		done += (size_t)count;
	}
}

/* Writes the size of the packed blocks' memory, that memory and the area to stdout, for the second link. Returns in a process that executes a command for the layout. */
void snapshot_write(int *argc, char ***argv)
{
	size_t size = (size_t)(__stop_kept - __start_kept);
	const char *memory;
	char *start;

	if (size > sizeof snapshot.kept || JS_IsJobPending(JS_GetRuntime(js)))
		_exit(1);
	memory = layout_end(argc, argv);
	if (!memory) {
		snapshot.state = ABSENT;
		return;
	}
	snapshot.state = MADE;
	memcpy(snapshot.kept, __start_kept, size);
	start = (char *)&snapshot - snapshot.packed_size;
	forget_stack((uintptr_t *)start, (const uintptr_t *)memory);
	write_all(&snapshot.packed_size, sizeof snapshot.packed_size);
	write_all(start, (size_t)(memory - start));
	_exit(0);
}
