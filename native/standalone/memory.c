/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's memory: at most MEMORY_LIMIT. Notes when memory was refused, since an exception that
 * follows can have any cause in the engine's words. The engine is compiled so that it asks for each block
 * here. Blocks of the snapshot have no size: one that is freed stays unused. While the build makes the
 * snapshot, all memory is from layout.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine.h"

#define MEMORY_LIMIT (64u << 20)
#define CHUNK (256u << 10)
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
/* a class for each 8 bytes up to 128, 4 for each power of 2 up to CHUNK; larger blocks are mapped one by one */
#define CLASSES 61
#define LARGE CLASSES

struct block {
	size_t size;
	union {
		struct block *next;
		char memory[8];
	};
};

#define HEAD offsetof(struct block, memory)

int memory_refused;
static size_t limit = MEMORY_LIMIT;
static size_t used;
static struct block *given_back[CLASSES];
/* what is left of the last chunk */
static char *chunk, *chunk_end;
/* the memory of the blocks without a size: all memory while the build makes the snapshot */
static uintptr_t sizeless, sizeless_length;
static int making;

static struct block *block_of(const void *memory)
{
	return (struct block *)((uintptr_t)memory - HEAD);
}

/* Says where blocks have no size: in the snapshot. */
void set_snapshot_memory(const char *start, const char *stop)
{
	sizeless = (uintptr_t)start;
	sizeless_length = (uintptr_t)stop - sizeless;
	making = 0;
}

static int has_size(const void *memory)
{
	return (uintptr_t)memory - sizeless >= sizeless_length;
}

/* Returns a block's size, or 0 if it is unknown. */
static size_t size_of(const void *memory)
{
	return memory && has_size(memory) ? block_of(memory)->size : 0;
}

/* Rounds a size up to that of its class. Returns the class. */
static unsigned int class_of(size_t *size)
{
	unsigned int bits;
	size_t step;

	if (*size <= 128) {
		*size = *size ? (*size + 7) & ~(size_t)7 : 8;
		return (unsigned int)(*size / 8);
	}
	if (*size > CHUNK) {
		*size = (*size + 4095) & ~(size_t)4095;
		return LARGE;
	}
	bits = 63 - (unsigned int)__builtin_clzl(*size - 1);
	step = (size_t)1 << (bits - 2);
	*size = (*size + step - 1) & ~(step - 1);
	return 16 + 4 * (bits - 7) + (unsigned int)(*size >> (bits - 2)) - 4;
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Maps the next chunk. Returns 0 if there is no memory. */
int reserve_memory(void)
{
	if (snapshot_wanted() && !chunk) {
		making = 1;
		sizeless_length = UINTPTR_MAX;
	}
	chunk = map(CHUNK * 2);
	chunk_end = chunk ? chunk + CHUNK * 2 : NULL;
	return chunk != NULL;
}

static struct block *take(size_t size)
{
	size_t exact = size;
	unsigned int class = class_of(&size);
	struct block *block;

	if (SANITIZED) {
		size = exact;
		block = malloc(size + HEAD);
	} else if (class == LARGE) {
		block = map(size + HEAD);
	} else if (given_back[class]) {
		block = given_back[class];
		given_back[class] = block->next;
	} else {
		if ((size_t)(chunk_end - chunk) < size + HEAD)
			reserve_memory();
		block = (struct block *)chunk;
		if (chunk)
			chunk += size + HEAD;
	}
	if (block) {
		block->size = size;
		used += size;
	}
	return block;
}

static int fits(size_t size)
{
	if (size <= limit && used <= limit - size)
		return 1;
	memory_refused = 1;
	return 0;
}

static void *get(void *opaque, size_t size)
{
	struct block *block;

	(void)opaque;
	if (making)
		return layout_take(size);
	if (!fits(size))
		return NULL;
	block = take(size);
	if (block)
		return block->memory;
	memory_refused = 1;
	return NULL;
}

static void *get_zeros(void *opaque, size_t count, size_t size)
{
	void *memory;

	if (size && count > limit / size) {
		memory_refused = 1;
		return NULL;
	}
	memory = get(opaque, count * size);
	return memory ? memset(memory, 0, count * size) : NULL;
}

static void give(void *opaque, void *memory)
{
	struct block *block = block_of(memory);
	size_t size;
	unsigned int class;

	(void)opaque;
	if (making)
		layout_give(memory);
	if (!memory || !has_size(memory))
		return;
	used -= block->size;
	if (SANITIZED) {
		free(block);
		return;
	}
	size = block->size;
	class = class_of(&size);
	if (class == LARGE) {
		munmap(block, block->size + HEAD);
	} else {
		block->next = given_back[class];
		given_back[class] = block;
	}
}

/* Returns how many bytes to copy from a block to one of this size. The size of a snapshot's block is unknown: what follows it does no harm. */
static size_t size_to_copy(const void *memory, size_t size)
{
	size_t before;

	if (making)
		before = layout_size(memory);
	else if (has_size(memory))
		before = block_of(memory)->size;
	else
		before = sizeless + sizeless_length - (uintptr_t)memory;
	return before < size ? before : size;
}

static void *resize(void *opaque, void *memory, size_t size)
{
	size_t before = size_of(memory);
	void *other;

	if (size == 0) {
		give(opaque, memory);
		return NULL;
	}
	if (size <= before && size >= before / 2)
		return memory;
	if (size > before && !fits(size - before))
		return NULL;
	if (!SANITIZED && before > CHUNK && size > CHUNK) {
		class_of(&size);
		other = mremap(block_of(memory), before + HEAD, size + HEAD, MREMAP_MAYMOVE);
		if (other == MAP_FAILED) {
			memory_refused = 1;
			return NULL;
		}
		used += size - before;
		((struct block *)other)->size = size;
		return ((struct block *)other)->memory;
	}
	other = get(opaque, size);
	if (!other)
		return NULL;
	if (memory)
		memcpy(other, memory, size_to_copy(memory, size));
	give(opaque, memory);
	return other;
}

/* Lets the words about an error have the memory that they need. */
void lift_memory_limit(void)
{
	limit = (size_t)-1 >> 1;
}

/* Returns the engine with this memory, or NULL. */
JSRuntime *new_runtime(void)
{
	static const JSMallocFunctions functions = { get_zeros, get, give, resize, size_of };

	return JS_NewRuntime2(&functions, NULL);
}
