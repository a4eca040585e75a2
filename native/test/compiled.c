// SPDX-License-Identifier: Apache-2.0
/*
 * Tests the data appended to a compiled file: whole, damaged and random. Also tests the program
 * that a start builds from it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../compiled/compiled.h"
#include "check.h"

static char *no_words[] = { NULL };

static void put_list(struct builder *b, u32 count, const char *bytes, u32 length)
{
	put(b, count);
	put(b, length);
	memset(b->bytes + b->size, 0, length + 4);
	memcpy(b->bytes + b->size, bytes, length);
	b->size += (length + 3) & ~3u;
}

static void sign(struct builder *b)
{
	u32 sum = CHECKSUM_START, word;

	for (u32 at = 0; at + 8 < b->size; at += 4) {
		memcpy(&word, b->bytes + at, 4);
		sum = (sum ^ word) * CHECKSUM_FACTOR;
	}
	memcpy(b->bytes + b->size - 8, &sum, 4);
}

/*
 * Builds a compiled file for the tests: 64 bytes in place of the executable, a program, notes. The
 * program makes a group and executes a command.
 */
static void make_file(struct builder *b)
{
	static const char words[2 * WORD_COUNT] = { 0 };
	struct builder *p = calloc(1, sizeof *p);
	u32 at, inner, notes;

	header(p);
	at = begin(p, 1), put_string(p, "/a/" GROUP_PLACEHOLDER "/" GROUP_PLACEHOLDER "x"), put(p, 0), end(p, at);
	close_header(p);
	inner = p->size;
	at = begin(p, 40);
	put_list(p, 2, "sh\0-c", 6);
	put_list(p, 1, "A=new", 6);
	put_string(p, "/usual");
	put(p, 1);
	end(p, at);
	at = p->size - inner;
	memcpy(p->bytes + 8, &at, 4);

	b->size = 64;
	memset(b->bytes, 7, 64);
	memcpy(b->bytes + b->size, p->bytes, p->size);
	b->size += p->size;
	notes = b->size;
	put(b, REFUSAL_KEYS), put(b, 1), put(b, 0), put(b, 2), put(b, 0);
	put_list(b, 1, "no\1", 4);
	put_list(b, WORD_COUNT, words, WORD_COUNT);
	put(b, 2), put(b, KIND_OOM), put(b, 0);
	put(b, 0);
	put_list(b, 2, "user\0" "0", 7);
	put_string(b, "explained");
	notes = b->size - notes;
	put(b, COMPILED_MAGIC), put(b, COMPILED_VERSION), put(b, PASS_ARGUMENTS | PASS_ENVIRONMENT);
	put(b, p->size), put(b, notes), put(b, b->size + 12), put(b, 0), put(b, COMPILED_MAGIC);
	sign(b);
	free(p);
}

static int open_copy(const struct builder *b, struct compiled *c, u8 **bytes)
{
	*bytes = copy_exact(b);
	return open_compiled(*bytes, b->size, c);
}

static void test_trailer(void)
{
	struct builder *b = calloc(1, sizeof *b), *whole = calloc(1, sizeof *whole);
	struct compiled c;
	u8 *bytes;
	u32 odd = COMPILED_VERSION + 1;

	make_file(whole);
	CHECK(open_copy(whole, &c, &bytes) == 0);
	CHECK(same(c.explained, "explained") && c.refusals.count == 1 && c.keys.first[2] == 2);
	CHECK(same(nth_string(&c.facts, 1), "0") && same(nth_string(&c.facts, 2), ""));
	free(bytes);
	for (u32 less = 1; less < whole->size; less++) {
		memcpy(b, whole, sizeof *b);
		b->size -= less;
		CHECK(open_copy(b, &c, &bytes) == -ENOEXEC);
		free(bytes);
	}
	for (u32 at = 0; at < whole->size; at++) {
		memcpy(b, whole, sizeof *b);
		b->bytes[at] ^= 0x10;
		CHECK(open_copy(b, &c, &bytes) < 0);
		free(bytes);
	}
	memcpy(b, whole, sizeof *b);
	memcpy(b->bytes + b->size - 28, &odd, 4);
	sign(b);
	CHECK(open_copy(b, &c, &bytes) == -EPROTO);
	free(bytes);
	free(b);
	free(whole);
}

/*
 * Tests random contents with valid checksums. A valid checksum does not make a file trusted,
 * because anyone can compute it.
 */
static void test_random_trailers(unsigned int rounds)
{
	struct call call = { .group = "hutch-1-2-3-0", .arguments = no_words, .environment = no_words };
	struct builder *b = calloc(1, sizeof *b);
	unsigned int opened = 0;

	for (unsigned int round = 0; round < rounds; round++) {
		struct compiled c;
		u8 *bytes, *out;

		make_file(b);
		for (int flips = 1 + rand() % 3; flips > 0; flips--)
			b->bytes[64 + (u32)rand() % (b->size - 64 - 8)] = (u8)rand();
		sign(b);
		if (open_copy(b, &c, &bytes) == 0) {
			u64 room = filled_size(&c, &call);

			call.flags = c.flags;
			out = malloc(room);
			opened += fill_program(c.program, c.program_length, &call, out, room) > 0;
			nth_string(&c.words, WORD_ROOT);
			free(out);
		}
		free(bytes);
	}
	CHECK(opened > rounds / 100);
	free(b);
}

static void test_fill(void)
{
	char *arguments[] = { "", "two words", NULL }, *environment[] = { "A=old", "AB=kept", "PATH=/own", "odd", NULL };
	struct call call = { "hutch-1-2-3-0", arguments, environment, 0 };
	struct builder *b = calloc(1, sizeof *b);
	struct cursor outer, inner, payload;
	struct strings argv, env;
	struct compiled c;
	u8 *bytes, *out;
	long size;

	make_file(b);
	CHECK(open_copy(b, &c, &bytes) == 0);
	call.flags = c.flags;
	out = malloc(filled_size(&c, &call));
	size = fill_program(c.program, c.program_length, &call, out, filled_size(&c, &call));
	CHECK(size > 0 && open_program(out, (u64)size, &outer, &inner) == 0);
	CHECK(take_op(&outer, &payload) == 1);
	CHECK(same(take_string(&payload), "/a/hutch-1-2-3-0/" GROUP_PLACEHOLDER "x"));
	CHECK(take_op(&inner, &payload) == 40);
	argv = take_strings(&payload);
	env = take_strings(&payload);
	CHECK(argv.count == 4 && same(nth_string(&argv, 1), "-c") && same(nth_string(&argv, 2), "") &&
	      same(nth_string(&argv, 3), "two words"));
	CHECK(env.count == 4 && same(nth_string(&env, 0), "AB=kept") && same(nth_string(&env, 1), "odd") &&
	      same(nth_string(&env, 2), "PATH=/own") && same(nth_string(&env, 3), "A=new"));
	CHECK(same(take_string(&payload), "/own") && take_u32(&payload) == 1 && finished(&payload) == 0);
	CHECK(fill_program(c.program, c.program_length, &call, out, 40) == -E2BIG);
	call.environment = no_words;
	size = fill_program(c.program, c.program_length, &call, out, filled_size(&c, &call));
	CHECK(size > 0 && open_program(out, (u64)size, &outer, &inner) == 0 && take_op(&inner, &payload) == 40);
	take_strings(&payload);
	env = take_strings(&payload);
	CHECK(env.count == 2 && same(nth_string(&env, 0), "PATH=/usual"));
	free(out);
	free(bytes);
	free(b);
}

static void test_names(void)
{
	char own[128];

	CHECK(own_group_name(own, sizeof own) == 0 && starts(own, "hutch-"));
}

/* Tests a v2 program that writes memory.max, for a job outside of a caller's group that has limits. */
static void test_own_groups(void)
{
	struct call call = { "hutch-1-2-3-0", no_words, no_words, 0 };
	struct builder *p = calloc(1, sizeof *p);
	struct compiled c = { .flags = 0 };
	struct cursor outer, inner, payload;
	struct text controllers = { .length = 0 }, t = { .length = 0 };
	u32 at;
	u8 *out;
	long size;

	memcpy(add_place("", "/v2")->path, "a/b", 4);
	add_place("memory", "/v1");
	CHECK(add_own_value("cpuset.cpus", "0-1\n", 0) == 0 && add_own_value("cpu.cfs_quota_us", "20000", 1) == 0);
	CHECK(same(own_value("cpuset.cpus", OWN_PLACEHOLDER), "0-1\n") && !own_value("cpuset.cpus", "3"));
	CHECK(same(own_value("cpu.cfs_quota_us", "100000"), "20000") && same(own_value("other", OWN_PLACEHOLDER), ""));
	add_own_groups(&t, "in /v2/hutch-own-/x, /v1/hutch-own-memory/x and /v1/hutch-own-pids/x");
	CHECK(same(t.bytes, "in /v2/a/b/x, /v1/x and /v1/hutch-own-pids/x"));
	CHECK(add_outer_limit("/v2/a/b", "memory.max", "64\n") == 0 && add_outer_limit("/v2/a/b", "cpu.max", "max 100000\n") == 0);
	CHECK(add_outer_limit("/v2/a/b", "io.max", "8:0 rbps=max wbps=max\n") == 0);
	CHECK(add_outer_limit("/v2/a", "memory.max", "32\n") == 0 && add_outer_limit("/v2/a", "pids.max", "9\n") == 0);
	CHECK(add_outer_limit("/v2/a", "io.max", "8:0 rbps=1\n8:1 rbps=2\n") == 0 && add_outer_limit("/v2/a", "misc.max", "res_a 5\n") == 0);
	hold_outer_limits("cpu io memory pids\n", &controllers);
	CHECK(same(controllers.bytes, "+memory +memory +pids +io"));

	header(p);
	at = begin(p, 2), put_string(p, "/v2/hutch-own-/" GROUP_PLACEHOLDER "/memory.max"), put_string(p, "50"), end(p, at);
	at = begin(p, 4), put(p, 0), put(p, 0), put_string(p, "/v2/hutch-own-/" GROUP_PLACEHOLDER), put(p, 0), end(p, at);
	close_header(p);
	c.program = p->bytes;
	c.program_length = p->size;
	out = malloc(filled_size(&c, &call));
	size = fill_program(p->bytes, p->size, &call, out, filled_size(&c, &call));
	CHECK(size > 0 && open_program(out, (u64)size, &outer, &inner) == 0);
	for (const char *const *line = (const char *const[]){ "memory.max", "50", "memory.max", "32", "pids.max", "9", "io.max", "8:0 rbps=1",
							      "io.max", "8:1 rbps=2", NULL }; *line; line += 2) {
		CHECK(take_op(&outer, &payload) == 2);
		t.length = 0;
		add(&t, "/v2/a/b/hutch-1-2-3-0/");
		add(&t, line[0]);
		CHECK(same(take_string(&payload), t.bytes) && same(take_string(&payload), line[1]));
	}
	CHECK(take_op(&outer, &payload) == 4 && limit_lines() == 4);
	free(out);
	free(p);
}

void test_compiled(void)
{
	test_trailer();
	test_fill();
	test_names();
	test_random_trailers(20000);
	test_own_groups();
	test_random_trailers(2000);
}
