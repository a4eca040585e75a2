/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's memory: at most MEMORY_LIMIT. Notes when memory was refused, since an exception that
 * follows can have any cause in the engine's words. The engine asks for pages of small objects, and
 * for larger blocks. While the build makes the snapshot, all memory is from its area (snapshot.c).
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
/* 4 classes for each power of 2, from 64 bytes to CHUNK; larger blocks are mapped one by one */
#define CLASSES 49
#define LARGE CLASSES

struct block {
	size_t size;
	struct block *next;
	_Alignas(16) char memory[];
};

int memory_refused;
static size_t limit = MEMORY_LIMIT;
static size_t used KEPT;
static struct block *given_back[CLASSES] KEPT;
/* what is left of the last chunk */
static char *chunk, *chunk_end;

static struct block *block_of(const void *memory)
{
	return (struct block *)((uintptr_t)memory - sizeof(struct block));
}

static size_t size_of(const void *memory)
{
	return memory ? block_of(memory)->size : 0;
}

/* Rounds a size up to that of its class. Returns the class. */
static unsigned int class_of(size_t *size)
{
	size_t step = 16;
	unsigned int class = 0;

	if (*size > CHUNK) {
		*size = (*size + 4095) & ~(size_t)4095;
		return LARGE;
	}
	if (*size <= 64)
		*size = 64;
	while (*size > step * 8) {
		step *= 2;
		class += 4;
	}
	*size = (*size + step - 1) & ~(step - 1);
	return class + (unsigned int)(*size / step) - 4;
}

/* Keeps a block of at least its class's size. In the snapshot, blocks have sizes between two classes. */
static void keep(struct block *block)
{
	size_t size = block->size;
	unsigned int class = class_of(&size);

	if (size > block->size)
		class--;
	block->next = given_back[class];
	given_back[class] = block;
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Takes memory from the snapshot's area while the build makes it. Its free blocks are a list in the order of addresses. */
static struct block *take_from_area(size_t size)
{
	struct block *block, *rest;

	if (!chunk)
		chunk = snapshot_area(&chunk_end);
	size = size < 64 ? 64 : (size + 15) & ~(size_t)15;
	for (struct block **at = &given_back[0]; *at; at = &(*at)->next) {
		block = *at;
		if (block->size < size)
			continue;
		*at = block->next;
		if (block->size >= size + sizeof *rest + 64) {
			rest = (struct block *)(block->memory + size);
			rest->size = block->size - size - sizeof *rest;
			rest->next = block->next;
			*at = rest;
			block->size = size;
		}
		return block;
	}
	block = (struct block *)chunk;
	if ((size_t)(chunk_end - chunk) < size + sizeof *block)
		return NULL;
	chunk += size + sizeof *block;
	block->size = size;
	return block;
}

/* Gives memory back to the area. Neighbours become one block. */
static void give_to_area(struct block *block)
{
	struct block *before = NULL, *after = given_back[0];

	while (after && after < block) {
		before = after;
		after = after->next;
	}
	block->next = after;
	if (before)
		before->next = block;
	else
		given_back[0] = block;
	for (struct block *at = before ? before : block; at && at <= block; at = at->next)
		while (at->next && at->memory + at->size == (char *)at->next) {
			at->size += sizeof *at + at->next->size;
			at->next = at->next->next;
		}
}

/* Ends the making of the area: returns its end. Its free blocks are for the program that gets it. */
char *memory_end(void)
{
	struct block *list = given_back[0], *next;

	given_back[0] = NULL;
	for (; list; list = next) {
		next = list->next;
		if (list->size <= CHUNK)
			keep(list);
	}
	return chunk;
}

/* Maps the next chunk. Returns 0 if there is no memory. */
int reserve_memory(void)
{
	if (snapshot_wanted())
		return 1;
	chunk = map(CHUNK * 2);
	chunk_end = chunk ? chunk + CHUNK * 2 : NULL;
	return chunk != NULL;
}

static struct block *take_from_chunk(unsigned int class, size_t size)
{
	struct block *block;

	if (SANITIZED) {
		block = malloc(size + sizeof *block);
	} else if (class == LARGE) {
		block = map(size + sizeof *block);
	} else if (given_back[class]) {
		block = given_back[class];
		given_back[class] = block->next;
		return block;
	} else {
		if ((size_t)(chunk_end - chunk) < size + sizeof *block)
			reserve_memory();
		block = (struct block *)chunk;
		if (chunk)
			chunk += size + sizeof *block;
	}
	if (block)
		block->size = size;
	return block;
}

static void *take(size_t size)
{
	size_t exact = size;
	unsigned int class = class_of(&size);
	struct block *block = snapshot_wanted() ? take_from_area(exact) : take_from_chunk(class, SANITIZED ? exact : size);

	if (!block) {
		memory_refused = 1;
		return NULL;
	}
	used += block->size;
	return block->memory;
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
	(void)opaque;
	return fits(size) ? take(size) : NULL;
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

	(void)opaque;
	if (!memory)
		return;
	used -= block->size;
	if (SANITIZED)
		free(block);
	else if (snapshot_wanted())
		give_to_area(block);
	else if (block->size <= CHUNK)
		keep(block);
	else if (!in_snapshot(block))
		munmap(block, block->size + sizeof *block);
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
	if (!SANITIZED && before > CHUNK && size > CHUNK && !in_snapshot(memory)) {
		class_of(&size);
		other = mremap(block_of(memory), before + sizeof(struct block), size + sizeof(struct block), MREMAP_MAYMOVE);
		if (other == MAP_FAILED) {
			memory_refused = 1;
			return NULL;
		}
		used += size - before;
		((struct block *)other)->size = size;
		return ((struct block *)other)->memory;
	}
	other = take(size);
	if (!other)
		return NULL;
	if (memory)
		memcpy(other, memory, size < before ? size : before);
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
