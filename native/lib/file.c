/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes small kernel files in one call each. */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"

size_t text_length(const char *s)
{
	return (size_t)(next_string(s) - s) - 1;
}

#ifdef HUTCH_FREESTANDING
/* gcc generates calls to memcpy and memset, so they must exist although there is no libc. */
void *memcpy(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int value, size_t n)
{
	u8 *t = to;

	while (n--)
		*t++ = (u8)value;
	return to;
}
#endif

/* Writes a text to a file. O_NOFOLLOW: kernel files are never symbolic links, so a link in their place is an attack. */
int write_text(const char *path, const char *text)
{
	long fd, written;
	size_t length = text_length(text);

	fd = sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return (int)fd;
	/* a write to a memory limit returns EINTR when a signal is pending, such as Node's SIGCHLD: try again */
	do
		written = sys(__NR_write, fd, text, length);
	while (written == -EINTR);
	sys(__NR_close, fd);
	if (written < 0)
		return (int)written;
	return (size_t)written == length ? 0 : -EIO;
}

long read_text(const char *path, char *buffer, size_t size)
{
	long fd, got, total = 0;

	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	while ((size_t)total < size) {
		got = sys(__NR_read, fd, buffer + total, size - (size_t)total);
		if (got == -EINTR)
			continue;
		if (got < 0)
			total = got;
		if (got <= 0)
			break;
		total += got;
		/* one read returns a whole kernel file if it fits the buffer */
		if ((size_t)total < size)
			break;
	}
	sys(__NR_close, fd);
	return total;
}

/* Two functions that append to a path. Each returns the position of the path's final NUL. */
char *add_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at = 0;
	return at;
}

char *add_decimal(char *at, u64 number)
{
	char digits[24];
	int count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		*at++ = digits[--count];
	*at = 0;
	return at;
}
