// SPDX-License-Identifier: Apache-2.0
/* Defines the fuzz targets: the parsers of programs, messages with jobs, compiled files and /proc/PID/status. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../lib/proc-status.h"
#include "../../compiled/compiled.h"
#include "fuzz.h"

/* Results are added up here, so that gcc keeps the reads: the sanitizers do not check the buffers of system calls. */
static volatile u32 sink;

/* The first number for the streams of a request. */
#define STREAMS_OF_ORDER 50

int fuzz_take_order(u8 *room), count_open(int first, int end);
void note_groups(void);

long say(enum report_kind kind, u32 step, int value)
{
	return (long)kind + (long)step + value;
}

/* Replacements for functions of native/lib/clone.c and file.c, which are not linked into the fuzzer. */
long noted_call(long a, long b, long c, long d, long e, long n)
{
	/* keeps the driver's own streams */
	if (n == __NR_write && a == 2)
		return c;
	if (n == __NR_dup3)
		b += STREAMS_OF_ORDER;
	return sys6(n, a, b, c, d, e, 0);
}

size_t text_length(const char *s)
{
	return strlen(s);
}

static void use(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sink += ((const u8 *)bytes)[i];
}

static void use_strings(const struct strings *strings)
{
	const char **pointers = malloc(((size_t)strings->count + 1) * sizeof *pointers);

	fill_pointers(pointers, strings);
	for (u32 i = 0; i < strings->count; i++)
		use(pointers[i], strlen(pointers[i]) + 1);
	free(pointers);
}

static const char *fields_of_op(int code)
{
	switch (code) {
#define CASE(number, name, handler, fields) case number: return fields;
	OUTER_OPS(CASE)
	INNER_OPS(CASE)
#undef CASE
	}
	return "";
}

/* Takes every field of an op by its described type, as the op's handler does. */
static void take_section(struct cursor *section)
{
	struct cursor payload;
	int code;

	while ((code = take_op(section, &payload)) > 0) {
		REQUIRE(payload.at <= payload.end && payload.end <= section->end);
		for (const char *field = strchr(fields_of_op(code), ':'); field; field = strchr(field + 1, ':')) {
			if (starts(field, ":u32")) {
				sink += take_u32(&payload);
			} else if (starts(field, ":u64")) {
				sink += (u32)take_u64(&payload);
			} else if (starts(field, ":strings")) {
				struct strings strings = take_strings(&payload);

				use_strings(&strings);
			} else if (starts(field, ":string")) {
				const char *s = take_string(&payload);

				use(s, strlen(s) + 1);
			} else {
				struct numbers numbers = take_numbers(&payload);

				use(numbers.first, (size_t)numbers.count * 4);
			}
		}
		REQUIRE(payload.at <= payload.end);
		sink += (u32)finished(&payload);
	}
}

static void run_decoder(const u8 *input, size_t size)
{
	struct cursor outer, inner;

	if (open_program(input, size, &outer, &inner))
		return;
	REQUIRE(outer.end == inner.at && inner.end == input + size);
	take_section(&outer);
	take_section(&inner);
}

static u32 word_at(const u8 *bytes, size_t at)
{
	u32 value;

	memcpy(&value, bytes + at, 4);
	return value;
}

static void put_word(u8 *bytes, size_t at, u32 value)
{
	memcpy(bytes + at, &value, 4);
}

/* Repairs the lengths in the headers of the program and its ops, so that they match the bytes. */
static size_t repair_program(u8 *bytes, size_t size)
{
	u32 outer = size >= 16 ? word_at(bytes, 4) : 0, border = 0;
	size_t at = 16;

	size &= ~(size_t)3;
	if (size < 16)
		return size;
	while (size - at >= 8) {
		u32 length = word_at(bytes, at + 4);

		if (at - 16 <= outer)
			border = (u32)at - 16;
		if (length & 3 || length > size - at - 8)
			length = fuzz_random((u32)(size - at - 8) / 4 + 1) * 4;
		put_word(bytes, at + 4, length);
		at += 8 + length;
	}
	size = at;
	put_word(bytes, 0, PROGRAM_MAGIC);
	put_word(bytes, 4, outer == size - 16 ? outer : border);
	put_word(bytes, 8, (u32)size - 16 - word_at(bytes, 4));
	put_word(bytes, 12, 0);
	return size;
}

/* Extracts the program from a seed file, which is a compiled file. The program ends where the notes begin. */
static size_t import_program(u8 *input, const u8 *file, size_t size)
{
	u32 program, notes;

	if (size < FOOTER_LENGTH || word_at(file, size - 4) != COMPILED_MAGIC)
		return 0;
	program = word_at(file, size - 20);
	notes = word_at(file, size - 16);
	if (program > MAX_INPUT || (u64)program + notes + FOOTER_LENGTH > size)
		return 0;
	memcpy(input, file + size - FOOTER_LENGTH - notes - program, program);
	return program;
}

/* Fuzzes the reading of a message with a job. The input is the number of descriptors, then the message. */
static void run_order(const u8 *input, size_t size)
{
	union { char bytes[CMSG_SPACE(8 * sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	u8 *room = malloc(ORDER_BYTES_AT_MOST);
	int pair[2], fds[8], count = size ? input[0] % 8 : 0, failed;
	struct iovec piece = { (void *)(uintptr_t)(input + (size ? 4 : 0)), size > 4 ? size - 4 : 0 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	close_range(STANDARD_STREAMS, ~0u, 0);	/* inherited, or left by the last request */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		abort();
	report_socket = pair[1];
	for (int i = 0; i < count; i++)
		fds[i] = i;
	for (int i = 3; i < count; i++)
		fds[i] = 0;
	if (count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		control.align = (struct cmsghdr){ CMSG_LEN((size_t)count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, (size_t)count * sizeof(int));
	}
	sendmsg(pair[0], &message, MSG_NOSIGNAL);
	close(pair[0]);
	failed = fuzz_take_order(room);
	close(report_socket);
	if (!failed) {
		REQUIRE(ordered.at >= room && ordered.at <= ordered.end && ordered.end <= room + ORDER_BYTES_AT_MOST);
		/* every descriptor has become a stream */
		REQUIRE(!count_open(STANDARD_STREAMS, STREAMS_OF_ORDER) &&
			count_open(STREAMS_OF_ORDER, STREAMS_OF_ORDER + MAX_STREAMS) == __builtin_popcount(word_at(input, 4)));
		/* an exact copy, so that the sanitizer detects a read of the byte after it */
		struct cursor exact = { 0 };
		size_t length = (size_t)(ordered.end - ordered.at);
		u8 *copy = malloc(length ? length : 1);

		memcpy(copy, ordered.at, length);
		exact.at = copy, exact.end = copy + length;
		take_section(&exact);
		free(copy);
	}
	free(room);
}

static size_t import_order(u8 *input, const u8 *file, size_t size)
{
	u8 program[MAX_INPUT];
	size_t length = import_program(program, file, size), outer;

	if (length < 16 || length > MAX_INPUT - 8)
		return 0;
	outer = word_at(program, 4);
	put_word(input, 0, 3);
	put_word(input, 4, 7);
	memcpy(input + 8, program + 16 + outer, length - 16 - outer);
	return length - 8 - outer;
}

/* Fuzzes the verdict of a compiled file. The input is the figures of a run, then the file. */
#define STORY 64
static void report_story(const u8 *input, const struct compiled *c, const u8 *program, u64 size)
{
	static struct run run;
	struct story story = { .compiled = c, .run = &run, .group = "hutch-1-2-3-0", .program = program, .program_size = size };
	int status;

	run = (struct run){ .command_status = (int)word_at(input, 0) & 0xffff, .own_status = (int)word_at(input, 4) & 0xffff };
	if (input[2] & 1)
		run.command_status = -1;
	run.failed_errno = input[8] & 1 ? (int)input[9] : 0;
	run.failed_step = input[10];
	run.full_spaces = word_at(input, 12);
	run.full_tables = input[16];
	run.table_limit = word_at(input, 20);
	story.sent = word_at(input, 24);
	story.timed_out = input[28] & 1 ? (int)input[29] : 0;
	story.oom_noticed = input[30] & 1;
	story.refused.kind = input[31] & 1 ? input[32] : 0;
	story.refused.step = input[33];
	story.refused.value = (int)(word_at(input, 36) & 0x7fffffff);
	story.refused.max_rss = input[40];
	/* figures of three steps: each is the text of a kernel file, or an error */
	run.outer.figures = calloc(1, 3 * 32);
	for (u32 i = 0; i < 3; i++) {
		int length = input[41 + i] % 33 ? (int)(input[41 + i] % 20) + 1 : -ENOENT;
		u8 *at = (u8 *)run.outer.figures + run.outer.figures_length;

		put_word(at, 0, input[44 + i]);
		put_word(at, 4, (u32)length);
		run.outer.figures_length += 8;
		if (length < 0)
			continue;
		memcpy(at + 8, input + 44 + i, (size_t)length > 20 ? 20 : (size_t)length);
		run.outer.figures_length += ((u32)length + 3) & ~3u;
	}
	status = report_verdict(&story);
	REQUIRE(status >= 0 && status <= 255);
	free(run.outer.figures);
}

static void run_compiled_file(const u8 *input, size_t size)
{
	char *arguments[] = { "", "two words", NULL }, *environment[] = { "A=old", "PATH=/own", "odd", NULL };
	struct call call = { "hutch-4194304-18446744073709551615-4026531836-0", arguments, environment, 0 };
	struct cursor outer, inner;
	struct compiled c;
	u8 *file, *out;
	u64 room;
	long filled;

	if (size < STORY)
		return;
	/* align the file to a page, as mmap does */
	file = malloc(size - STORY + 1);
	note_groups();
	memcpy(file, input + STORY, size - STORY);
	if (open_compiled(file, size - STORY, &c) == 0) {
		call.flags = c.flags;
		use_strings(&c.refusals);
		use_strings(&c.facts);
		use(c.explained, strlen(c.explained));
		room = filled_size(&c, &call);
		out = malloc(room);
		filled = fill_program(c.program, c.program_length, &call, out, room);
		REQUIRE(filled != -E2BIG);
		if (filled > 0) {
			REQUIRE(open_program(out, (u64)filled, &outer, &inner) == 0);
			take_section(&outer);
			take_section(&inner);
			report_story(input, &c, out, (u64)filled);
		}
		free(out);
	}
	free(file);
}

static size_t repair_compiled_file(u8 *input, size_t size)
{
	u8 *file = input + STORY;
	u32 sum = CHECKSUM_START, program, notes, length;

	if (size < STORY + FOOTER_LENGTH)
		return size;
	size &= ~(size_t)3;
	length = (u32)(size - STORY);
	notes = word_at(file, length - 16) & ~3u;
	if (notes > length - FOOTER_LENGTH)
		notes = fuzz_random((length - FOOTER_LENGTH) / 4 + 1) * 4;
	program = length - FOOTER_LENGTH - notes;
	if (program >= 16 && fuzz_random(4)) {
		u32 left = (u32)repair_program(file, program);

		memmove(file + left, file + program, notes + FOOTER_LENGTH);
		length -= program - left;
		program = left;
	}
	put_word(file, length - 32, COMPILED_MAGIC);
	put_word(file, length - 28, COMPILED_VERSION);
	put_word(file, length - 20, program);
	put_word(file, length - 16, notes);
	put_word(file, length - 12, length);
	put_word(file, length - 4, COMPILED_MAGIC);
	for (u32 at = 0; at + 8 < length; at += 4)
		sum = (sum ^ word_at(file, at)) * CHECKSUM_FACTOR;
	put_word(file, length - 8, sum);
	return STORY + length;
}

static size_t import_compiled_file(u8 *input, const u8 *file, size_t size)
{
	u32 program, notes, tail;

	if (size < FOOTER_LENGTH || word_at(file, size - 4) != COMPILED_MAGIC)
		return 0;
	program = word_at(file, size - 20);
	notes = word_at(file, size - 16);
	tail = program + notes + FOOTER_LENGTH;
	if (program > MAX_INPUT || notes > MAX_INPUT || tail > size || tail > MAX_INPUT - STORY)
		return 0;
	memset(input, 0, STORY);
	memcpy(input + STORY, file + size - tail, tail);
	return repair_compiled_file(input, STORY + tail);
}

static void run_status(const u8 *input, size_t size)
{
	struct process_status status;
	char *text = malloc(size + 1);

	memcpy(text, input, size);
	text[size] = 0;
	parse_status(text, &status);
	for (int sig = 1; sig <= 64; sig++)
		REQUIRE(status.complete || loses_signal(&status, sig));
	/* the process controls the first line, so this line must not change the result */
	if (status.complete) {
		struct process_status again;

		REQUIRE(strchr(text, '\n') != NULL);
		parse_status(strchr(text, '\n'), &again);
		REQUIRE(again.complete && again.tgid == status.tgid && again.caught == status.caught);
	}
	free(text);
}

/* Uses /proc/self/status as the input, whatever the seed file contains. */
static size_t import_status(u8 *input, const u8 *file, size_t size)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, input, MAX_INPUT);

	(void)file;
	(void)size;
	close(fd);
	return got > 0 ? (size_t)got : 0;
}

static const char *const program_words[] = { GROUP_PLACEHOLDER, "/" GROUP_PLACEHOLDER "/memory.events", "PATH=", "\1", "\2", NULL };
static const char *const status_words[] = {
	"Name:\t", "Tgid:\t", "NSpid:\t", "\t1\n", "SigBlk:\t", "SigIgn:\t", "SigCgt:\t", "\n", "ffffffffffffffffff", "\n-1", NULL,
};

const struct target targets[] = {
	{ "decoder", run_decoder, repair_program, import_program, program_words, 0 },
	{ "compiled", run_compiled_file, repair_compiled_file, import_compiled_file, program_words, 0 },
	{ "order", run_order, NULL, import_order, program_words, 0 },
	{ "status", run_status, NULL, import_status, status_words, 4096 },
};
const size_t target_count = sizeof targets / sizeof *targets;
