// SPDX-License-Identifier: Apache-2.0
/*
 * Tests the decoder and the outer handlers as plain functions. They run in a scratch directory,
 * whose subdirectories serve as groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int failed, done;

static void put_wait(struct builder *b)
{
	u32 at = begin(b, 7);

	put(b, 0);
	put(b, 0);
	put(b, 15);
	put(b, 0);
	put(b, 0);
	put(b, 0);
	put_string(b, "");
	end(b, at);
}
/* Tests that groups are created, a file is written and read, and the group is removed. */
static void test_outer(const char *directory)
{
	struct launch_files files = { .streams = { -1, -1, -1 }, .stream_count = STANDARD_STREAMS, .init_fd = -1, .inotify_fd = -1 };
	struct outer o = { .figures = malloc(FIGURES_SIZE) };
	struct builder *b = malloc(sizeof *b);
	struct cursor inner;
	char group[512], file[512], text[64] = "";
	u8 *bytes;
	u32 at;
	int fd, length;

	snprintf(group, sizeof group, "%s/group", directory);
	snprintf(file, sizeof file, "%s/value", directory);
	fd = open(file, O_CREAT | O_RDWR, 0600);
	close(fd);
	header(b);
	at = begin(b, 1), put_string(b, group), put(b, 0), end(b, at);
	at = begin(b, 2), put_string(b, file), put_string(b, "52428800"), end(b, at);
	at = begin(b, 3), put_string(b, file), end(b, at);
	at = begin(b, 3), put_string(b, "/no/such/file"), end(b, at);
	at = begin(b, 13), put(b, 300), put(b, 50), put_string(b, file), end(b, at);
	put_wait(b);
	at = begin(b, 9), put_string(b, group), put(b, 0), end(b, at);
	close_header(b);
	bytes = copy_exact(b);
	CHECK(open_program(bytes, b->size, &o.ops, &inner) == 0);
	CHECK(outer_start(&o, &files) == 0);
	CHECK(exists(group));
	CHECK(read_text(file, text, sizeof text) == 8 && !memcmp(text, "52428800", 8));
	memcpy(&length, o.figures + 4, 4);
	CHECK(length == 8 && !memcmp(o.figures + 8, "52428800", 8));
	memcpy(&length, o.figures + 20, 4);
	CHECK(length == -ENOENT);
	CHECK(o.cpu_ms == 300 && o.cpu_extra_ms == 50 && !strcmp(o.cpu_file, file));
	CHECK(outer_finish(&o) == 0);
	CHECK(!exists(group));
	free(bytes);
	free(o.figures);
	free(b);
}

/* Tests that a failed op reports its step, and that groups created by earlier ops are removed. */
static void test_undo(const char *directory)
{
	struct launch_files files = { .streams = { -1, -1, -1 }, .stream_count = STANDARD_STREAMS, .init_fd = -1, .inotify_fd = -1 };
	struct outer o = { .figures = malloc(FIGURES_SIZE) };
	struct builder *b = malloc(sizeof *b);
	struct cursor inner;
	char group[512], file[600];
	u8 *bytes;
	u32 at;

	snprintf(group, sizeof group, "%s/undone", directory);
	snprintf(file, sizeof file, "%s/no-such-file", group);
	header(b);
	at = begin(b, 1), put_string(b, group), put(b, 0), end(b, at);
	at = begin(b, 2), put_string(b, file), put_string(b, "1"), end(b, at);
	put_wait(b);
	close_header(b);
	bytes = copy_exact(b);
	CHECK(open_program(bytes, b->size, &o.ops, &inner) == 0);
	CHECK(outer_start(&o, &files) == -ENOENT);
	CHECK(o.step == 1);
	CHECK(exists(group));
	outer_undo(&o);
	CHECK(!exists(group));
	free(bytes);
	free(o.figures);
	free(b);
}

/* Tests that a link in place of a kernel file is not followed. */
static void test_links(const char *directory)
{
	char target[512], trap[512], text[16];

	snprintf(target, sizeof target, "%s/target", directory);
	snprintf(trap, sizeof trap, "%s/trap", directory);
	close(open(target, O_CREAT | O_RDWR, 0600));
	CHECK(symlink(target, trap) == 0);
	CHECK(write_text(trap, "1") == -ELOOP);
	CHECK(read_text(trap, text, sizeof text) == -ELOOP);
	CHECK(write_text(target, "1") == 0);
}

static void test_decoder(void)
{
	static const u8 cases[][24] = {
		{ 0 },
		{ 'h', 'u', 't', '2' },
		{ 'h', 'u', 't', '1', 4, 0, 0, 0 },
		{ 'h', 'u', 't', '1', 3, 0, 0, 0, 5 },
		{ 'h', 'u', 't', '1', 8, 0, 0, 0, 0, 0, 0, 0, 1 },
		{ 'h', 'u', 't', '1', 0xfc, 0xff, 0xff, 0xff, 12 },
	};
	struct cursor outer, inner;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK(open_program(cases[i], 24, &outer, &inner) == -EPROTO);
	for (u64 size = 0; size < 16; size++) {
		u8 *few = calloc(1, size + 1);

		CHECK(open_program(few, size, &outer, &inner) == -EPROTO);
		free(few);
	}
}

/* Reads every field of every op that the decoder accepts, to show that no read is outside of the program's bytes. */
static u64 walk(struct cursor section)
{
	struct cursor payload;
	u64 sum = 0;
	int code;

	while ((code = take_op(&section, &payload)) > 0) {
		struct cursor other = payload, third = payload;
		struct strings strings = take_strings(&other);
		struct numbers numbers = take_numbers(&third);
		const char *s = strings.first;

		for (u32 i = 0; i < strings.count; i++, s = next_string(s))
			sum += text_length(s);
		for (u32 i = 0; i < numbers.count; i++)
			sum += numbers.first[i];
		while (!payload.bad && payload.at < payload.end)
			sum += text_length(take_string(&payload)) + take_u32(&payload);
	}
	return sum;
}

static void test_random(unsigned int rounds)
{
	struct builder *b = malloc(sizeof *b);
	u64 sum = 0;

	for (unsigned int round = 0; round < rounds; round++) {
		struct cursor outer, inner;
		u32 at;
		u8 *bytes;

		header(b);
		at = begin(b, 1 + (u32)rand() % 9), put_string(b, "/sys/fs/cgroup/x"), put(b, (u32)rand() % 9), end(b, at);
		at = begin(b, 7), put(b, 2), put(b, 4), memcpy(b->bytes + b->size, "a\0b", 4), b->size += 4, end(b, at);
		put_wait(b);
		close_header(b);
		for (int flips = rand() % 4; flips >= 0; flips--)
			b->bytes[8 + (u32)rand() % (b->size - 8)] = (u8)rand();
		if (rand() % 4 == 0)
			b->size -= (u32)rand() % b->size;
		bytes = copy_exact(b);
		if (open_program(bytes, b->size, &outer, &inner) == 0)
			sum += walk(outer) + walk(inner);
		free(bytes);
	}
	CHECK(sum > 0);
	free(b);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	srand(1);
	test_decoder();
	test_outer(argv[1]);
	test_undo(argv[1]);
	test_links(argv[1]);
	test_root(argv[1]);
	test_root_ops();
	test_session();
	test_maps();
	test_bound();
	test_landlock(argv[1]);
	test_binds();
	test_tool();
	test_order();
	test_compiled();
	test_job_log(argv[1]);
	test_status();
	test_random(300000);
	printf("%d checks, %d failed\n", done, failed);
	return failed != 0;
}
