/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the mutation driver (driver.c) and its targets (targets.c, toy.c). */
#ifndef HUTCH_FUZZ_H
#define HUTCH_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define MAX_INPUT 65536

struct target {
	const char *name;
	void (*run)(const uint8_t *input, size_t size);
	/* Optional: repairs lengths and checksums of a mutated input, and returns its size. */
	size_t (*repair)(uint8_t *input, size_t size);
	/*
	 * Turns the bytes of a seed file into an input of this target. Returns the input's size, or
	 * 0 if the file is not usable.
	 */
	size_t (*import)(uint8_t *input, const uint8_t *file, size_t size);
	/* Words that the parser searches for; NULL ends the list. */
	const char *const *words;
	/* Maximum size of an input in bytes; 0 stands for MAX_INPUT. */
	size_t max_size;
};

extern const struct target targets[];
extern const size_t target_count;

/* Reports that a property does not hold for the current input, and aborts. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_failed(#condition))
_Noreturn void fuzz_failed(const char *what);

uint32_t fuzz_random(uint32_t below);

#endif
