/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Implements those functions of Node-API that native/node uses, over QuickJS. A napi_value is the
 * address of a slot that lives until the current call into C returns.
 */
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "napi.h"

#define FUNCTIONS 96

struct napi_callback_info__ {
	int argc;
	JSValueConst *argv;
	void *data;
};

struct napi_ref__ {
	JSValue value;
};

struct napi_env__ env_one;
static struct { napi_callback call; void *data; } functions[FUNCTIONS];
static int function_count;

napi_status hold(napi_env env, JSValue value, napi_value *out)
{
	if (JS_IsException(value))
		return napi_pending_exception;
	if (env->used == SLOTS) {
		JS_FreeValue(js, value);
		return napi_generic_failure;
	}
	env->slots[env->used] = value;
	*out = (napi_value)(void *)&env->slots[env->used++];
	return napi_ok;
}

JSValue value_of(napi_value value)
{
	return *(JSValue *)(void *)value;
}

void drop(napi_env env, int used)
{
	while (env->used > used)
		JS_FreeValue(js, env->slots[--env->used]);
}

static JSValue call_export(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int which)
{
	struct napi_callback_info__ info = { argc, argv, functions[which].data };
	int used = env_one.used;
	JSValue result = JS_UNDEFINED;
	napi_value out;

	(void)self;
	out = functions[which].call(&env_one, &info);
	if (JS_HasException(c))
		result = JS_EXCEPTION;
	else if (out)
		result = JS_DupValue(c, value_of(out));
	drop(&env_one, used);
	return result;
}

napi_status napi_get_cb_info(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv, napi_value *this_arg, void **data)
{
	(void)this_arg;
	for (size_t i = 0; argc && i < *argc; i++)
		if (hold(env, (int)i < info->argc ? JS_DupValue(js, info->argv[i]) : JS_UNDEFINED, &argv[i]) != napi_ok)
			return napi_generic_failure;
	if (argc)
		*argc = (size_t)info->argc;
	if (data)
		*data = info->data;
	return napi_ok;
}

napi_status napi_create_function(napi_env env, const char *name, size_t length, napi_callback call, void *data, napi_value *out)
{
	(void)length;
	if (function_count == FUNCTIONS)
		return napi_generic_failure;
	functions[function_count].call = call;
	functions[function_count].data = data;
	return hold(env, JS_NewCFunctionMagic(js, call_export, name, 0, JS_CFUNC_generic_magic, function_count++), out);
}

napi_status napi_get_undefined(napi_env env, napi_value *out)
{
	return hold(env, JS_UNDEFINED, out);
}

napi_status napi_get_boolean(napi_env env, bool value, napi_value *out)
{
	return hold(env, JS_NewBool(js, value), out);
}

napi_status napi_create_int32(napi_env env, int32_t value, napi_value *out)
{
	return hold(env, JS_NewInt32(js, value), out);
}

napi_status napi_create_double(napi_env env, double value, napi_value *out)
{
	return hold(env, JS_NewNumber(js, value), out);
}

napi_status napi_create_string_utf8(napi_env env, const char *text, size_t length, napi_value *out)
{
	return hold(env, new_utf8((const uint8_t *)text, length == NAPI_AUTO_LENGTH ? strlen(text) : length), out);
}

napi_status napi_create_string_latin1(napi_env env, const char *text, size_t length, napi_value *out)
{
	return hold(env, new_latin1((const uint8_t *)text, length == NAPI_AUTO_LENGTH ? strlen(text) : length), out);
}

napi_status napi_create_array_with_length(napi_env env, size_t length, napi_value *out)
{
	(void)length;
	return hold(env, JS_NewArray(js), out);
}

napi_status napi_create_buffer_copy(napi_env env, size_t length, const void *bytes, void **copy, napi_value *out)
{
	(void)copy;
	return hold(env, new_buffer(length ? bytes : "", length), out);
}

napi_status napi_create_arraybuffer(napi_env env, size_t length, void **bytes, napi_value *out)
{
	void *zeros = calloc(1, length + 1);
	napi_status status;
	size_t size;

	if (!zeros)
		return napi_generic_failure;
	status = hold(env, JS_NewArrayBufferCopy(js, zeros, length), out);
	free(zeros);
	if (status == napi_ok)
		*bytes = JS_GetArrayBuffer(js, &size, value_of(*out));
	return status;
}

/* Only for an array over the whole buffer, which is what native/node needs. */
napi_status napi_create_typedarray(napi_env env, napi_typedarray_type type, size_t length, napi_value buffer, size_t offset, napi_value *out)
{
	JSValueConst argv[1] = { value_of(buffer) };

	(void)length;
	(void)offset;
	return hold(env, JS_NewTypedArray(js, 1, argv, type == napi_float64_array ? JS_TYPED_ARRAY_FLOAT64 : JS_TYPED_ARRAY_UINT8), out);
}

static void finalize_external(JSRuntime *rt, JSValueConst value)
{
	void **kept = JS_GetOpaque(value, env_one.external);

	(void)rt;
	if (kept && kept[1])
		((napi_finalize)kept[1])(&env_one, kept[0], NULL);
	free(kept);
}

napi_status napi_create_external(napi_env env, void *data, napi_finalize finalize, void *hint, napi_value *out)
{
	static const JSClassDef class = { .class_name = "External", .finalizer = finalize_external };
	void **kept = malloc(2 * sizeof *kept);
	JSValue object;

	(void)hint;
	if (!env->external)
		JS_NewClass(JS_GetRuntime(js), JS_NewClassID(JS_GetRuntime(js), &env->external), &class);
	object = kept ? JS_NewObjectClass(js, env->external) : JS_ThrowOutOfMemory(js);
	if (JS_IsException(object)) {
		free(kept);
		return napi_pending_exception;
	}
	kept[0] = data;
	kept[1] = (void *)finalize;
	JS_SetOpaque(object, kept);
	return hold(env, object, out);
}

napi_status napi_get_value_external(napi_env env, napi_value value, void **out)
{
	void **kept = env->external ? JS_GetOpaque(value_of(value), env->external) : NULL;

	if (!kept)
		return napi_invalid_arg;
	*out = kept[0];
	return napi_ok;
}

napi_status napi_get_value_double(napi_env env, napi_value value, double *out)
{
	(void)env;
	if (!JS_IsNumber(value_of(value)))
		return napi_number_expected;
	JS_ToFloat64(js, out, value_of(value));
	return napi_ok;
}

napi_status napi_get_value_int32(napi_env env, napi_value value, int32_t *out)
{
	(void)env;
	if (!JS_IsNumber(value_of(value)))
		return napi_number_expected;
	JS_ToInt32(js, out, value_of(value));
	return napi_ok;
}

napi_status napi_get_value_uint32(napi_env env, napi_value value, uint32_t *out)
{
	(void)env;
	if (!JS_IsNumber(value_of(value)))
		return napi_number_expected;
	JS_ToUint32(js, out, value_of(value));
	return napi_ok;
}

napi_status napi_get_value_bool(napi_env env, napi_value value, bool *out)
{
	(void)env;
	if (!JS_IsBool(value_of(value)))
		return napi_boolean_expected;
	*out = JS_ToBool(js, value_of(value));
	return napi_ok;
}

napi_status napi_get_value_string_utf8(napi_env env, napi_value value, char *to, size_t size, size_t *length)
{
	struct words w;

	(void)env;
	if (!JS_IsString(value_of(value)))
		return napi_string_expected;
	if (words_take(&w, value_of(value)))
		return napi_pending_exception;
	*length = w.length;
	if (to && size) {
		*length = w.length < size - 1 ? w.length : size - 1;
		memcpy(to, w.bytes, *length);
		to[*length] = 0;
	}
	words_free(&w);
	return napi_ok;
}

napi_status napi_is_buffer(napi_env env, napi_value value, bool *out)
{
	(void)env;
	*out = is_bytes(value_of(value));
	return napi_ok;
}

napi_status napi_get_buffer_info(napi_env env, napi_value value, void **bytes, size_t *length)
{
	(void)env;
	*bytes = bytes_of(value_of(value), length);
	return napi_ok;
}

napi_status napi_get_typedarray_info(napi_env env, napi_value value, napi_typedarray_type *type, size_t *length, void **bytes,
				     napi_value *buffer, size_t *offset)
{
	int kind = JS_GetTypedArrayType(value_of(value));

	(void)env;
	(void)buffer;
	(void)offset;
	if (kind != JS_TYPED_ARRAY_UINT8 && kind != JS_TYPED_ARRAY_INT32)
		return napi_invalid_arg;
	if (type)
		*type = kind == JS_TYPED_ARRAY_INT32 ? napi_int32_array : napi_uint8_array;
	*bytes = bytes_of(value_of(value), length);
	if (kind == JS_TYPED_ARRAY_INT32)
		*length /= sizeof(int32_t);
	return napi_ok;
}

napi_status napi_set_element(napi_env env, napi_value object, uint32_t index, napi_value value)
{
	(void)env;
	return JS_SetPropertyUint32(js, value_of(object), index, JS_DupValue(js, value_of(value))) < 0 ? napi_pending_exception : napi_ok;
}

napi_status napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value)
{
	(void)env;
	return JS_SetPropertyStr(js, value_of(object), name, JS_DupValue(js, value_of(value))) < 0 ? napi_pending_exception : napi_ok;
}

napi_status napi_call_function(napi_env env, napi_value self, napi_value function, size_t argc, const napi_value *argv, napi_value *out)
{
	JSValueConst values[32];

	(void)env;
	(void)self;
	(void)out;
	for (size_t i = 0; i < argc && i < 32; i++)
		values[i] = value_of(argv[i]);
	call_function(value_of(function), (int)argc, values);
	return napi_ok;
}

napi_status napi_throw_error(napi_env env, const char *code, const char *message)
{
	(void)env;
	(void)code;
	JS_ThrowPlainError(js, "%s", message);
	return napi_ok;
}

napi_status napi_throw_type_error(napi_env env, const char *code, const char *message)
{
	(void)env;
	(void)code;
	JS_ThrowTypeError(js, "%s", message);
	return napi_ok;
}

napi_status napi_create_reference(napi_env env, napi_value value, uint32_t count, napi_ref *out)
{
	(void)env;
	(void)count;
	*out = malloc(sizeof **out);
	if (!*out)
		return napi_generic_failure;
	(*out)->value = JS_DupValue(js, value_of(value));
	return napi_ok;
}

napi_status napi_get_reference_value(napi_env env, napi_ref ref, napi_value *out)
{
	return ref ? hold(env, JS_DupValue(js, ref->value), out) : napi_invalid_arg;
}

napi_status napi_set_instance_data(napi_env env, void *data, napi_finalize finalize, void *hint)
{
	(void)finalize;
	(void)hint;
	env->instance = data;
	return napi_ok;
}

napi_status napi_get_instance_data(napi_env env, void **data)
{
	*data = env->instance;
	return napi_ok;
}

napi_status napi_add_env_cleanup_hook(napi_env env, void (*hook)(void *), void *data)
{
	if (env->hook_count == 8)
		return napi_generic_failure;
	env->hooks[env->hook_count] = hook;
	env->hook_data[env->hook_count++] = data;
	return napi_ok;
}

void core_close(void)
{
	while (env_one.hook_count) {
		int i = --env_one.hook_count;

		env_one.hooks[i](env_one.hook_data[i]);
	}
}

napi_value NAPI_MODULE_INITIALIZER(napi_env env, napi_value exports);

JSValue load_core(void)
{
	int used = env_one.used;
	napi_value exports;
	JSValue result;

	if (hold(&env_one, JS_NewObject(js), &exports) != napi_ok)
		return JS_EXCEPTION;
	NAPI_MODULE_INITIALIZER(&env_one, exports);
	result = JS_DupValue(js, value_of(exports));
	drop(&env_one, used);
	return result;
}
