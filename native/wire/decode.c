/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes a program (see wire/program.h). Every length is checked. Malformed input is answered with -EPROTO. */
#include <linux/errno.h>

#include "../hutch.h"

static u32 padded(u32 length)
{
	return (length + 3) & ~3u;
}

u32 take_u32(struct cursor *c)
{
	u32 value;

	if (c->bad || c->end - c->at < 4) {
		c->bad = 1;
		return 0;
	}
	value = (u32)c->at[0] | (u32)c->at[1] << 8 | (u32)c->at[2] << 16 | (u32)c->at[3] << 24;
	c->at += 4;
	return value;
}

u64 take_u64(struct cursor *c)
{
	u64 low = take_u32(c);

	return low | (u64)take_u32(c) << 32;
}

/* Takes `length` bytes, which must end in NUL, and then the padding to a multiple of 4. */
static const char *take_bytes(struct cursor *c, u32 length)
{
	const u8 *start = c->at;

	if (c->bad || length == 0 || length > 0x7ffffff0 || (u64)(c->end - c->at) < padded(length) ||
	    start[length - 1] != 0) {
		c->bad = 1;
		return "";
	}
	c->at += padded(length);
	return (const char *)start;
}

const char *take_string(struct cursor *c)
{
	u32 length = take_u32(c);
	const char *s;

	if (length > 0x7fffff00) {
		c->bad = 1;
		return "";
	}
	s = take_bytes(c, length + 1);
	for (u32 i = 0; !c->bad && i < length; i++)
		if (s[i] == 0)
			c->bad = 1;
	return c->bad ? "" : s;
}

struct strings take_strings(struct cursor *c)
{
	struct strings out = { 0, 0, "" };
	u32 count = take_u32(c), length = take_u32(c), seen = 0;
	const char *s;

	if (c->bad || count == 0) {
		if (length)
			c->bad = 1;
		return out;
	}
	s = take_bytes(c, length);
	for (u32 i = 0; !c->bad && i < length; i++)
		seen += s[i] == 0;
	if (c->bad || seen != count) {
		c->bad = 1;
		return out;
	}
	out.count = count;
	out.length = length;
	out.first = s;
	return out;
}

const char *next_string(const char *s)
{
	while (*s)
		s++;
	return s + 1;
}

void fill_pointers(const char **out, const struct strings *from)
{
	const char *s = from->first;

	for (u32 i = 0; i < from->count; i++, s = next_string(s))
		out[i] = s;
	out[from->count] = NULL;
}

struct numbers take_numbers(struct cursor *c)
{
	struct numbers out = { 0, NULL };
	u32 count = take_u32(c);

	if (c->bad || (u64)(c->end - c->at) / 4 < count) {
		c->bad = 1;
		return out;
	}
	out.count = count;
	out.first = (const u32 *)(const void *)c->at;
	c->at += (size_t)count * 4;
	return out;
}

/* Takes the next op of a section. Returns 0 at the end, or -EPROTO. */
int take_op(struct cursor *section, struct cursor *payload)
{
	u32 code, length;

	if (section->at == section->end)
		return 0;
	code = take_u32(section);
	length = take_u32(section);
	if (section->bad || code == 0 || code > 0xffff || (length & 3) ||
	    (u64)(section->end - section->at) < length)
		return -EPROTO;
	payload->at = section->at;
	payload->end = section->at + length;
	payload->bad = 0;
	section->at += length;
	return (int)code;
}

int open_program(const u8 *bytes, u64 size, struct cursor *outer, struct cursor *inner)
{
	struct cursor header = { bytes, bytes + size, 0 };
	u32 magic = take_u32(&header);
	u32 outer_length = take_u32(&header);
	u32 inner_length = take_u32(&header);
	u32 zero = take_u32(&header);

#ifdef HUTCH_FAULTS
	zero = 0;
#endif
	if (header.bad || magic != PROGRAM_MAGIC || zero || (outer_length & 3) || (inner_length & 3) ||
	    (u64)outer_length + inner_length != (u64)(header.end - header.at))
		return -EPROTO;
	*outer = (struct cursor){ header.at, header.at + outer_length, 0 };
	*inner = (struct cursor){ header.at + outer_length, header.end, 0 };
	return 0;
}

/* Returns 0 if all fields of an op were read to their end and were well formed, otherwise -EPROTO. */
int finished(const struct cursor *payload)
{
	return payload->bad || payload->at != payload->end ? -EPROTO : 0;
}
