/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the monotonic clock and sleeps by it, in milliseconds. */
#include <linux/time_types.h>

#include "../hutch.h"

u64 now_ms(void)
{
	struct __kernel_timespec t = { 0, 0 };

	sys(__NR_clock_gettime, K_CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct __kernel_timespec t = { ms / 1000, (long long)(ms % 1000) * 1000000 };

	sys(__NR_clock_nanosleep, K_CLOCK_MONOTONIC, 0, &t, NULL);
}
