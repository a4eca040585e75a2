// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of the decoder and of the outer handlers as plain functions: they work
 * in a scratch directory, since a group is a directory to them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../hutch.h"

static int failed, done;

#define CHECK(condition) \
	do { \
		done++; \
		if (!(condition)) { \
			failed++; \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

/* A program under construction; the bytes are on the heap with nothing behind, so that reading on is caught. */
struct builder {
	u8 bytes[65536];
	u32 size;
};

static void put(struct builder *b, u32 value)
{
	memcpy(b->bytes + b->size, &value, 4);
	b->size += 4;
}

static void put_string(struct builder *b, const char *text)
{
	u32 length = (u32)strlen(text);

	put(b, length);
	memset(b->bytes + b->size, 0, length + 4);
	memcpy(b->bytes + b->size, text, length);
	b->size += (length + 1 + 3) & ~3u;
}

static u32 begin(struct builder *b, u32 code)
{
	put(b, code);
	put(b, 0);
	return b->size;
}

static void end(struct builder *b, u32 start)
{
	u32 length = b->size - start;

	memcpy(b->bytes + start - 4, &length, 4);
}

static void header(struct builder *b)
{
	b->size = 0;
	put(b, PROGRAM_MAGIC);
	put(b, 0);
	put(b, 0);
	put(b, 0);
}

static void close_header(struct builder *b)
{
	u32 outer = b->size - 16;

	memcpy(b->bytes + 4, &outer, 4);
}

static u8 *copy_exact(const struct builder *b)
{
	u8 *copy = malloc(b->size ? b->size : 1);

	memcpy(copy, b->bytes, b->size);
	return copy;
}

static void put_wait(struct builder *b)
{
	u32 at = begin(b, 7);

	put(b, 0);
	put(b, 0);
	put(b, 0);
	put(b, 0);
	put(b, 0);
	put_string(b, "");
	end(b, at);
}

static int exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Groups are made, a file is written and read, the group is removed. */
static void test_outer(const char *directory)
{
	struct launch_files files = { .stdio = { -1, -1, -1 }, .init_fd = -1, .inotify_fd = -1 };
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
	CHECK(outer_finish(&o) == 0);
	CHECK(!exists(group));
	free(bytes);
	free(o.figures);
	free(b);
}

/* An op that fails names its step, and what was made before is taken back. */
static void test_undo(const char *directory)
{
	struct launch_files files = { .stdio = { -1, -1, -1 }, .init_fd = -1, .inotify_fd = -1 };
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

/* A link in place of a kernel file is not followed. */
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

static void put_words(struct builder *b, u32 count, const char *words, u32 length)
{
	put(b, count);
	put(b, length);
	memset(b->bytes + b->size, 0, length + 4);
	memcpy(b->bytes + b->size, words, length);
	b->size += (length + 3) & ~3u;
}

/* The child of the hand-shake: 0 when it was mapped to root. */
static void be_mapped(int fd)
{
	struct report ready = { .kind = REPORT_READY };
	char go = 0;

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	if (send(fd, &ready, sizeof ready, 0) < 0 || recv(fd, &go, 1, 0) != 1 || go != GO_BYTE)
		_exit(1);
	_exit(getuid() == 0 && getgid() == 0 ? 0 : 2);
}

static int run_map(struct outer *o, const struct builder *b)
{
	u8 *bytes = copy_exact(b);
	struct cursor c = { bytes, bytes + b->size, 0 };
	int err = op_map_ids(o, &c);

	free(bytes);
	return err;
}

/* A real user namespace is mapped by the parent; a child that has failed, or has gone, is left for its end to tell. */
static void test_maps(void)
{
	struct builder *b = malloc(sizeof *b);
	struct report report = { .kind = REPORT_FAILED, .step = 3, .value = 13 };
	struct outer o = { 0 };
	int pair[2], status = 0;
	char users[32], groups[32];
	u32 users_length = (u32)snprintf(users, sizeof users, "0%c%u%c1", 0, getuid(), 0) + 1;
	u32 groups_length = (u32)snprintf(groups, sizeof groups, "0%c%u%c1", 0, getgid(), 0) + 1;

	b->size = 0;
	put_words(b, 3, users, users_length);
	put_words(b, 3, groups, groups_length);
	put(b, 1);
	put_string(b, "");
	put_string(b, "");

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	o.report_fd = pair[0];
	o.pid = fork();
	if (o.pid == 0)
		be_mapped(pair[1]);
	close(pair[1]);
	status = run_map(&o, b);
	CHECK(status == 0);
	waitpid(o.pid, &status, 0);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	/* it is gone, and nothing is said */
	CHECK(run_map(&o, b) == 0);
	close(pair[0]);

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	o.report_fd = pair[0];
	CHECK(send(pair[1], &report, sizeof report, 0) == sizeof report);
	CHECK(run_map(&o, b) == 0);
	memset(&report, 0, sizeof report);
	CHECK(recv(pair[0], &report, sizeof report, MSG_DONTWAIT) == sizeof report && report.step == 3);

	/* two words are no extent */
	b->size = 0;
	put_words(b, 2, "0\0000", 4);
	put_words(b, 0, "", 0);
	put(b, 0);
	put_string(b, "");
	put_string(b, "");
	CHECK(run_map(&o, b) == -EPROTO);
	close(pair[0]);
	close(pair[1]);
	free(b);
}

/* No file, no mount: the child is not told to go on. Words that do not pair are no program. */
static void test_binds(void)
{
	struct report ready = { .kind = REPORT_READY };
	struct outer o = { .pid = getpid() };
	struct builder *b = malloc(sizeof *b);
	struct cursor c;
	int pair[2];
	char go = 0;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	o.report_fd = pair[0];
	for (u32 files = 0; files < 2; files++) {
		b->size = 0;
		put_words(b, 1, "net", 4);
		put_words(b, files, "/no/such/file", files ? 14 : 0);
		c = (struct cursor){ b->bytes, b->bytes + b->size, 0 };
		CHECK(send(pair[1], &ready, sizeof ready, 0) == sizeof ready);
		CHECK(files ? op_bind_namespaces(&o, &c) < 0 : op_bind_namespaces(&o, &c) == -EPROTO);
		CHECK(recv(pair[1], &go, 1, MSG_DONTWAIT) < 0);
	}
	close(pair[0]);
	close(pair[1]);
	free(b);
}

static void test_tool(void)
{
	CHECK(run_tool((const char *const[]){ "/bin/true", NULL }) == 0);
	CHECK(run_tool((const char *const[]){ "/bin/false", NULL }) == 1 << 8);
	CHECK(run_tool((const char *const[]){ "/no/such/tool", NULL }) == 127 << 8);
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

/* Walks every field of every op that the decoder lets through: nothing may be read outside of the bytes. */
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
	test_maps();
	test_binds();
	test_tool();
	test_random(300000);
	printf("%d checks, %d failed\n", done, failed);
	return failed != 0;
}
