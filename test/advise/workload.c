// SPDX-License-Identifier: Apache-2.0
// Workloads of known need: workload MODE [ARGUMENTS]. Sizes are in MiB.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static void pause_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static char *touch(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(3);
	// pages of the usual size, so that the need does not depend on how the kernel finds huge ones
	madvise(memory, size, MADV_NOHUGEPAGE);
	memset(memory, 1, size);
	return memory;
}

/** Memory that is there until the end. */
static void hog(size_t size)
{
	touch(size * MIB);
	pause_ms(60);
}

/** Two phases: the second needs more, and begins when the memory of the first is free. */
static void phases(size_t first, size_t second)
{
	char *memory = touch(first * MIB);

	pause_ms(60);
	munmap(memory, first * MIB);
	touch(second * MIB);
	pause_ms(60);
}

/** Memory that grows in steps of a quarter MiB. */
static void leak(size_t size)
{
	for (size_t i = 0; i < size * 4; i++) {
		touch(MIB / 4);
		pause_ms(1);
	}
}

/** Opens a file whose pages are not in the page cache, so that this job is charged for them; without reading ahead. */
static int open_uncached(const char *path)
{
	int file = open(path, O_RDONLY);

	if (file < 0 || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0 ||
	    posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM) != 0)
		exit(3);
	return file;
}

/** Reads a file from its start to its end, with little memory of its own. */
static void cache(const char *path, size_t own)
{
	char *buffer = touch(own * MIB);
	int file = open_uncached(path);

	while (read(file, buffer, 65536) > 0)
		pause_ms(1);
	pause_ms(60);
}

/** Reads all pages of a mapped file, again and again. */
static void use_pages(int file, size_t size)
{
	const volatile char *pages = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	if (pages == MAP_FAILED)
		exit(3);
	for (int round = 0; round < 10; round++) {
		for (size_t at = 0; at < size; at += 4096)
			(void)pages[at];
		pause_ms(2);
	}
}

/** Memory that two processes share; each changes a half. */
static void share(size_t size)
{
	char *memory = mmap(NULL, size * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;

	if (memory == MAP_FAILED)
		exit(3);
	if (fork() == 0) {
		memset(memory, 1, size * MIB / 2);
		_exit(0);
	}
	memset(memory + size * MIB / 2, 1, size * MIB / 2);
	if (wait(&status) < 0 || status != 0)
		exit(4);
}

/** A mapped file, beside shared memory. */
static void map(const char *path, size_t size)
{
	int file = open_uncached(path);
	size_t file_size = 0;
	ssize_t got;
	char buffer[65536];

	// read ahead, so that this takes little time
	posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
	while ((got = read(file, buffer, sizeof(buffer))) > 0)
		file_size += got;
	posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
	share(size);
	use_pages(file, file_size);
}

/** A tree of processes, each with memory of its own. Each keeps it until all have closed their end of the pipe, and so have theirs. */
static void tree(int depth, size_t size, const int *all)
{
	char byte;

	for (int i = 0; depth > 0 && i < 2; i++)
		if (fork() == 0) {
			tree(depth - 1, size, all);
			_exit(0);
		}
	touch(size * MIB);
	close(all[1]);
	while (read(all[0], &byte, 1) > 0)
		;
	for (int status = 0; wait(&status) > 0;)
		if (status != 0)
			_exit(4);
}

/** Works until the thread has used so much CPU time since then. */
static void work_until(const struct timespec *from, long ms)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000 < ms);
}

static void *worker(void *time)
{
	struct timespec from;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	work_until(&from, (long)time);
	return NULL;
}

/** Threads that each use the same CPU time, and 24 MiB for all. */
static void pool(int threads, long ms)
{
	pthread_t thread[64];
	char *kept = touch(24 * MIB);

	for (int i = 0; i < threads && i < 64; i++)
		pthread_create(&thread[i], NULL, worker, (void *)ms);
	for (int i = 0; i < threads && i < 64; i++)
		pthread_join(thread[i], NULL);
	kept[0]++;
}

/** Bursts of memory, and of 40 ms of CPU time, with pauses of 60 ms. */
static void bursts(int count, size_t size)
{
	char *kept = touch(8 * MIB);

	for (int i = 0; i < count; i++) {
		struct timespec from;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
		char *memory = touch(size * MIB);

		work_until(&from, 40);
		munmap(memory, size * MIB);
		pause_ms(60);
		kept[0]++;
	}
}

int main(int count, char **words)
{
	int all[2];
	const char *mode = count > 1 ? words[1] : "";
	const char *path = count > 2 ? words[2] : "";
	long first = count > 2 ? atol(words[2]) : 0;
	long second = count > 3 ? atol(words[3]) : 0;

	if (strcmp(mode, "hog") == 0)
		hog(first);
	else if (strcmp(mode, "phases") == 0)
		phases(first, second);
	else if (strcmp(mode, "leak") == 0)
		leak(first);
	else if (strcmp(mode, "cache") == 0)
		cache(path, second);
	else if (strcmp(mode, "share") == 0) {
		share(first);
		pause_ms(60);
	} else if (strcmp(mode, "map") == 0)
		map(path, second);
	else if (strcmp(mode, "tree") == 0)
		return pipe(all) < 0 ? 3 : (tree(first, second, all), 0);
	else if (strcmp(mode, "pool") == 0)
		pool(first, second);
	else if (strcmp(mode, "bursts") == 0)
		bursts(first, second);
	else
		return 2;
	return 0;
}
