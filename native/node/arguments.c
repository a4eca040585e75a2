/* SPDX-License-Identifier: Apache-2.0 */
/* Converts JavaScript's arguments to C and results back, for the addon's functions; see arguments.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"

#define MAX_ARGUMENTS 8

static int read_text_argument(napi_env env, napi_value value, char *text, size_t size)
{
	size_t length;

	if (napi_get_value_string_utf8(env, value, text, size, &length) != napi_ok)
		return -EINVAL;
	return length + 1 == size ? -ENAMETOOLONG : 0;
}

static int read_int32_array(napi_env env, napi_value value, int **numbers, size_t *count)
{
	napi_typedarray_type type;
	void *data;

	if (napi_get_typedarray_info(env, value, &type, count, &data, NULL, NULL) != napi_ok || type != napi_int32_array)
		return -EINVAL;
	*numbers = data;
	return 0;
}

static int read_argument(napi_env env, napi_value value, char type, va_list *to)
{
	void *at = va_arg(*to, void *);

	switch (type) {
	case 'i': return napi_get_value_int32(env, value, at) == napi_ok ? 0 : -EINVAL;
	case 'u': return napi_get_value_uint32(env, value, at) == napi_ok ? 0 : -EINVAL;
	case 'd': return napi_get_value_double(env, value, at) == napi_ok ? 0 : -EINVAL;
	case 'b': return napi_get_value_bool(env, value, at) == napi_ok ? 0 : -EINVAL;
	case 'x': return napi_get_value_external(env, value, at) == napi_ok ? 0 : -EINVAL;
	case 's': return read_text_argument(env, value, at, va_arg(*to, size_t));
	case 'w': return (*(char **)at = take_words(env, value)) ? 0 : -EINVAL;
	case 'B': return napi_get_typedarray_info(env, value, NULL, va_arg(*to, size_t *), at, NULL, NULL) == napi_ok ? 0 : -EINVAL;
	case 'I': return read_int32_array(env, value, at, va_arg(*to, size_t *));
	case 'v': *(napi_value *)at = value; return 0;
	}
	return -EINVAL;
}

int read_arguments(napi_env env, napi_callback_info info, const char *types, ...)
{
	size_t wanted = strlen(types), count = MAX_ARGUMENTS;
	napi_value argv[MAX_ARGUMENTS];
	int err = -EINVAL;
	va_list to;

	if (napi_get_cb_info(env, info, &count, argv, NULL, NULL) != napi_ok || count < wanted)
		return err;
	err = 0;
	va_start(to, types);
	for (size_t i = 0; !err && i < wanted; i++)
		err = read_argument(env, argv[i], types[i], &to);
	va_end(to);
	return err;
}

/*
 * Copies words from a JavaScript string, separated by NUL, or from a buffer with the bytes of such
 * a string. Two NULs follow the last word.
 */
char *take_words(napi_env env, napi_value value)
{
	size_t length;
	char *words;
	void *bytes;
	bool plain = false;

	if (napi_is_buffer(env, value, &plain) == napi_ok && plain) {
		if (napi_get_buffer_info(env, value, &bytes, &length) != napi_ok)
			return NULL;
		words = calloc(1, length + 2);
		return words && length ? memcpy(words, bytes, length) : words;
	}
	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
		return NULL;
	words = malloc(length + 2);
	if (words && napi_get_value_string_utf8(env, value, words, length + 1, &length) == napi_ok)
		words[length] = words[length + 1] = 0;
	return words;
}

napi_value to_number(napi_env env, double value)
{
	napi_value out = NULL;

	napi_create_double(env, value, &out);
	return out;
}

napi_value to_numbers(napi_env env, const int *values, unsigned int count)
{
	napi_value out = NULL;

	if (napi_create_array_with_length(env, count, &out) != napi_ok)
		return NULL;
	for (unsigned int i = 0; i < count; i++)
		napi_set_element(env, out, i, to_number(env, values[i]));
	return out;
}

void add_functions(napi_env env, napi_value exports, const struct exported *list, size_t count, void *data)
{
	napi_value function;

	for (size_t i = 0; i < count; i++)
		if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].call, data, &function) == napi_ok)
			napi_set_named_property(env, exports, list[i].name, function);
}
