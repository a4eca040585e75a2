/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the build: compiles modules to bytecode. Reads "LENGTH AHEAD NAME\n" and that many bytes
 * of source for each, and writes what modules.c includes. AHEAD is 1 for a module to be
 * read ahead once the one with AHEAD 2 is in use.
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

int main(int argc, char **argv)
{
	int flags = JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE | (argc > 1 && !strcmp(argv[1], "debug") ? 0 : JS_WRITE_OBJ_STRIP_DEBUG);
	static uint32_t offsets[MODULES + 1], ahead[MODULES];
	static uint8_t *code[MODULES];
	JSContext *c = JS_NewContext(JS_NewRuntime());
	char name[256];
	size_t length;
	uint32_t count = 0, ahead_count = 1, first;
	int is_ahead;

	while (count < MODULES && scanf("%zu %d %255[^\n]", &length, &is_ahead, name) == 3) {
		char *source = calloc(1, length + 1);
		size_t size;
		JSValue function;

		if (!source || getchar() != '\n' || fread(source, 1, length, stdin) != length)
			return 1;
		function = JS_Eval(c, source, length, name, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
		if (JS_IsException(function))
			fail(c, name);
		code[count] = JS_WriteObject(c, &size, function, flags);
		if (!code[count])
			fail(c, name);
		if (is_ahead == 1)
			ahead[ahead_count++] = count;
		if (is_ahead == 2)
			ahead[0] = count;
		offsets[count++] = (uint32_t)size;
		free(source);
	}
	first = (2 + count + 1 + ahead_count) * 4;
	for (uint32_t i = 0; i <= count; i++) {
		uint32_t size = offsets[i];

		offsets[i] = first;
		first += size;
	}
	fwrite(&count, 4, 1, stdout);
	fwrite(&ahead_count, 4, 1, stdout);
	fwrite(offsets, 4, count + 1, stdout);
	fwrite(ahead, 4, ahead_count, stdout);
	for (uint32_t i = 0; i < count; i++)
		fwrite(code[i], 1, offsets[i + 1] - offsets[i], stdout);
	return fflush(stdout) ? 1 : 0;
}
