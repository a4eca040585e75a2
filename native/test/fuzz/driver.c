// SPDX-License-Identifier: Apache-2.0
/*
 * Mutates inputs of the parsers of the C core under AddressSanitizer and
 * UndefinedBehaviorSanitizer. An input that reaches a new edge of the control
 * flow (gcc -fsanitize-coverage=trace-pc) is kept and mutated further. gcc has
 * no libFuzzer. Usage: fuzz TARGET SECONDS SEED [SEED-FILE…], or
 * fuzz TARGET --input HEX to run one input again.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define EDGES 65536u
#define MAX_CORPUS 4096
#define HANG_SECONDS 10

void __sanitizer_set_death_callback(void (*callback)(void));
void __sanitizer_cov_trace_pc(void);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* For each edge of the control flow: the ranges of counts that earlier runs reached, and the count of this run. */
static uint8_t seen[EDGES], hit[EDGES];
static uint32_t touched[EDGES], touched_count, previous, edge_count;
/* Values with which the target recently compared parts of its input. */
static uint32_t compared[64], compared_count;

static struct input { uint8_t *bytes; size_t size; } corpus[MAX_CORPUS];
static size_t corpus_count;

static const struct target *target;
static uint8_t current[MAX_INPUT];
static size_t current_size;
static unsigned long long rounds;
static uint64_t random_state;

/*
 * Limits the target's allocations: a hostile input must not make a parser allocate much. More than
 * 256 MiB at once is reported.
 */
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=256:allocator_may_return_null=0:detect_leaks=0:handle_abort=1";
}

/* Aborts by SIGABRT. AddressSanitizer handles this signal and prints the input. */
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void reach(uint32_t edge)
{
	edge %= EDGES;
	if (hit[edge] == 0)
		touched[touched_count++] = edge;
	hit[edge] += hit[edge] < 255;
}

static uint32_t hash_place(const void *pc)
{
	return (uint32_t)((uintptr_t)pc * 2654435761u >> 8);
}

void __sanitizer_cov_trace_pc(void)
{
	uint32_t place = hash_place(__builtin_return_address(0));

	reach(place ^ previous);
	previous = place >> 1;
}

/*
 * Records a comparison made by the target. If more bytes are equal than ever before, this counts as
 * a new edge. So the fuzzer finds a magic number byte by byte.
 */
static void compare(const void *pc, uint64_t a, uint64_t b, uint32_t size)
{
	uint32_t equal = 0;

	for (uint32_t i = 0; i < size; i++)
		equal += (uint8_t)(a >> 8 * i) == (uint8_t)(b >> 8 * i);
	reach(hash_place(pc) + 7919 * (equal + 1));
	if (a != b)
		compared[compared_count++ % (sizeof compared / sizeof *compared)] = (uint32_t)b;
}

#define COMPARE(bits, bytes) \
	void __sanitizer_cov_trace_cmp##bytes(uint##bits##_t a, uint##bits##_t b); \
	void __sanitizer_cov_trace_const_cmp##bytes(uint##bits##_t a, uint##bits##_t b); \
	void __sanitizer_cov_trace_cmp##bytes(uint##bits##_t a, uint##bits##_t b) \
	{ \
		compare(__builtin_return_address(0), a, b, bytes); \
	} \
	void __sanitizer_cov_trace_const_cmp##bytes(uint##bits##_t a, uint##bits##_t b) \
	{ \
		compare(__builtin_return_address(0), b, a, bytes); \
	}
COMPARE(8, 1)
COMPARE(16, 2)
COMPARE(32, 4)
COMPARE(64, 8)

void __sanitizer_cov_trace_switch(uint64_t value, void *cases);
void __sanitizer_cov_trace_switch(uint64_t value, void *cases)
{
	const uint64_t *numbers = cases;	/* number of cases, their width in bits, their values */

	(void)value;
	if (numbers[0])
		compared[compared_count++ % (sizeof compared / sizeof *compared)] = (uint32_t)numbers[2 + fuzz_random((uint32_t)numbers[0])];
}

uint32_t fuzz_random(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return below ? (uint32_t)(random_state >> 16) % below : 0;
}

static void print_input(void)
{
	dprintf(2, "round %llu; run this input again: sh native/test/fuzz/run %s --input ", rounds, target->name);
	for (size_t i = 0; i < current_size; i++)
		dprintf(2, "%02x", current[i]);
	dprintf(2, "%s\n", current_size ? "" : "''");
}

void fuzz_failed(const char *what)
{
	dprintf(2, "%s: property does not hold: %s\n", target->name, what);
	print_input();
	_exit(1);
}

static void check_progress(int sig)
{
	static unsigned long long last = ~0ull;

	(void)sig;
	if (last == rounds)
		fuzz_failed("an input takes less than 10 seconds");
	last = rounds;
}

/*
 * Runs the current input. Returns true if it reached a new edge, or reached an edge more often than
 * every earlier input.
 */
static int run_current(void)
{
	/* copy the input to the heap, with no byte after it, so that AddressSanitizer finds reads beyond the end */
	uint8_t *copy = malloc(current_size ? current_size : 1);
	int is_new = 0;

	memcpy(copy, current, current_size);
	previous = touched_count = 0;
	rounds++;
	target->run(copy, current_size);
	free(copy);
	for (uint32_t i = 0; i < touched_count; i++) {
		uint32_t edge = touched[i];
		/* ranges of counts: 1, 2, 3 to 7, 8 to 15, and so on */
		uint8_t bit = (uint8_t)(hit[edge] < 4 ? 1 << (hit[edge] - 1) : 4 << (29 - __builtin_clz(hit[edge])));

		hit[edge] = 0;
		if (seen[edge] & bit)
			continue;
		edge_count += seen[edge] == 0;
		seen[edge] |= bit;
		is_new = 1;
	}
	return is_new;
}

static void keep_current(void)
{
	struct input *entry = &corpus[corpus_count < MAX_CORPUS ? corpus_count++ : fuzz_random(MAX_CORPUS)];

	free(entry->bytes);
	entry->bytes = malloc(current_size ? current_size : 1);
	entry->size = current_size;
	memcpy(entry->bytes, current, current_size);
}

static void insert(size_t at, const void *bytes, size_t count)
{
	if (count > MAX_INPUT - current_size)
		return;
	memmove(current + at + count, current + at, current_size - at);
	memcpy(current + at, bytes, count);
	current_size += count;
}

static void delete(size_t at, size_t count)
{
	memmove(current + at, current + at + count, current_size - at - count);
	current_size -= count;
}

/* Overwrites an aligned word with a length that parsers often handle wrongly. */
static void change_word(void)
{
	static const uint32_t values[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 40, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x3fffffff, 0x40000000, 0x7fffff00,
		0x7fffffef, 0x7ffffff0, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff,
	};
	uint32_t value;
	size_t at;

	if (current_size < 4)
		return;
	at = fuzz_random((uint32_t)current_size / 4) * 4;
	memcpy(&value, current + at, 4);
	switch (fuzz_random(4)) {
	case 0: value = values[fuzz_random(sizeof values / sizeof *values)]; break;
	case 1: value += fuzz_random(17) - 8; break;
	case 2: value = compared[fuzz_random(sizeof compared / sizeof *compared)]; break;
	default: value = (uint32_t)(current_size - at) - fuzz_random(9); break;
	}
	memcpy(current + at, &value, 4);
}

static void insert_word(void)
{
	size_t count = 0;
	const char *word;

	while (target->words && target->words[count])
		count++;
	if (!count)
		return;
	word = target->words[fuzz_random((uint32_t)count)];
	insert(fuzz_random((uint32_t)current_size + 1), word, strlen(word));
}

static void insert_piece(void)
{
	const struct input *other = &corpus[fuzz_random((uint32_t)corpus_count)];
	size_t from = fuzz_random((uint32_t)other->size / 4 + 1) * 4, count;

	if (from >= other->size)
		return;
	count = 1 + fuzz_random((uint32_t)(other->size - from));
	if (count > 512)
		count = 512;
	insert(fuzz_random((uint32_t)current_size / 4 + 1) * 4 % (current_size + 1), other->bytes + from, count & ~(size_t)3);
}

static void mutate(void)
{
	uint32_t at = fuzz_random((uint32_t)current_size), count;
	uint8_t some[64];

	switch (fuzz_random(8)) {
	case 0:
		if (current_size)
			current[at] ^= (uint8_t)(1 << fuzz_random(8));
		break;
	case 1:
		if (current_size)
			current[at] = (uint8_t)(fuzz_random(2) ? fuzz_random(256) : compared[fuzz_random(sizeof compared / sizeof *compared)]);
		break;
	case 2:
		change_word();
		break;
	case 3:
		insert_word();
		break;
	case 4:
		insert_piece();
		break;
	case 5:
		at &= ~3u;
		count = 4 * (1 + fuzz_random(16));
		if (at + count <= current_size)
			delete(at, count);
		break;
	case 6:
		count = 1 + fuzz_random(sizeof some);
		for (uint32_t i = 0; i < count; i++)
			some[i] = (uint8_t)fuzz_random(256);
		insert(at, some, count);
		break;
	default:
		if (fuzz_random(4) == 0)
			current_size = at;
	}
}

static void make_next(void)
{
	/* every second time, choose one of the newest inputs */
	size_t newest = corpus_count > 8 && fuzz_random(2) ? corpus_count - 8 : 0;
	const struct input *from = &corpus[newest + fuzz_random((uint32_t)(corpus_count - newest))];
	size_t max = target->max_size ? target->max_size : MAX_INPUT;

	memcpy(current, from->bytes, from->size);
	current_size = from->size;
	for (uint32_t left = 1 + fuzz_random(6); left; left--)
		mutate();
	if (current_size > max)
		current_size = max;
	/* leave lengths and checksums of one input in eight inconsistent */
	if (target->repair && fuzz_random(8))
		current_size = target->repair(current, current_size);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got;

	while (fd >= 0 && length < size && (got = read(fd, bytes + length, size - length)) > 0)
		length += (size_t)got;
	close(fd);
	return length;
}

static void load_seeds(char **paths)
{
	static uint8_t file[8 << 20];

	for (; *paths; paths++) {
		size_t size = read_file(*paths, file, sizeof file);

		current_size = target->import ? target->import(current, file, size) : 0;
		if (!current_size)
			continue;
		run_current();
		keep_current();
	}
	current_size = 0;
	run_current();
	keep_current();
}

static void parse_hex(const char *hex)
{
	unsigned int byte;

	for (; current_size < MAX_INPUT && sscanf(hex, "%2x", &byte) == 1; hex += hex[1] ? 2 : 1)
		current[current_size++] = (uint8_t)byte;
}

static void prepare_process(void)
{
	struct itimerval every = { { HANG_SECONDS, 0 }, { HANG_SECONDS, 0 } };

	__sanitizer_set_death_callback(print_input);
	signal(SIGALRM, check_progress);
	setitimer(ITIMER_REAL, &every, NULL);
}

int main(int argc, char **argv)
{
	time_t until;
	size_t at = 0, seeds;

	while (argc > 2 && at < target_count && strcmp(targets[at].name, argv[1]))
		at++;
	if (argc < 4 || at >= target_count) {
		fprintf(stderr, "usage: %s TARGET SECONDS SEED [SEED-FILE...]\n       %s TARGET --input HEX\n", argv[0], argv[0]);
		return 2;
	}
	target = &targets[at];
	prepare_process();
	if (strcmp(argv[2], "--input") == 0) {
		parse_hex(argv[3]);
		run_current();
		dprintf(2, "%s: no error with these %zu bytes\n", target->name, current_size);
		return 0;
	}
	random_state = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15u | 1;
	load_seeds(argv + 4);
	seeds = corpus_count - 1;
	for (until = time(NULL) + atoi(argv[2]); time(NULL) < until;)
		for (int i = 0; i < 64; i++) {
			make_next();
			if (run_current())
				keep_current();
		}
	dprintf(2, "%s: seed %s, %zu seed files, %llu inputs, %u edges, %zu inputs kept, no error\n", target->name,
		argv[3], seeds, rounds, edge_count, corpus_count);
	return 0;
}
