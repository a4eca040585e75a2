/* SPDX-License-Identifier: Apache-2.0 */
/* Builds and prints lines of text without a C library. */
#include <linux/errno.h>
#include <signal.h>

#include "compiled.h"

void add(struct text *t, const char *s)
{
	while (*s && t->length < sizeof t->bytes - 1)
		t->bytes[t->length++] = *s++;
	t->bytes[t->length] = 0;
}

void add_number(struct text *t, u64 number)
{
	char digits[24];
	int at = sizeof digits - 1;

	digits[at] = 0;
	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	add(t, digits + at);
}

/* Adds a number of bytes in a readable unit, such as 24.0 MiB. */
void add_size(struct text *t, u64 bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB" };
	u64 whole = bytes, rest = 0, unit = 0;

	for (; whole >= 1024 && unit < sizeof units / sizeof *units - 1; unit++) {
		rest = whole % 1024;
		whole /= 1024;
	}
	/* one digit, rounded */
	rest = (rest * 10 + 512) / 1024;
	add_number(t, whole + rest / 10);
	if (unit) {
		add(t, ".");
		add_number(t, rest % 10);
	}
	add(t, units[unit]);
}

/* Adds the text `form`, in which the bytes \1 to \5 are replaced by `values`. */
void add_filled(struct text *t, const char *form, const char *const values[SLOTS])
{
	char one[2] = "";

	for (; *form; form++) {
		one[0] = *form;
		add(t, *form >= 1 && *form <= SLOTS ? values[*form - 1] : one);
	}
}

/* Returns true for letters, digits, and punctuation that is not special to shells and terminals. */
static int is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c >= '+' && c <= ':' && c != ',') || c == '_' ||
	       c == '=';
}

/*
 * Adds an untrusted name. A name of plain characters is added unchanged. Any other name is added in
 * quotes, with special characters except spaces as \xNN.
 */
void add_quoted(struct text *t, const char *s, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	int plain = 1;

	for (size_t i = 0; i < length; i++)
		plain &= is_plain(s[i]);
	add(t, plain ? "" : "\"");
	for (size_t i = 0; i < length; i++) {
		char escaped[] = { '\\', 'x', digits[(u8)s[i] >> 4], digits[s[i] & 15], 0 }, one[] = { s[i], 0 };

		add(t, is_plain(s[i]) || s[i] == ' ' ? one : escaped);
	}
	add(t, plain ? "" : "\"");
}

void print(int fd, const char *s)
{
	size_t left = text_length(s);

	while (left) {
		long written = sys(__NR_write, fd, s, left);

		if (written == -EINTR)
			continue;
		if (written <= 0)
			return;
		s += written;
		left -= (size_t)written;
	}
}

int starts(const char *s, const char *start)
{
	while (*start)
		if (*s++ != *start++)
			return 0;
	return 1;
}

int same(const char *a, const char *b)
{
	return starts(a, b) && a[text_length(b)] == 0;
}

int ends(const char *s, const char *end)
{
	size_t length = text_length(s), tail = text_length(end);

	return length > tail && same(s + length - tail, end);
}

/* Returns the last component of a path. */
const char *file_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

/* Returns true if `text`, a list such as "memory pids ", contains the name. */
int has_name(const char *text, const char *name, size_t length)
{
	for (const char *at = text; *at; at++) {
		size_t same_bytes = 0;

		while (same_bytes < length && at[same_bytes] == name[same_bytes])
			same_bytes++;
		if (same_bytes == length && (at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\n' || !at[length]))
			return 1;
	}
	return 0;
}

/* Parses a decimal number at *at, and advances *at to the first character after it. */
u64 parse_number(const char **at)
{
	u64 number = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		number = number * 10 + (u64)(**at - '0');
	return number;
}

static const char *number_or(const char *name, const char *kind, int number, char *room)
{
	struct text t;

	if (name)
		return name;
	t.length = 0;
	add(&t, kind);
	add_number(&t, (u64)number);
	memcpy(room, t.bytes, t.length + 1);
	return room;
}

/* Returns the symbolic name of an errno, such as EPERM. `room` is a buffer of at least 32 bytes. */
const char *errno_name(int number, char *room)
{
	static const struct { int number; const char *name; } names[] = {
#define NAME(name) { name, #name },
		NAME(EPERM) NAME(ENOENT) NAME(ESRCH) NAME(EINTR) NAME(EIO) NAME(ENXIO) NAME(E2BIG) NAME(ENOEXEC)
		NAME(EBADF) NAME(ECHILD) NAME(EAGAIN) NAME(ENOMEM) NAME(EACCES) NAME(EFAULT) NAME(EBUSY) NAME(EEXIST)
		NAME(EXDEV) NAME(ENODEV) NAME(ENOTDIR) NAME(EISDIR) NAME(EINVAL) NAME(ENFILE) NAME(EMFILE)
		NAME(ETXTBSY) NAME(EFBIG) NAME(ENOSPC) NAME(EROFS) NAME(EMLINK) NAME(EPIPE) NAME(ERANGE)
		NAME(ENAMETOOLONG) NAME(ENOSYS) NAME(ENOTEMPTY) NAME(ELOOP) NAME(EPROTO) NAME(EOPNOTSUPP)
		NAME(EUSERS) NAME(ESTALE) NAME(EOWNERDEAD) NAME(EILSEQ) NAME(ELIBBAD) NAME(EOVERFLOW)
#undef NAME
	};
	const char *name = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == number)
			name = names[i].name;
	return number_or(name, "errno ", number, room);
}

const char *signal_name(int number, char *room)
{
	static const char *const names[] = {
		NULL, "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
		"SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
		"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
		"SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
	};

	return number_or(number < 32 ? names[number] : NULL, "signal ", number, room);
}
