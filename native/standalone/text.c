/* SPDX-License-Identifier: Apache-2.0 */
/* Converts between JavaScript's strings and bytes: UTF-8 as the Encoding standard decodes it, Latin-1, hexadecimal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static JSValue buffer_prototype KEPT;

/* Returns a result of a system call to JavaScript: the value, or -errno if it is negative. */
JSValue result(long value)
{
	made_call = 1;
	return JS_NewInt64(js, value < 0 ? -errno : value);
}

int number(JSValueConst value)
{
	int32_t n = 0;

	JS_ToInt32(js, &n, value);
	return n;
}

int is_bytes(JSValueConst value)
{
	return JS_GetTypedArrayType(value) >= 0;
}

uint8_t *bytes_of(JSValueConst value, size_t *length)
{
	size_t offset = 0, whole, each;
	JSValue buffer;
	uint8_t *at;

	if (JS_GetTypedArrayType(value) == JS_TYPED_ARRAY_UINT8) {
		at = JS_GetUint8Array(js, length, value);
	} else {
		buffer = JS_GetTypedArrayBuffer(js, value, &offset, length, &each);
		if (JS_IsException(buffer))
			return NULL;
		at = JS_GetArrayBuffer(js, &whole, buffer);
		JS_FreeValue(js, buffer);
	}
	if (!at)
		return NULL;
	make_readable(at + offset, *length);
	return at + offset;
}

/* Replaces the three bytes of each lone surrogate by those of U+FFFD, as Node does. */
static void replace_surrogates(char *bytes, size_t length)
{
	for (char *at = bytes; (at = memchr(at, 0xed, length - (size_t)(at - bytes))); at++)
		if (at + 2 < bytes + length && ((uint8_t)at[1] & 0xe0) == 0xa0)
			memcpy(at, "\xef\xbf\xbd", 3);
}

/* Takes a string or bytes. Returns 0, or -1 with an exception. */
int words_take(struct words *w, JSValueConst value)
{
	const char *from;
	size_t length;

	w->bytes = NULL;
	from = is_bytes(value) ? (const char *)bytes_of(value, &length) : JS_ToCStringLen(js, &length, value);
	if (!from && !(is_bytes(value) && length == 0))
		return -1;
	w->bytes = length < sizeof w->small ? w->small : malloc(length + 2);
	if (w->bytes) {
		if (length)
			memcpy(w->bytes, from, length);
		w->bytes[length] = 0;
		w->length = length;
	}
	if (!is_bytes(value)) {
		if (w->bytes)
			replace_surrogates(w->bytes, length);
		JS_FreeCString(js, from);
	}
	if (!w->bytes) {
		JS_ThrowOutOfMemory(js);
		return -1;
	}
	return 0;
}

void words_free(struct words *w)
{
	if (w->bytes != w->small)
		free(w->bytes);
}

/* Loads the global Buffer, which sets the prototype. */
static int load_buffer(void)
{
	JSValue global = JS_GetGlobalObject(js), class = JS_GetPropertyStr(js, global, "Buffer");

	JS_FreeValue(js, global);
	JS_FreeValue(js, class);
	return JS_IsException(class) ? -1 : 0;
}

/* Returns a Buffer with a copy of the bytes. */
JSValue new_buffer(const void *bytes, size_t length)
{
	JSValue buffer;

	if (!JS_IsObject(buffer_prototype) && load_buffer())
		return JS_EXCEPTION;
	buffer = JS_NewUint8ArrayCopy(js, bytes, length);
	if (!JS_IsException(buffer))
		JS_SetPrototype(js, buffer, buffer_prototype);
	return buffer;
}

JSValue new_latin1(const uint8_t *bytes, size_t length)
{
	uint8_t *wide;
	size_t high = 0, at = 0;
	JSValue text;

	for (size_t i = 0; i < length; i++)
		high += bytes[i] >> 7;
	if (!high)
		return JS_NewStringLen(js, (const char *)bytes, length);
	wide = malloc(length + high);
	if (!wide)
		return JS_ThrowOutOfMemory(js);
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] >= 0x80)
			wide[at++] = 0xc0 | bytes[i] >> 6;
		wide[at++] = bytes[i] < 0x80 ? bytes[i] : 0x80 | (bytes[i] & 0x3f);
	}
	text = JS_NewStringLen(js, (char *)wide, at);
	free(wide);
	return text;
}

/*
 * Returns the length of the character at `at`. Returns -N if the first N bytes are the maximal
 * subpart of an ill-formed sequence, which one U+FFFD replaces.
 */
static int character(const uint8_t *at, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	int length;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return -1;
	length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (at[0] == 0xe0)
		low = 0xa0;
	if (at[0] == 0xed)
		high = 0x9f;
	if (at[0] == 0xf0)
		low = 0x90;
	if (at[0] == 0xf4)
		high = 0x8f;
	for (int i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if ((size_t)i >= left || at[i] < low || at[i] > high)
			return -i;
	return length;
}

/* Returns the number of bytes before the first that is not UTF-8. */
static size_t valid_until(const uint8_t *bytes, size_t length)
{
	size_t at = 0;
	int size;

	while (at < length && (size = character(bytes + at, length - at)) > 0)
		at += (size_t)size;
	return at;
}

JSValue new_utf8(const uint8_t *bytes, size_t length)
{
	size_t from = valid_until(bytes, length), to = from;
	uint8_t *fixed;
	JSValue text;

	if (from == length)
		return JS_NewStringLen(js, (const char *)bytes, length);
	fixed = malloc(length * 3 + 3);
	if (!fixed)
		return JS_ThrowOutOfMemory(js);
	memcpy(fixed, bytes, from);
	while (from < length) {
		int size = character(bytes + from, length - from);

		memcpy(fixed + to, size > 0 ? bytes + from : (const uint8_t *)"\xef\xbf\xbd", size > 0 ? (size_t)size : 3);
		to += size > 0 ? (size_t)size : 3;
		from += (size_t)(size > 0 ? size : -size);
	}
	text = JS_NewStringLen(js, (char *)fixed, to);
	free(fixed);
	return text;
}

/* decode(bytes, encoding, from, to): returns the text of a part of the bytes */
static JSValue js_decode(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	int64_t from = 0, to = 0;
	int32_t encoding = 0;
	size_t length;
	uint8_t *bytes = bytes_of(argv[0], &length);

	(void)self;
	(void)argc;
	if (!bytes && length)
		return JS_EXCEPTION;
	if (JS_ToInt32(c, &encoding, argv[1]) || JS_ToInt64(c, &from, argv[2]) || JS_ToInt64(c, &to, argv[3]))
		return JS_EXCEPTION;
	to = to > (int64_t)length ? (int64_t)length : to;
	from = from < 0 ? 0 : from;
	if (from >= to)
		return JS_NewStringLen(c, "", 0);
	bytes += from;
	length = (size_t)(to - from);
	switch ((enum encoding)encoding) {
	case UTF8: return new_utf8(bytes, length);
	case LATIN1: return new_latin1(bytes, length);
	case HEX: return new_hex(bytes, length);
	case BASE64: return new_base64(bytes, length);
	}
	return JS_ThrowTypeError(c, "unknown encoding");
}

/* encode(text, encoding): returns the bytes of a text */
static JSValue js_encode(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	int32_t encoding = 0;
	struct words w;
	JSValue buffer;

	(void)self;
	(void)argc;
	if (JS_ToInt32(c, &encoding, argv[1]))
		return JS_EXCEPTION;
	if (encoding != UTF8)
		return encode_narrow(argv[0], (enum encoding)encoding);
	if (words_take(&w, argv[0]))
		return JS_EXCEPTION;
	buffer = new_buffer(w.bytes, w.length);
	words_free(&w);
	return buffer;
}

/* encodeInto(text, bytes, at): writes a text as UTF-8, whole characters only; returns the number of bytes */
static JSValue js_encode_into(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	size_t room, length;
	uint8_t *to = bytes_of(argv[1], &room);
	int64_t at = 0;
	struct words w;

	(void)self;
	(void)argc;
	if ((!to && room) || JS_ToInt64(c, &at, argv[2]) || words_take(&w, argv[0]))
		return JS_EXCEPTION;
	room = at < 0 || (size_t)at > room ? 0 : room - (size_t)at;
	length = w.length;
	if (length > room)
		for (length = room; length && ((uint8_t)w.bytes[length] & 0xc0) == 0x80; length--)
			;
	if (length)
		memcpy(to + at, w.bytes, length);
	words_free(&w);
	return JS_NewInt64(c, (int64_t)length);
}

static JSValue js_byte_length(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	size_t length;
	const char *text = JS_ToCStringLen(c, &length, argv[0]);

	(void)self;
	(void)argc;
	JS_FreeCString(c, text);
	return text ? JS_NewInt64(c, (int64_t)length) : JS_EXCEPTION;
}

/* validUntil(bytes): returns the index of the first byte that is not UTF-8 */
static JSValue js_valid_until(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	size_t length;
	uint8_t *bytes = bytes_of(argv[0], &length);

	(void)self;
	(void)argc;
	return !bytes && length ? JS_EXCEPTION : JS_NewInt64(c, (int64_t)valid_until(bytes, length));
}

/* setBufferPrototype(prototype): makes the buffers of C objects of this class */
static JSValue js_set_buffer_prototype(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	(void)self;
	(void)argc;
	buffer_prototype = JS_DupValue(c, argv[0]);
	return JS_UNDEFINED;
}

static const JSCFunctionListEntry list[] = {
	JS_CFUNC_DEF("decode", 4, js_decode), JS_CFUNC_DEF("encode", 2, js_encode), JS_CFUNC_DEF("encodeInto", 3, js_encode_into),
	JS_CFUNC_DEF("byteLength", 1, js_byte_length), JS_CFUNC_DEF("validUntil", 1, js_valid_until),
	JS_CFUNC_DEF("setBufferPrototype", 1, js_set_buffer_prototype),
};

void host_text(JSValue host)
{
	JS_SetPropertyFunctionList(js, host, list, sizeof list / sizeof *list);
}
