/* SPDX-License-Identifier: Apache-2.0 */
/* Prints why a start was refused, in words chosen at compile time. Called by verdict.c. */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "compiled.h"

/*
 * Returns the number that a step of the outer section had at compile time. Writes of the caller's
 * limits were added before the spawn, so later numbers differ. Returns ~0u for an added write,
 * which has no text.
 */
static u32 compiled_step(const struct story *s, u32 step)
{
	u32 added = limit_lines(), spawn = 0;
	struct cursor ops, inner, payload;

	if (!added || open_program(s->program, s->program_size, &ops, &inner))
		return step;
	for (int code; (code = take_op(&ops, &payload)) > 0 && code != OP_spawn;)
		spawn++;
	return step >= spawn ? step - added : step + added >= spawn ? ~0u : step;
}

static void add_printable(struct text *t, const char *name, size_t size)
{
	for (size_t i = 0; i < size && name[i]; i++)
		add(t, name[i] > 32 && name[i] < 127 ? (const char[]){ name[i], 0 } : "?");
}

/* Adds the symbolic link that was found in the path of a mount target, and where the link leads. */
static void add_target(struct text *t, const struct program_look *found)
{
	if (!found->report.kind || found->report.value != LOOK_AT_TARGET || !found->path[0])
		return;
	add(t, "  symbolic link:  ");
	add_printable(t, found->path, sizeof found->path);
	add(t, "\n  leads to:  ");
	add_printable(t, found->target, sizeof found->target);
	add(t, "\n");
}

/*
 * Prints the text stored at compile time for a refused step. A text stored for errno 0 is used for
 * every errno without a text of its own.
 */
int report_refusal(const struct story *s, u32 section, u32 step, int value, u32 call)
{
	const struct compiled *c = s->compiled;
	const u32 wanted[3] = { (section == INNER_SECTION ? step : compiled_step(s, step)) << 1 | section, (u32)value / STEP_PART, (u32)value % STEP_PART };
	static const struct { u32 err; const char *words; } limits[] = {
		{ EMFILE, "  the limit of open files of a process is reached (RLIMIT_NOFILE): ulimit -n 256, or LimitNOFILE=256 of the service\n" },
		{ EFBIG, "  a start writes 64 KiB or more to files in memory, and the file size limit forbids it (RLIMIT_FSIZE): ulimit -f unlimited\n" },
	};
	const u32 *best = NULL;
	struct text t = { .length = 0 }, words = { .length = 0 };
	char room[32];
	int rank = 0;

	for (u32 i = 0; i < c->keys.count; i += REFUSAL_KEYS) {
		const u32 *key = c->keys.first + i;
		int fits = (key[1] == wanted[1]) + 2 * (key[2] == wanted[2]);

		if (key[0] != wanted[0] || (key[1] && key[1] != wanted[1]) || (key[2] && key[2] != wanted[2]) ||
		    (best && fits <= rank))
			continue;
		best = key;
		rank = fits;
	}
	add_filled(&words, best ? nth_string(&c->refusals, best[3]) : "hutch: cannot start: the kernel refused (\1)\n  remedy: see the limits of this process (ulimit -a)\n",
		   (const char *const[SLOTS]){ errno_name((int)wanted[2], room), s->group, "", "", "" });
	add_own_groups(&t, words.bytes);
	/* call number 0 means that the refused call is unknown, although 0 is also the number of read on x86-64 */
	if (call && *call_name(call) && (wanted[2] == EPERM || wanted[2] == ENOSYS || wanted[2] == EACCES)) {
		add(&t, "  refused system call: ");
		add(&t, call_name(call));
		add(&t, "\n");
	}
	add_target(&t, &s->found);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (limits[i].err == wanted[2])
			add(&t, limits[i].words);
	print(2, t.bytes);
	return HUTCH_FAILED;
}

static int is_there(const char *root, const char *directory, size_t length, const char *name)
{
	struct text path = { .length = 0 };

	add(&path, root);
	for (size_t i = 0; i < length; i++)
		add(&path, (const char[]){ directory[i], 0 });
	if (length)
		add(&path, "/");
	add(&path, name);
	return sys(__NR_faccessat, AT_FDCWD, path.bytes, 0) == 0;
}

/*
 * Searches the program in the directory tree `root`, by the search path that exec uses. Returns 1
 * and the program's path if it exists.
 */
static int find_program(const char *root, struct cursor payload, struct text *path)
{
	struct strings argv = take_strings(&payload);
	const char *search, *at = argv.first;

	path->length = 0;
	take_strings(&payload);
	search = take_string(&payload);
	for (; *at; at++)
		if (*at == '/') {
			add(path, argv.first);
			return is_there(root, "", 0, argv.first);
		}
	for (;;) {
		size_t length = 0;

		while (search[length] && search[length] != ':')
			length++;
		if (is_there(root, search, length, argv.first)) {
			for (size_t i = 0; i < length; i++)
				add(path, (const char[]){ search[i], 0 });
			add(path, length ? "/" : "");
			add(path, argv.first);
			return 1;
		}
		if (!search[length])
			return 0;
		search += length + 1;
	}
}

/*
 * Returns 1 if the program exists although exec returned ENOENT: its interpreter is missing then.
 * Uses what hutch-init found out, if it sent that.
 */
static int is_inside(const struct story *s, struct cursor payload)
{
	struct text path;

	if (s->found.report.kind && s->found.report.value != LOOK_AT_TARGET)
		return !s->found.error;
	return find_program(nth_string(&s->compiled->words, WORD_ROOT), payload, &path);
}

/*
 * Reports a missing program. If the job has its own root and the host has the program, says where.
 * Returns the exit status 127.
 */
static int report_missing(const struct story *s, int code, struct cursor payload)
{
	struct text path, quoted = { .length = 0 };

	if (code == OP_exec && *nth_string(&s->compiled->words, WORD_NOT_INSIDE) && find_program("", payload, &path) && path.bytes[0] == '/') {
		add_quoted(&quoted, path.bytes, path.length);
		say_word(s, WORD_NOT_INSIDE, quoted.bytes, "", "");
	} else {
		say_word(s, WORD_NOT_FOUND, "", "", "");
	}
	return 127;
}

/* Returns the name of the missing interpreter. The name is untrusted, so every special character is replaced by "?". */
static const char *printable_loader(const struct story *s, struct text *name)
{
	name->length = 0;
	add(name, "");
	if (s->found.report.kind)
		add_printable(name, s->found.loader, sizeof s->found.loader);
	return name->bytes;
}

int report_inner(const struct story *s)
{
	struct text loader;
	int err = s->refused.value % STEP_PART, code = 0;
	struct cursor outer, inner, payload = { NULL, NULL, 1 };
	char room[32];

	open_program(s->program, s->program_size, &outer, &inner);
	for (u32 i = 0; i <= s->refused.step && (code = take_op(&inner, &payload)) > 0; i++)
		;
	if (code != OP_exec && code != OP_execFile)
		return report_refusal(s, INNER_SECTION, s->refused.step, s->refused.value, s->refused.max_rss);
	if (err == ENOENT && !(code == OP_exec && is_inside(s, payload)))
		return report_missing(s, code, payload);
	if (err == ENOENT)
		say_word(s, WORD_INTERPRETER, errno_name(err, room), printable_loader(s, &loader), "");
	else if (!(s->compiled->flags & QUIET))
		report_refusal(s, INNER_SECTION, s->refused.step, err, 0);
	return 126;
}
