/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the build: compiles modules to bytecode. Reads "LENGTH COMMON NAME\n" and that many bytes
 * of source for each. The bytes after "0 0 -\n" are kept as they are. Writes counts, places, the numbers of the common ones, and the bytecode, which standalone.js packs. COMMON is 1 for a module of the snapshot,
 * and 2 for one that is there already: its bytecode is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quickjs.h>

#define MODULES 2048

static void fail(JSContext *c, const char *name)
{
	JSValue error = JS_GetException(c);
	const char *text = JS_ToCString(c, error);

	fprintf(stderr, "%s: %s\n", name, text ? text : "not compiled");
	exit(1);
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
	static uint8_t all[1 << 24];
	uint32_t count = 0, common_count = 0, total = 0;
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
	fwrite((uint32_t[]){ count, common_count, total }, 4, 3, stdout);
	fwrite(places, 8, count + 1, stdout);
	fwrite(common, 4, common_count, stdout);
	fwrite(all, 1, total, stdout);
	return fflush(stdout) ? 1 : 0;
}
