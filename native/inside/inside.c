/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Implements the small `hutch` command that contained commands find in their PATH. It exists
 * because Node does not fit into a group limited to 50 MiB. `hutch hog SIZE [--hold TIME]`
 * allocates and touches memory, and prints a dot for every 10 MiB, as memhog(8) does. `hutch keep`
 * only waits: it keeps a systemd scope with lasting groups alive. It has no libc, because its own
 * pages count in the group, too.
 */
#include <linux/errno.h>
#include <linux/prctl.h>

#include "../hutch.h"

#define PART (10ul << 20)
#define INVALID (~0ull)

struct unit {
	const char *name;
	u64 factor;
};

static const struct unit sizes[] = {
	{ "", 1 }, { "k", 1ull << 10 }, { "m", 1ull << 20 }, { "g", 1ull << 30 }, { "t", 1ull << 40 }, { NULL, 0 },
};
static const struct unit times_ms[] = { { "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 }, { NULL, 0 } };

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static _Noreturn void end(int status)
{
	sys(__NR_exit_group, status);
	__builtin_unreachable();
}

static void print(int fd, const char *text)
{
	if (sys(__NR_write, fd, text, text_length(text)) < 0)
		end(1);
}

static _Noreturn void usage(const char *what, const char *value)
{
	print(2, "hutch hog: ");
	print(2, what);
	print(2, value);
	print(2, "\n  remedy: hutch hog SIZE [--hold TIME], such as: hutch hog 100M --hold 5s\n");
	end(125);
}

/* Copies the unit in lower case, without the letters i and b: MiB becomes m. */
static void read_unit(const char *text, char unit[4], int is_size)
{
	int length = 0;

	for (; *text && length < 3; text++)
		unit[length++] = *text >= 'A' && *text <= 'Z' ? (char)(*text | 32) : *text;
	unit[*text ? 0 : length] = 0;
	if (*text)
		unit[0] = '?', unit[1] = 0;
	if (is_size && length > 0 && unit[length - 1] == 'b')
		unit[--length] = 0;
	if (is_size && length > 1 && unit[length - 1] == 'i')
		unit[--length] = 0;
}

/* Parses a number with a fraction and a unit, such as 1.5G or 200ms. Returns INVALID for anything else. */
static u64 parse(const char *text, const struct unit *units)
{
	u64 whole = 0, part = 0, scale = 1;
	const char *at = text;
	char unit[4];

	for (; *at >= '0' && *at <= '9'; at++)
		whole = whole > INVALID / 16 ? whole : whole * 10 + (u64)(*at - '0');
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9'; at++)
			if (scale < 1000000)
				part = part * 10 + (u64)(*at - '0'), scale *= 10;
	if (at == text || (at == text + 1 && *text == '.'))
		return INVALID;
	read_unit(at, unit, units == sizes);
	for (; units->name; units++)
		if (same(unit, units->name))
			return whole > (INVALID >> 2) / units->factor ? INVALID >> 2 :
				whole * units->factor + part * units->factor / scale;
	return INVALID;
}

/*
 * Keeps a systemd scope alive: systemd removes a scope that has no processes. Ends on SIGTERM,
 * which systemd and hutch send.
 */
static _Noreturn void keep_scope(void)
{
	sys(__NR_prctl, PR_SET_NAME, "hutch-keeper");
	for (;;)
		sleep_ms(~0u);
}

static void fill(u64 size)
{
	for (u64 done = 0; done < size; done += PART) {
		u64 part = size - done < PART ? size - done : PART;
		long at = sys(__NR_mmap, NULL, part, K_PROT_READ | K_PROT_WRITE, K_MAP_PRIVATE | K_MAP_ANONYMOUS, -1, 0);

		if (at < 0 && at > -4096) {
			print(2, at == -ENOMEM ? "\nhutch hog: cannot map more: out of memory\n" : "\nhutch hog: cannot map more\n");
			end(1);
		}
		print(1, ".");
		for (u64 *word = (u64 *)at; (u8 *)word < (u8 *)at + part; word++)
			*word = ~0ull;
	}
	print(1, "\n");
}

/* Runs the command. _start calls it with the address of argc. */
__attribute__((used, noreturn)) void inside_main(long *stack)
{
	const char *const *argv = (const char *const *)(stack + 1);
	u64 size = INVALID, hold = 0;
	int argc = (int)stack[0];

	/* the binary without Node executes this from a descriptor, whose number would be the name */
	sys(__NR_prctl, PR_SET_NAME, "hutch");
	if (argc == 2 && same(argv[1], "keep"))
		keep_scope();
	if (argc < 2 || !same(argv[1], "hog"))
		usage("inside a container only hog is offered, not ", argc < 2 ? "nothing" : argv[1]);
	for (int i = 2; i < argc; i++) {
		const char *value = NULL, *flag = "--hold=", *at = argv[i];

		while (*flag && *at == *flag)
			at++, flag++;
		if (!*flag)
			value = at;
		else if (same(argv[i], "--hold") && i + 1 < argc)
			value = argv[++i];
		if (value)
			hold = parse(value, times_ms);
		else if (size == INVALID)
			size = parse(argv[i], sizes);
		else
			usage("unexpected ", argv[i]);
		if (hold == INVALID || (!value && (size == INVALID || size == 0)))
			usage("not a size or time: ", argv[i]);
	}
	if (size == INVALID)
		usage("a size is missing", "");
	fill(size);
	for (; hold > 1000000; hold -= 1000000)
		sleep_ms(1000000);
	sleep_ms((unsigned int)hold);
	end(0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n	xor %ebp, %ebp\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call inside_main\n	hlt\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n	mov x29, #0\n	mov x0, sp\n	bl inside_main\n	brk #1\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif
