/* SPDX-License-Identifier: Apache-2.0 */
/* Converts bytes from and to hexadecimal digits, base64 and Latin-1. */
#include <stdlib.h>

#include "engine.h"

JSValue new_base64(const uint8_t *bytes, size_t length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc(length / 3 * 4 + 5);
	size_t at = 0;
	JSValue text;

	if (!out)
		return JS_ThrowOutOfMemory(js);
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);

		out[at++] = digits[bits >> 18];
		out[at++] = digits[bits >> 12 & 63];
		out[at++] = left > 1 ? digits[bits >> 6 & 63] : '=';
		out[at++] = left > 2 ? digits[bits & 63] : '=';
	}
	text = JS_NewStringLen(js, out, at);
	free(out);
	return text;
}

JSValue new_hex(const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * length + 1);
	JSValue text;

	if (!hex)
		return JS_ThrowOutOfMemory(js);
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	text = JS_NewStringLen(js, hex, 2 * length);
	free(hex);
	return text;
}

static int digit(uint16_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static int base64_digit(uint16_t c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52
	     : c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Decodes base64 up to the first '='. Other characters that are no digits are skipped, as in Node. */
static size_t decode_base64(const uint16_t *from, size_t units, uint8_t *to)
{
	uint32_t bits = 0;
	size_t length = 0;
	int count = 0;

	for (size_t i = 0; i < units && from[i] != '='; i++) {
		int value = base64_digit(from[i]);

		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		if (++count % 4)
			to[length++] = (uint8_t)(bits >> (6 - 2 * (count % 4 - 1)));
		/* the first digit of four completes no byte */
		if (count % 4 == 1)
			length--;
		if (count % 4 == 0)
			to[length++] = (uint8_t)bits;
	}
	return length;
}

/* Returns the bytes of a text in Latin-1, hexadecimal digits or base64. */
JSValue encode_narrow(JSValueConst text, enum encoding encoding)
{
	size_t units, length = 0;
	const uint16_t *from = JS_ToCStringLenUTF16(js, &units, text);
	uint8_t *bytes = from ? malloc(units + 1) : NULL;
	JSValue buffer;

	if (!bytes)
		return from ? JS_ThrowOutOfMemory(js) : JS_EXCEPTION;
	if (encoding == LATIN1)
		for (; length < units; length++)
			bytes[length] = (uint8_t)from[length];
	else if (encoding == BASE64)
		length = decode_base64(from, units, bytes);
	else
		for (; 2 * length + 1 < units && digit(from[2 * length]) >= 0 && digit(from[2 * length + 1]) >= 0; length++)
			bytes[length] = (uint8_t)(digit(from[2 * length]) << 4 | digit(from[2 * length + 1]));
	JS_FreeCStringUTF16(js, from);
	buffer = new_buffer(bytes, length);
	free(bytes);
	return buffer;
}
