/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks the binary's own bytecode from deflate (RFC 1951). It is as the build wrote it, and is therefore not checked. */
#include <string.h>

#include "engine.h"

#define MAX_BITS 15
/* codes of up to so many bits are looked up at once */
#define FAST_BITS 10
#define FAST (1u << FAST_BITS)
#define END 256
#define LITERALS 288
#define DISTANCES 32
#define LENGTHS 19

struct bits {
	const uint8_t *from;
	uint64_t value;
	unsigned int count;
};

/* a code: how many codes each length has, the symbols in the order of their codes, and 16 × symbol + length for the first bits */
struct code {
	uint16_t counts[MAX_BITS + 1], symbols[LITERALS], fast[FAST];
};

static void fill(struct bits *in)
{
	while (in->count <= 56) {
		in->value |= (uint64_t)*in->from++ << in->count;
		in->count += 8;
	}
}

/* Takes up to 16 bits. */
static unsigned int take(struct bits *in, unsigned int count)
{
	unsigned int value;

	fill(in);
	value = (unsigned int)(in->value & ((1u << count) - 1));
	in->value >>= count;
	in->count -= count;
	return value;
}

static unsigned int reversed(unsigned int code, unsigned int length)
{
	unsigned int out = 0;

	while (length--) {
		out = out << 1 | (code & 1);
		code >>= 1;
	}
	return out;
}

static void make_code(struct code *code, const uint8_t *lengths, unsigned int count)
{
	uint16_t place[MAX_BITS + 2] = { 0 }, next[MAX_BITS + 2] = { 0 };

	memset(code, 0, sizeof *code);
	for (unsigned int i = 0; i < count; i++)
		code->counts[lengths[i]]++;
	code->counts[0] = 0;
	for (unsigned int length = 1; length <= MAX_BITS; length++) {
		place[length + 1] = (uint16_t)(place[length] + code->counts[length]);
		next[length + 1] = (uint16_t)((next[length] + code->counts[length]) << 1);
	}
	for (unsigned int i = 0; i < count; i++) {
		unsigned int length = lengths[i];

		if (!length)
			continue;
		code->symbols[place[length]++] = (uint16_t)i;
		if (length <= FAST_BITS)
			for (unsigned int bits = reversed(next[length], length); bits < FAST; bits += 1u << length)
				code->fast[bits] = (uint16_t)(i << 4 | length);
		next[length]++;
	}
}

static unsigned int symbol(struct bits *in, const struct code *code)
{
	unsigned int entry, value = 0, first = 0, index = 0;

	fill(in);
	entry = code->fast[in->value & (FAST - 1)];
	if (entry) {
		in->value >>= entry & 15;
		in->count -= entry & 15;
		return entry >> 4;
	}
	for (unsigned int length = 1;; length++) {
		value |= (unsigned int)(in->value & 1);
		in->value >>= 1;
		in->count--;
		if (value - first < code->counts[length])
			return code->symbols[index + value - first];
		index += code->counts[length];
		first = (first + code->counts[length]) << 1;
		value <<= 1;
	}
}

/* Reads the codes of a block with its own. */
static void read_codes(struct bits *in, struct code *literals, struct code *distances)
{
	static const uint8_t order[LENGTHS] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	unsigned int literal_count = take(in, 5) + 257, distance_count = take(in, 5) + 1, count = take(in, 4) + 4, done = 0;
	uint8_t lengths[LITERALS + DISTANCES] = { 0 };

	for (unsigned int i = 0; i < count; i++)
		lengths[order[i]] = (uint8_t)take(in, 3);
	make_code(literals, lengths, LENGTHS);
	while (done < literal_count + distance_count) {
		unsigned int what = symbol(in, literals), repeat = 1;
		uint8_t length = (uint8_t)what;

		if (what >= 16) {
			length = what == 16 ? lengths[done - 1] : 0;
			repeat = what == 16 ? 3 + take(in, 2) : what == 17 ? 3 + take(in, 3) : 11 + take(in, 7);
		}
		memset(lengths + done, length, repeat);
		done += repeat;
	}
	make_code(literals, lengths, literal_count);
	make_code(distances, lengths + literal_count, distance_count);
}

static void fixed_codes(struct code *literals, struct code *distances)
{
	uint8_t lengths[LITERALS];

	for (unsigned int i = 0; i < LITERALS; i++)
		lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	make_code(literals, lengths, LITERALS);
	memset(lengths, 5, DISTANCES);
	make_code(distances, lengths, DISTANCES);
}

/* Returns a length or distance: each number of extra bits has `group` symbols, from `first` on. */
static unsigned int extended(struct bits *in, unsigned int what, unsigned int group)
{
	unsigned int extra;

	if (what < 2 * group)
		return what;
	extra = what / group - 1;
	return ((what % group + group) << extra) + take(in, extra);
}

static uint8_t *copy_stored(struct bits *in, uint8_t *to)
{
	unsigned int size;

	take(in, in->count & 7);
	size = take(in, 16);
	take(in, 16);
	while (size--)
		*to++ = (uint8_t)take(in, 8);
	return to;
}

void inflate(const uint8_t *from, uint8_t *to)
{
	static struct code literals, distances;
	struct bits in = { .from = from };
	unsigned int last, type, what;

	do {
		last = take(&in, 1);
		type = take(&in, 2);
		if (type == 0) {
			to = copy_stored(&in, to);
			continue;
		}
		if (type == 1)
			fixed_codes(&literals, &distances);
		else
			read_codes(&in, &literals, &distances);
		while ((what = symbol(&in, &literals)) != END) {
			unsigned int length, back;

			if (what < END) {
				*to++ = (uint8_t)what;
				continue;
			}
			length = what == 285 ? 258 : extended(&in, what - 257, 4) + 3;
			back = extended(&in, symbol(&in, &distances), 2) + 1;
			for (; length; length--, to++)
				*to = *(to - back);
		}
	} while (!last);
}
