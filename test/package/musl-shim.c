/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets Bun for musl use Debian's libstdc++, which is built for glibc: the symbols that musl lacks, under the name of glibc's linker.
 * Bun needs libstdc++, and Debian has none for musl. package.test.ts builds this file.
 */
#include <locale.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded;
unsigned int __cpu_model[4];

int __cpu_indicator_init(void)
{
	return 0;
}

uint32_t arc4random(void)
{
	uint32_t number = 0;

	getrandom(&number, sizeof number, 0);
	return number;
}

size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time, locale_t locale)
{
	return strftime_l(text, size, format, time, locale);
}

/* A destructor of a thread's variable does not run. */
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library)
{
	(void)destroy;
	(void)object;
	(void)library;
	return 0;
}

/* libgcc then uses dl_iterate_phdr. */
int _dl_find_object(void *address, void *result)
{
	(void)address;
	(void)result;
	return -1;
}
