/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's memory: at most MEMORY_LIMIT. Notes when memory was refused, since an exception that
 * follows can have any cause in the engine's words.
 */
#include <malloc.h>
#include <stdlib.h>

#include "engine.h"

#define MEMORY_LIMIT (64u << 20)

int memory_refused;
static size_t limit = MEMORY_LIMIT;
static size_t used;

static void *note(void *memory)
{
	if (memory)
		used += malloc_usable_size(memory);
	else
		memory_refused = 1;
	return memory;
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
	return fits(size) ? note(malloc(size)) : NULL;
}

static void *get_zeros(void *opaque, size_t count, size_t size)
{
	(void)opaque;
	if (size && count > limit / size) {
		memory_refused = 1;
		return NULL;
	}
	return fits(count * size) ? note(calloc(count, size)) : NULL;
}

static void give(void *opaque, void *memory)
{
	(void)opaque;
	used -= malloc_usable_size(memory);
	free(memory);
}

static void *resize(void *opaque, void *memory, size_t size)
{
	size_t before = malloc_usable_size(memory);
	void *other;

	(void)opaque;
	if (size > before && !fits(size - before))
		return NULL;
	other = realloc(memory, size);
	if (!other) {
		if (size)
			memory_refused = 1;
		else
			used -= before;
		return NULL;
	}
	used += malloc_usable_size(other) - before;
	return other;
}

/* Lets the words about an error have the memory that they need. */
void lift_memory_limit(void)
{
	limit = (size_t)-1 >> 1;
}

static size_t size_of(const void *memory)
{
	return malloc_usable_size((void *)(uintptr_t)memory);
}

/* Returns the engine with this memory, or NULL. */
JSRuntime *new_runtime(void)
{
	static const JSMallocFunctions functions = { get_zeros, get, give, resize, size_of };

	return JS_NewRuntime2(&functions, NULL);
}
