/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks the part of the snapshot that common commands do not use. No memory is mapped there at a start. The first
 * use of a block of 64 KiB causes SIGSEGV, whose handler maps and unpacks it. System calls would return EFAULT instead, so bytes for
 * them are read first.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engine.h"

__asm__(".section hutch_bytecode,\"a\",@progbits\n.balign 16\n.globl packed\n.hidden packed\npacked:\n	.incbin \"" HUTCH_PACKED "\"\n.text\n");

/* the count of blocks, their offsets, and the blocks, packed by deflate */
extern const uint32_t packed[];

static char *area, *area_end;

static void unpack(int number, siginfo_t *info, void *context)
{
	char *fault = info->si_addr, *block;
	size_t index;

	(void)context;
	if (fault < area || fault >= area_end || info->si_code != SEGV_MAPERR) {
		/* the same instruction ends the process */
		signal(number, SIG_DFL);
		return;
	}
	index = (size_t)(fault - area) / PACKED_BLOCK;
	block = area + index * PACKED_BLOCK;
	if (getenv("HUTCH_DEBUG"))
		dprintf(2, "hutch: unpacks block %zu\n", index);
	if (mmap(block, PACKED_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != block)
		end_without_memory();
	inflate((const uint8_t *)(packed + 1 + packed[0]) + packed[1 + index], (uint8_t *)block);
}

/* Lets each block of this memory be unpacked when it is used. */
void unpack_on_demand(char *start, char *end)
{
	struct sigaction action = { .sa_sigaction = unpack, .sa_flags = SA_SIGINFO };
	sigset_t faults;

	area = start;
	area_end = end;
	sigaction(SIGSEGV, &action, NULL);
	/* the caller of hutch may have blocked it */
	sigemptyset(&faults);
	sigaddset(&faults, SIGSEGV);
	sigprocmask(SIG_UNBLOCK, &faults, NULL);
}

/* Unpacks what a system call is about to use. */
void make_readable(const void *bytes, size_t length)
{
	const volatile char *at = bytes;

	if (!length || (const char *)bytes < area || (const char *)bytes >= area_end)
		return;
	for (size_t done = 0; done < length; done += PACKED_BLOCK)
		(void)at[done];
	(void)at[length - 1];
}
