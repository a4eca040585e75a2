/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Implements the small `hutch` in the path of contained commands, because Node does not fit into a
 * 50M group. `hutch hog SIZE [--hold TIME]` allocates and touches memory, and prints a dot for
 * every 10 MiB, as memhog(8) does. `hutch keep` only waits: it holds the systemd scope of lasting
 * groups.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MIB (1ul << 20)

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "hutch hog: %s%s\n"
		"  remedy: hutch hog SIZE [--hold TIME], such as: hutch hog 100M --hold 5s\n", what, value);
	return 125;
}

/* Parses a size such as 100M, 1.5G, 4096. */
static double parse_size(const char *text)
{
	char *end;
	double n = strtod(text, &end);
	const char *unit = strchr("kmgt", *end | 32);

	if (end == text || !(n > 0) || strspn(text, "0123456789.") != (size_t)(end - text))
		return -1;
	if (*end && unit) {
		for (int i = 0; i <= unit - "kmgt" && i < 4; i++)
			n *= 1024;
		end++;
	}
	if (*end == 'i')
		end++;
	if (*end == 'B' || *end == 'b')
		end++;
	return *end ? -1 : n;
}

/* Parses a time such as 5s, 200ms, 2m, 5. */
static double parse_seconds(const char *text)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || !(n >= 0))
		return -1;
	if (!strcmp(end, "ms"))
		return n / 1000;
	if (!strcmp(end, "m"))
		return n * 60;
	return !strcmp(end, "s") || !*end ? n : -1;
}

/*
 * Holds a systemd scope, which systemd removes when it has no processes. Ends on SIGTERM, which
 * systemd and hutch send.
 */
static _Noreturn void keep(void)
{
	prctl(PR_SET_NAME, "hutch-keeper");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	double size = -1, hold = 0;

	if (argc == 2 && !strcmp(argv[1], "keep"))
		keep();
	if (argc < 2 || strcmp(argv[1], "hog"))
		return usage("inside a container only hog is offered, not ", argc < 2 ? "nothing" : argv[1]);
	for (int i = 2; i < argc; i++) {
		const char *value = !strncmp(argv[i], "--hold=", 7) ? argv[i] + 7 : NULL;

		if (!strcmp(argv[i], "--hold") && i + 1 < argc)
			value = argv[++i];
		if (value)
			hold = parse_seconds(value);
		else if (size < 0)
			size = parse_size(argv[i]);
		else
			return usage("unexpected ", argv[i]);
		if (hold < 0 || (!value && size < 0))
			return usage("not a size or time: ", argv[i]);
	}
	if (size < 0)
		return usage("a size is missing", "");
	for (double done = 0; done < size; done += 10 * MIB) {
		size_t part = size - done < 10 * MIB ? (size_t)(size - done) : 10 * MIB;
		char *p = mmap(NULL, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			fprintf(stderr, "\nhutch hog: cannot map %zu bytes: %s\n", part, strerror(errno));
			return 1;
		}
		if (write(1, ".", 1) < 0)
			return 1;
		memset(p, 0xff, part);
	}
	if (write(1, "\n", 1) < 0)
		return 1;
	nanosleep(&(struct timespec){ (time_t)hold, (long)((hold - (time_t)hold) * 1e9) }, NULL);
	return 0;
}
