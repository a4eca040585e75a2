/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the decoder of programs. */
#ifndef HUTCH_DECODE_H
#define HUTCH_DECODE_H

#include "program.h"

static inline int in_part(enum step_part part, long err)
{
	return err < 0 ? (int)err - (int)part * STEP_PART : (int)err;
}

/* wire/decode.c: reads the wire format */

struct cursor {
	const u8 *at;
	const u8 *end;
	int bad;	/* never cleared, so an op's handler checks it only once, after its last field */
};

struct strings {
	u32 count;
	u32 length;
	const char *first;
};

struct numbers {
	u32 count;
	const u32 *first;
};

u32 take_u32(struct cursor *c);
u64 take_u64(struct cursor *c);
const char *take_string(struct cursor *c);
struct strings take_strings(struct cursor *c);
struct numbers take_numbers(struct cursor *c);
const char *next_string(const char *s);
void fill_pointers(const char **out, const struct strings *from);
int take_op(struct cursor *section, struct cursor *payload);
int open_program(const u8 *bytes, u64 size, struct cursor *outer, struct cursor *inner);
int finished(const struct cursor *payload);

#endif
