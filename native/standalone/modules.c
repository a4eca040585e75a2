/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads hutch's modules: each is a function of bytecode, read when another module first uses one of
 * its exports. scripts/build/standalone.js writes the file that this one includes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine.h"

__asm__(".section hutch_bytecode,\"a\",@progbits\n.balign 16\n.globl bytecode\n.hidden bytecode\nbytecode:\n	.incbin \"" HUTCH_BYTECODE "\"\n.text\n");

/*
 * The file begins with the count of modules, that of the common ones, and that of packed blocks. Then come
 * places, each from an offset to another: those of the modules, and that of the start of compiled files.
 * The numbers of the common modules, the offsets of the blocks, and the blocks, packed by deflate, follow. In a program with
 * a snapshot, the common modules have no bytecode.
 */
extern const uint32_t bytecode[];
static const uint32_t *const places = bytecode + 3;

#define BLOCK (1u << 16)
#define BLOCKS 64

/* the number of src/cli/main.ts, which runs the command; the snapshot has its function */
#define MAIN 1

static JSValue *loaded KEPT;
static JSValue main_function KEPT;
static JSValue late_function KEPT, import_function KEPT, define_function KEPT;

/* Returns the bytecode from one offset to another, or NULL if there is no memory. */
static const uint8_t *unpacked(uint32_t from, uint32_t to)
{
	static uint8_t *all;
	static char done[BLOCKS];
	const uint32_t *after = places + 2 * bytecode[0], total = after[1], *blocks = after + 2 + bytecode[1];

	if (!all) {
		void *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return NULL;
		all = memory;
	}
	for (uint32_t i = from / BLOCK; i * BLOCK < to; i++) {
		if (!done[i])
			inflate((const uint8_t *)(blocks + bytecode[2]) + blocks[i], all + i * BLOCK);
		done[i] = 1;
	}
	return all + from;
}

/* Returns the bytes that a compiled file begins with. */
const uint8_t *compiled_start(size_t *size)
{
	const uint32_t *place = places + 2 * bytecode[0];

	*size = place[1] - place[0];
	return unpacked(place[0], place[1]);
}

static JSValue read_module(uint32_t index)
{
	const uint32_t *place = places + 2 * index;
	const uint8_t *code = unpacked(place[0], place[1]);
	JSValue function;

	if (!code)
		return JS_ThrowOutOfMemory(js);
	if (getenv("HUTCH_DEBUG") && !snapshot_wanted())
		dprintf(2, "hutch: reads module %u\n", index);
	function = JS_ReadObject(js, code, place[1] - place[0], JS_READ_OBJ_BYTECODE);
	return JS_IsException(function) ? function : JS_EvalFunction(js, function);
}

JSValue load_module(unsigned int index)
{
	JSValue function, exports, out;

	if (index >= bytecode[0])
		return JS_ThrowInternalError(js, "no module %u", index);
	if (!loaded)
		loaded = js_mallocz(js, bytecode[0] * sizeof *loaded);
	if (!loaded)
		return JS_EXCEPTION;
	if (JS_IsObject(loaded[index]))
		return JS_DupValue(js, loaded[index]);
	function = index == MAIN && JS_IsObject(main_function) ? main_function : read_module(index);
	if (JS_IsException(function))
		return function;
	exports = JS_NewObject(js);
	/* registered before it is complete, since modules may import each other */
	loaded[index] = JS_DupValue(js, exports);
	JSValueConst argv[4] = { exports, late_function, import_function, define_function };
	/* the function is not freed: that would visit all its bytecode again */
	out = JS_Call(js, function, JS_UNDEFINED, 4, argv);
	if (JS_IsException(out)) {
		JS_FreeValue(js, exports);
		JS_FreeValue(js, loaded[index]);
		loaded[index] = JS_UNDEFINED;
		return out;
	}
	JS_FreeValue(js, out);
	return exports;
}

/* Loads the modules of the snapshot. Returns -1 after an exception. */
int load_common_modules(void)
{
	const uint32_t *list = places + 2 * bytecode[0] + 2;

	/* the globals come first */
	for (uint32_t i = 0; i <= bytecode[1]; i++) {
		JSValue exports = load_module(i ? list[i - 1] : 0);

		if (JS_IsException(exports))
			return -1;
		JS_FreeValue(js, exports);
	}
	main_function = read_module(MAIN);
	return JS_IsException(main_function) ? -1 : 0;
}

static JSValue js_late_exports(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int index)
{
	(void)self;
	(void)argc;
	(void)argv;
	return loaded && JS_IsObject(loaded[index]) ? JS_DupValue(c, loaded[index]) : load_module((unsigned int)index);
}

static JSValue *late KEPT;

/* late(index): returns a function that returns the module's exports, and loads it at the first call. All who import a module have one function */
static JSValue js_late(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	uint32_t index = 0;

	(void)self;
	(void)argc;
	if (JS_ToUint32(c, &index, argv[0]))
		return JS_EXCEPTION;
	if (!late)
		late = js_mallocz(c, bytecode[0] * sizeof *late);
	if (!late || index >= bytecode[0])
		return JS_ThrowOutOfMemory(c);
	if (!JS_IsObject(late[index]))
		late[index] = JS_NewCFunctionMagic(c, js_late_exports, "", 0, JS_CFUNC_generic_magic, (int)index);
	return JS_DupValue(c, late[index]);
}

static JSValue js_load(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	uint32_t index = 0;

	(void)self;
	(void)argc;
	return JS_ToUint32(c, &index, argv[0]) ? JS_EXCEPTION : load_module(index);
}

/* import(index): returns a promise of the module's exports */
static JSValue js_import(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	JSValue exports = js_load(c, self, argc, argv), promise;
	int failed = JS_IsException(exports);

	if (failed)
		exports = JS_GetException(c);
	promise = JS_NewSettledPromise(c, failed, exports);
	JS_FreeValue(c, exports);
	return promise;
}

/* define(exports, getters): defines a getter for each export that may change */
static JSValue js_define(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	JSPropertyEnum *names;
	uint32_t count;

	(void)self;
	(void)argc;
	if (JS_GetOwnPropertyNames(c, &names, &count, argv[1], JS_GPN_STRING_MASK))
		return JS_EXCEPTION;
	for (uint32_t i = 0; i < count; i++)
		JS_DefinePropertyGetSet(c, argv[0], names[i].atom, JS_GetProperty(c, argv[1], names[i].atom), JS_UNDEFINED,
					JS_PROP_ENUMERABLE);
	JS_FreePropertyEnum(c, names, count);
	return JS_UNDEFINED;
}

void prepare_modules(void)
{
	late_function = JS_NewCFunction(js, js_late, "late", 1);
	import_function = JS_NewCFunction(js, js_import, "import", 1);
	define_function = JS_NewCFunction(js, js_define, "define", 2);
}
