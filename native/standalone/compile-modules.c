/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the build: compiles modules to bytecode. Reads "LENGTH COMMON NAME\n" and that many bytes
 * of source for each. The bytes after "0 0 -\n" are kept as they are. Writes what modules.c includes. COMMON is 1 for a module of the snapshot,
 * and 2 for one that is there already: its bytecode is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quickjs.h>

#define MODULES 2048
/* as in modules.c */
#define BLOCK (1u << 16)

static void fail(JSContext *c, const char *name)
{
	JSValue error = JS_GetException(c);
	const char *text = JS_ToCString(c, error);

	fprintf(stderr, "%s: %s\n", name, text ? text : "not compiled");
	exit(1);
}

/* Writes a count of 15 or more after its 4 bits. */
static uint8_t *put_count(uint8_t *to, uint32_t count)
{
	for (count -= 15; count >= 255; count -= 255)
		*to++ = 255;
	*to++ = (uint8_t)count;
	return to;
}

/*
 * Packs a block. A part begins with two counts of 4 bits. The first says how many literal bytes follow. Then
 * 2 bytes say how far back a copy begins; the second count is its length - 4. The last part has no copy.
 */
static uint32_t pack(const uint8_t *from, uint32_t size, uint8_t *to)
{
	static int32_t last[65536], before[BLOCK];
	uint8_t *start = to;
	uint32_t done = 0, at = 0;

	memset(last, 0xff, sizeof last);
	while (at < size) {
		uint32_t best = 0, back = 0, literals = at - done, key = 0;

		if (at + 4 <= size) {
			key = (from[at] | from[at + 1] << 8 | from[at + 2] << 16 | (uint32_t)from[at + 3] << 24) * 2654435761u >> 16;
			for (int32_t i = last[key], tries = 0; i >= 0 && tries < 4096; i = before[i], tries++) {
				uint32_t length = 0;

				while (at + length < size && from[i + length] == from[at + length])
					length++;
				if (length > best) {
					best = length;
					back = at - (uint32_t)i;
				}
			}
			before[at] = last[key];
			last[key] = (int32_t)at;
		}
		if (best < 4) {
			at++;
			continue;
		}
		*to++ = (uint8_t)((literals < 15 ? literals : 15) << 4 | (best - 4 < 15 ? best - 4 : 15));
		if (literals >= 15)
			to = put_count(to, literals);
		memcpy(to, from + done, literals);
		to += literals;
		*to++ = (uint8_t)back;
		*to++ = (uint8_t)(back >> 8);
		if (best - 4 >= 15)
			to = put_count(to, best - 4);
		for (uint32_t end = at + best, i = at + 1; i < end; i++)
			if (i + 4 <= size) {
				key = (from[i] | from[i + 1] << 8 | from[i + 2] << 16 | (uint32_t)from[i + 3] << 24) * 2654435761u >> 16;
				before[i] = last[key];
				last[key] = (int32_t)i;
			}
		at += best;
		done = at;
	}
	*to++ = (uint8_t)((size - done < 15 ? size - done : 15) << 4);
	if (size - done >= 15)
		to = put_count(to, size - done);
	memcpy(to, from + done, size - done);
	return (uint32_t)(to + (size - done) - start);
}

static char names[MODULES][256];

/* Neighbours are in one folder, and are often read together. */
static int by_name(const void *one, const void *other)
{
	return strcmp(names[*(const uint32_t *)one], names[*(const uint32_t *)other]);
}

int main(int argc, char **argv)
{
	int flags = JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE | (argc > 1 && !strcmp(argv[1], "debug") ? 0 : JS_WRITE_OBJ_STRIP_DEBUG);
	static uint32_t places[MODULES + 1][2], sizes[MODULES], order[MODULES], common[MODULES];
	static uint8_t *code[MODULES];
	JSContext *c = JS_NewContext(JS_NewRuntime());
	char name[256];
	size_t length;
	static uint8_t all[1 << 24], packed_code[1 << 25];
	static uint32_t packed[MODULES];
	uint32_t count = 0, common_count = 0, total = 0, packed_total = 0, blocks;
	int is_common;

	while (count < MODULES && scanf("%zu %d %255[^\n]", &length, &is_common, name) == 3) {
		char *source;
		size_t size;
		JSValue function;

		if (!length) {
			getchar();
			break;
		}
		source = calloc(1, length + 1);
		if (!source || getchar() != '\n' || fread(source, 1, length, stdin) != length)
			return 1;
		function = JS_Eval(c, source, length, name, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
		if (JS_IsException(function))
			fail(c, name);
		code[count] = JS_WriteObject(c, &size, function, flags);
		if (!code[count])
			fail(c, name);
		if (is_common)
			common[common_count++] = count;
		if (is_common == 2)
			size = 0;
		strcpy(names[count], name);
		sizes[count++] = (uint32_t)size;
		free(source);
	}
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort(order, count, sizeof *order, by_name);
	for (uint32_t i = 0; i < count; i++) {
		memcpy(all + total, code[order[i]], sizes[order[i]]);
		places[order[i]][0] = total;
		places[order[i]][1] = total += sizes[order[i]];
	}
	places[count][0] = total;
	places[count][1] = total += (uint32_t)fread(all + total, 1, sizeof all - total, stdin);
	blocks = (total + BLOCK - 1) / BLOCK;
	for (uint32_t i = 0; i < blocks; i++) {
		packed[i] = packed_total;
		packed_total += pack(all + i * BLOCK, total - i * BLOCK < BLOCK ? total - i * BLOCK : BLOCK, packed_code + packed_total);
	}
	fwrite((uint32_t[]){ count, common_count, blocks }, 4, 3, stdout);
	fwrite(places, 8, count + 1, stdout);
	fwrite(common, 4, common_count, stdout);
	fwrite(packed, 4, blocks, stdout);
	fwrite(packed_code, 1, packed_total, stdout);
	return fflush(stdout) ? 1 : 0;
}
