// SPDX-License-Identifier: Apache-2.0
/* Shared by the tests of the C core: checks, whose failures are counted, and functions that build programs. */
#ifndef HUTCH_TEST_CHECK_H
#define HUTCH_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../hutch.h"

extern int failed, done;

#define CHECK(condition) \
	do { \
		done++; \
		if (!(condition)) { \
			failed++; \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

/*
 * A program that a test builds. Its bytes are on the heap with nothing after them, so that
 * AddressSanitizer finds reads beyond the end.
 */
struct builder {
	u8 bytes[65536];
	u32 size;
};

static inline void put(struct builder *b, u32 value)
{
	memcpy(b->bytes + b->size, &value, 4);
	b->size += 4;
}

static inline void put_string(struct builder *b, const char *text)
{
	u32 length = (u32)strlen(text);

	put(b, length);
	memset(b->bytes + b->size, 0, length + 4);
	memcpy(b->bytes + b->size, text, length);
	b->size += (length + 1 + 3) & ~3u;
}

static inline u32 begin(struct builder *b, u32 code)
{
	put(b, code);
	put(b, 0);
	return b->size;
}

static inline void end(struct builder *b, u32 start)
{
	u32 length = b->size - start;

	memcpy(b->bytes + start - 4, &length, 4);
}

static inline void header(struct builder *b)
{
	b->size = 0;
	put(b, PROGRAM_MAGIC);
	put(b, 0);
	put(b, 0);
	put(b, 0);
}

static inline void close_header(struct builder *b)
{
	u32 outer = b->size - 16;

	memcpy(b->bytes + 4, &outer, 4);
}

static inline u8 *copy_exact(const struct builder *b)
{
	u8 *copy = malloc(b->size ? b->size : 1);

	memcpy(copy, b->bytes, b->size);
	return copy;
}

static inline int exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* rights.c */
void test_root(const char *directory);
void test_root_ops(void);
void test_session(void);
void test_maps(void);
void test_bound(void);
void test_landlock(const char *directory);
void test_binds(void);
void test_tool(void);

/* order.c */
void test_order(void);

/* status.c */
void test_status(void);

/* compiled.c */
void test_compiled(void);

/* job-log.c */
void test_job_log(const char *directory);

#endif
