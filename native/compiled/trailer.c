/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the data appended to a compiled file. The file may be truncated, damaged or malicious, so
 * each length is checked.
 */
#include <linux/errno.h>

#include "compiled.h"

/* Returns the checksum of whole 32-bit words; `bytes` must be aligned. */
static u32 checksum(const u8 *bytes, u64 size)
{
	const u32 *word = (const u32 *)(const void *)bytes;
	u32 sum = CHECKSUM_START;

	for (u64 i = 0; i < size / 4; i++)
		sum = (sum ^ word[i]) * CHECKSUM_FACTOR;
	return sum;
}

/*
 * Opens a compiled file. Returns 0, or -ENOEXEC without a footer, -EILSEQ if the file is damaged,
 * -EPROTO if another version wrote it.
 */
int open_compiled(const u8 *bytes, u64 size, struct compiled *out)
{
	struct cursor footer, notes, outer, inner;
	u32 version, notes_length, file_length, sum;

	if (size < FOOTER_LENGTH || size > 0x7fffffff || (size & 3))
		return -ENOEXEC;
	footer = (struct cursor){ bytes + size - FOOTER_LENGTH, bytes + size, 0 };
	if (take_u32(&footer) != COMPILED_MAGIC)
		return -ENOEXEC;
	version = take_u32(&footer);
	out->flags = take_u32(&footer);
	out->program_length = take_u32(&footer);
	notes_length = take_u32(&footer);
	file_length = take_u32(&footer);
	sum = take_u32(&footer);
	if (take_u32(&footer) != COMPILED_MAGIC)
		return -ENOEXEC;
	if (file_length != size || (out->program_length & 3) || (notes_length & 3) ||
	    (u64)out->program_length + notes_length + FOOTER_LENGTH > size || checksum(bytes, size - 8) != sum)
		return -EILSEQ;
	if (version != COMPILED_VERSION)
		return -EPROTO;
	notes.end = bytes + size - FOOTER_LENGTH;
	notes.at = notes.end - notes_length;
	notes.bad = 0;
	out->program = notes.at - out->program_length;
	out->keys = take_numbers(&notes);
	out->refusals = take_strings(&notes);
	out->words = take_strings(&notes);
	out->end_rows = take_numbers(&notes);
	out->held_rows = take_numbers(&notes);
	out->facts = take_strings(&notes);
	out->explained = take_string(&notes);
	if (finished(&notes) || out->keys.count % REFUSAL_KEYS || out->words.count != WORD_COUNT ||
	    out->facts.count % 2)
		return -EPROTO;
	return open_program(out->program, out->program_length, &outer, &inner);
}

/* Returns the string with index n, or "" if the list is shorter. */
const char *nth_string(const struct strings *strings, u32 n)
{
	const char *s = strings->first;

	if (n >= strings->count)
		return "";
	while (n--)
		s = next_string(s);
	return s;
}
