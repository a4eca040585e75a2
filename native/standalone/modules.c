/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads hutch's modules: each is a function of bytecode, read when another module first uses one of
 * its exports. scripts/build/standalone.js writes the file that this one includes.
 */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

__asm__(".section .rodata\n.balign 16\n.globl bytecode\n.hidden bytecode\nbytecode:\n	.incbin \"" HUTCH_BYTECODE "\"\n.text\n");

/*
 * The file begins with the count of modules, and the count of those to read ahead. The offset of
 * each module and of the end follow. Then come the numbers of those to read ahead, and the bytecode
 * of all. Modules are read ahead only if the first of that list is in use.
 */
extern const uint32_t bytecode[];
static const uint32_t *const offsets = bytecode + 2;

static JSValue *loaded, *ahead;
static uint32_t next_ahead = 1;
static JSValue late_function, import_function, define_function;

static int make_room(void)
{
	if (!loaded)
		loaded = calloc(bytecode[0], sizeof *loaded);
	if (!ahead)
		ahead = calloc(bytecode[0], sizeof *ahead);
	return loaded && ahead ? 0 : -1;
}

/* Returns the module's function, which may have been read ahead. */
static JSValue read_module(uint32_t index)
{
	const uint8_t *base = (const uint8_t *)bytecode;
	JSValue function = ahead[index];

	ahead[index] = JS_NULL;
	if (JS_IsObject(function))
		return function;
	function = JS_ReadObject(js, base + offsets[index], offsets[index + 1] - offsets[index], JS_READ_OBJ_BYTECODE);
	return JS_IsException(function) ? function : JS_EvalFunction(js, function);
}

/*
 * Reads one module that a command may need when its job has ended, while there is nothing else to
 * do. Returns 0 if none is left.
 */
int read_ahead(void)
{
	const uint32_t *list = offsets + bytecode[0] + 1;

	if (make_room() || !JS_IsObject(loaded[list[0]]))
		return 0;
	while (next_ahead < bytecode[1]) {
		uint32_t index = list[next_ahead++];

		if (JS_IsObject(loaded[index]))
			continue;
		ahead[index] = read_module(index);
		if (JS_IsException(ahead[index]))
			JS_FreeValue(js, JS_GetException(js));
		return 1;
	}
	return 0;
}

JSValue load_module(unsigned int index)
{
	JSValue function, exports, out;

	if (index >= bytecode[0])
		return JS_ThrowInternalError(js, "no module %u", index);
	if (make_room())
		return JS_ThrowOutOfMemory(js);
	if (JS_IsObject(loaded[index]))
		return JS_DupValue(js, loaded[index]);
	function = read_module(index);
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

static JSValue js_late_exports(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int index)
{
	(void)self;
	(void)argc;
	(void)argv;
	return loaded && JS_IsObject(loaded[index]) ? JS_DupValue(c, loaded[index]) : load_module((unsigned int)index);
}

/* late(index): returns a function that returns the module's exports, and loads it at the first call */
static JSValue js_late(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	uint32_t index = 0;

	(void)self;
	(void)argc;
	if (JS_ToUint32(c, &index, argv[0]))
		return JS_EXCEPTION;
	return JS_NewCFunctionMagic(c, js_late_exports, "", 0, JS_CFUNC_generic_magic, (int)index);
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
