/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports the job's end. Computes the figures from which the cause is decided, and prints the text
 * that was stored for this cause at compile time.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "compiled.h"

/* Size of a page in bytes, in which workingset_refault_* of memory.stat counts. */
#define PAGE 4096

/* How the program's first process ended. */
struct end {
	int status, sig;
	struct text words;	/* such as "sh exited with status 1" */
};

static void say_values(const struct story *s, enum word word, const char *const values[SLOTS])
{
	struct text t = { .length = 0 };

	if (s->compiled->flags & QUIET)
		return;
	add_filled(&t, nth_string(&s->compiled->words, word), values);
	print(2, t.bytes);
}

void say_word(const struct story *s, enum word word, const char *first, const char *second, const char *ending)
{
	say_values(s, word, (const char *const[SLOTS]){ first, second, ending, "", "" });
}

/* Sets end->words to a description of the end, such as "sh exited with status 1". `when` is put before it. */
static void describe_end(const struct story *s, struct end *end, const char *when)
{
	char room[32];

	end->words.length = 0;
	add(&end->words, when);
	add(&end->words, nth_string(&s->compiled->words, WORD_NAME));
	if (end->sig) {
		add(&end->words, " was killed by ");
		add(&end->words, signal_name(end->sig, room));
	} else {
		add(&end->words, " exited with status ");
		add_number(&end->words, (u64)end->status);
	}
}

static const char *counted(struct text *t, u64 n, const char *one, const char *many)
{
	t->length = 0;
	add_number(t, n);
	add(t, n == 1 ? one : many);
	return t->bytes;
}

/* Returns the name of the first full file system, or "" if PID 1 reported none; see init/tmpfs-usage.c. */
static const char *full_space(const struct story *s, struct text *name)
{
	const char *at = nth_string(&s->compiled->words, WORD_SPACES);
	u32 mask = s->run->full_spaces;

	name->length = 0;
	for (; *at && !(mask & 1); mask >>= 1) {
		while (*at && *at != '\n')
			at++;
		at += *at == '\n';
	}
	while (*at && *at != '\n')
		add(name, (const char[]){ *at++, 0 });
	return name->length ? name->bytes : "";
}

static int is_own_fault(int sig)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGPIPE, SIGXCPU, SIGXFSZ };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (own[i] == sig)
			return 1;
	return 0;
}

static int has_word(const struct story *s, enum word word)
{
	return *nth_string(&s->compiled->words, word) != 0;
}

/* Returns true if a forwarded signal ended the program, or if the program's exit status says so. */
static int is_interrupted(const struct story *s, const struct end *end)
{
	static const u32 ending = 1u << SIGINT | 1u << SIGTERM | 1u << SIGQUIT;
	int sig = end->sig ? end->sig : end->status - 128;

	if (sig > 0 && sig < 32 && s->sent & 1u << sig)
		return 1;
	return !end->sig && end->status && (s->sent & ending) != 0;
}

/* Returns the text for the resource limit (ulimit) that the signal indicates, or WORD_NAME without one. */
static enum word ulimit_word(const struct story *s, const struct counts *c, int sig)
{
	enum word word = sig == SIGXFSZ ? WORD_ULIMIT_FSIZE : sig == SIGXCPU ? WORD_ULIMIT_CPU : WORD_NAME;

	if (sig == SIGKILL && has_word(s, WORD_ULIMIT_CPU_HARD) && !c->oom_kills && !s->timed_out && !(s->sent & 1u << SIGKILL)) {
		const char *hard = nth_string(&s->compiled->words, WORD_ULIMIT_CPU_HARD);

		/* the kernel counts CPU time in ticks, which may exceed the time used: four fifths are enough */
		if (s->run->user_usec + s->run->system_usec >= parse_number(&hard) * 800000)
			word = WORD_ULIMIT_CPU_KILL;
	}
	return has_word(s, word) ? word : WORD_NAME;
}

/* Returns a time in µs as a percentage of the job's run time. */
static u64 share_of(const struct story *s, u64 usec)
{
	return usec / (10 * s->ran_ms + 1);
}

/* Returns the number of CPUs that this process may use. */
static u64 host_cpus(void)
{
	unsigned long mask[128] = { 0 };
	long size = sys(__NR_sched_getaffinity, 0, sizeof mask, mask);
	u64 cpus = 0;

	for (long i = 0; i < size / (long)sizeof *mask; i++)
		for (unsigned long left = mask[i]; left; left &= left - 1)
			cpus++;
	return cpus;
}

/*
 * Returns the job's demand for the CPUs in its cpuset.cpus, in percent. This is the CPU time used,
 * plus the time in which tasks waited for a CPU. Returns 0 if the set contains all CPUs.
 */
static u64 cpuset_demand(const struct story *s, const struct counts *c)
{
	const char *text = nth_string(&s->compiled->words, WORD_CPUS);
	u64 allowed = parse_number(&text);

	return allowed && allowed < host_cpus() ? share_of(s, c->cpu_usec) / allowed + share_of(s, c->cpu_stall) : 0;
}

/* Returns true if the job's memory usage reached its limit. */
static int is_memory_full(const struct counts *c)
{
	return c->max_events || c->hits || (c->limit && c->peak >= c->limit);
}

/*
 * Returns true if memory ran out and nothing could be killed. Concluded from the usage on v1, which
 * does not count this.
 */
static int ran_out(const struct story *s, const struct counts *c)
{
	if (c->oom_kills)
		return 0;
	return c->own_ooms || ((c->kill_disabled || has_word(s, WORD_UNKILLABLE)) && is_memory_full(c));
}

/* Computes the figures that decide the cause, as src/verdict/facts.ts does; 0 for those not read in a compiled file. */
static void compute_figures(const struct story *s, const struct counts *c, const struct refused_forks *forks, const struct end *end, u64 *f)
{
	const struct run *l = s->run;

	f[FIGURE_TIMED_OUT] = s->timed_out != 0;
	f[FIGURE_FAILED] = end->sig || end->status;
	f[FIGURE_STATUS] = (u64)end->status;
	f[FIGURE_SIGNAL] = (u64)end->sig;
	f[FIGURE_OOM_KILLS] = c->oom_kills;
	f[FIGURE_GROUP_KILLED] = s->oom_noticed && end->sig == SIGKILL;
	f[FIGURE_OOM_WITHOUT_KILL] = (u64)ran_out(s, c);
	f[FIGURE_FORKS_REFUSED] = forks->count;
	f[FIGURE_FULL_SPACES] = l->full_spaces != 0;
	f[FIGURE_FULL_TABLES] = l->full_tables;
	f[FIGURE_STOPPED] = l->stopped_processes;
	f[FIGURE_FROZEN] = l->frozen != 0;
	f[FIGURE_INTERRUPTED] = (u64)is_interrupted(s, end);
	f[FIGURE_FILTER_KILLED] = end->sig == SIGSYS && has_word(s, WORD_FILTER);
	f[FIGURE_ULIMIT_SIGNAL] = ulimit_word(s, c, end->sig) != WORD_NAME;
	f[FIGURE_THROTTLED_PERCENT] = c->periods ? (100 * c->throttled + c->periods / 2) / c->periods : 0;
	f[FIGURE_SLOWED] = c->slowed;
	f[FIGURE_MEMORY_STALL_PERCENT] = share_of(s, c->memory_stall);
	f[FIGURE_MEMORY_FULL] = (u64)is_memory_full(c);
	f[FIGURE_REFAULT_PERCENT] = c->limit ? 100 * PAGE * c->refaults / c->limit : 0;
	f[FIGURE_IO_LIMITED] = (u64)has_word(s, WORD_LATE_IO_MAX);
	f[FIGURE_IO_STALL_PERCENT] = share_of(s, c->io_stall);
	f[FIGURE_CPU_STALL_PERCENT] = share_of(s, c->cpu_stall);
	f[FIGURE_CPUSET_DEMAND_PERCENT] = cpuset_demand(s, c);
}

/* Returns a larger task limit to suggest in the remedy, as roomFor in src/verdict/remedies.ts does. */
static u64 room_for(u64 tasks)
{
	return tasks < 8 ? tasks + 8 : tasks * 2;
}

/*
 * Reports refused forks. `ending` describes the program's end, and is empty if the forks only
 * delayed the job before its timeout.
 */
static void report_forks(const struct story *s, const struct refused_forks *f, const char *ending)
{
	struct text first = { .length = 0 }, number, max, more;

	add(&first, f->at_least ? "at least " : "");
	add_number(&first, f->count);
	add(&first, f->count == 1 ? " fork was" : " forks were");
	if (f->level == FORKS_ABOVE)
		say_values(s, *ending ? WORD_PIDS_ABOVE : WORD_LATE_PIDS_ABOVE,
			   (const char *const[SLOTS]){ first.bytes, f->group.bytes, ending, counted(&max, f->max, "", ""),
						       counted(&more, room_for(f->max), "", "") });
	else if (f->level == FORKS_UNKNOWN)
		say_word(s, *ending ? WORD_PIDS_UNKNOWN : WORD_LATE_PIDS_UNKNOWN, first.bytes, "", ending);
	else
		say_word(s, *ending ? WORD_PIDS : WORD_LATE_PIDS, first.bytes, counted(&number, f->count, " time", " times"), ending);
}

/*
 * Reports which group's memory limit caused the kill. The texts for these groups follow the text
 * `unknown`, in the order of enum kill_level.
 */
static void report_level(const struct story *s, enum word unknown, const struct counts *c, const char *ending, const struct memory_level *m)
{
	struct text first, second;

	say_values(s, (enum word)(unknown + m->level),
		   (const char *const[SLOTS]){ counted(&first, c->oom_kills, " process was", " processes were"),
					       counted(&second, c->oom_kills, "", ""), ending, m->value.bytes, m->group.bytes });
}

/* Reports what delayed the job before its timeout. */
static void report_late(const struct story *s, const struct counts *c, const struct refused_forks *forks, const struct decision *held,
		      const struct memory_level *memory)
{
	const struct run *l = s->run;
	struct text first, second;

	if (held->kind == KIND_OOM && c->oom_kills)
		report_level(s, WORD_LATE_OOM_UNKNOWN, c, "", memory);
	else if (held->kind == KIND_OOM)
		say_values(s, WORD_LATE_OOM_NONE, (const char *const[SLOTS]){ "", "", "", memory->value.bytes, "" });
	else if (held->kind == KIND_FROZEN)
		say_word(s, WORD_LATE_FROZEN, "", "", "");
	else if (held->kind == KIND_STOPPED)
		say_word(s, WORD_LATE_STOPPED, counted(&first, l->stopped_processes, " process was", " processes were"), "", "");
	else if (held->kind == KIND_FORK_REFUSED)
		report_forks(s, forks, "");
	else if (held->kind == KIND_SPACE)
		say_word(s, WORD_LATE_SPACE, full_space(s, &first), "", "");
	else if (held->kind == KIND_DESCRIPTORS)
		say_word(s, WORD_LATE_TABLES, counted(&first, l->table_limit, "", ""),
			 counted(&second, l->full_tables, " process", " processes"), "");
	else
		say_word(s, (enum word)(WORD_LATE + held->limit), "", "", "");
}

static const char *held_number(const struct decision *held, const u64 *f, struct text *t)
{
	static const enum figure shares[] = {
		[HELD_BY_MEMORY_MAX] = FIGURE_MEMORY_STALL_PERCENT, [HELD_BY_CPU_MAX] = FIGURE_THROTTLED_PERCENT,
		[HELD_BY_CPUSET_CPUS] = FIGURE_CPU_STALL_PERCENT, [HELD_BY_IO_MAX] = FIGURE_IO_STALL_PERCENT,
		[HELD_BY_MEMORY_PRESSURE] = FIGURE_MEMORY_STALL_PERCENT, [HELD_BY_IO_PRESSURE] = FIGURE_IO_STALL_PERCENT,
	};
	u64 share;

	if (!held->limit)
		return "";
	if (held->limit == HELD_BY_MEMORY_HIGH)
		return counted(t, f[FIGURE_SLOWED], " time", " times");
	share = f[shares[held->limit]];
	return counted(t, share < 100 ? share : 100, "", "");
}

/* Returns the text that says what delayed the job, or WORD_NAME if nothing did. */
static enum word held_word(const struct decision *held, const u64 *f)
{
	if (held->limit)
		return (enum word)(WORD_HELD_MEMORY_HIGH + held->limit - 1);
	if (held->kind == KIND_OOM && f[FIGURE_OOM_WITHOUT_KILL])
		return WORD_HELD_OOM_NONE;
	return held->kind == KIND_FROZEN ? WORD_HELD_FROZEN : held->kind == KIND_STOPPED ? WORD_HELD_STOPPED : WORD_NAME;
}

/* Reports that the job was stopped, and what delayed it before that. */
static void report_stopped(const struct story *s, const struct decision *held, const u64 *f, const char *ending, const struct memory_level *memory)
{
	struct text number, phrase = { .length = 0 };
	enum word word = held_word(held, f);

	add(&phrase, "");
	if (word != WORD_NAME)
		add_filled(&phrase, nth_string(&s->compiled->words, word),
			   (const char *const[SLOTS]){ held_number(held, f, &number), memory->value.bytes, "", "", "" });
	say_values(s, s->timed_out == SIGKILL ? WORD_KILLED : WORD_STOPPED, (const char *const[SLOTS]){ "", "", ending, phrase.bytes, "" });
}

static void report_interrupted(const struct story *s, const struct end *end)
{
	struct text names = { .length = 0 };
	char room[32];

	for (int sig = 1; sig < 32; sig++) {
		if (!(s->sent & 1u << sig))
			continue;
		add(&names, names.length ? " and " : "");
		add(&names, signal_name(sig, room));
	}
	say_word(s, WORD_INTERRUPTED, names.bytes, "", end->words.bytes);
}

static void report_signal(const struct story *s, const struct counts *c, const struct end *end)
{
	int lost = s->run->command_status == -1, counted = end->sig == SIGKILL && c->counted && !c->oom_kills;

	if (is_own_fault(end->sig))
		say_word(s, WORD_SIGNAL_INSIDE, "", "", end->words.bytes);
	else if (lost)
		say_word(s, counted ? WORD_KILLED_OUTSIDE : WORD_SIGNAL_OUTSIDE, "", "", end->words.bytes);
	else
		say_word(s, counted ? WORD_KILLED_UNKNOWN : WORD_SIGNAL_UNKNOWN, "", "", end->words.bytes);
}

static void print_kind(const struct story *s, u32 kind, const struct counts *c, const struct refused_forks *forks, struct end *end,
		      const struct memory_level *memory)
{
	struct text first;

	if (kind == KIND_OOM && c->oom_kills)
		report_level(s, WORD_OOM_UNKNOWN, c, end->words.bytes, memory);
	else if (kind == KIND_OOM)
		say_values(s, s->oom_noticed && end->sig == SIGKILL ? WORD_OOM_ALL : WORD_OOM_NONE,
			   (const char *const[SLOTS]){ "", "", end->words.bytes, memory->value.bytes, "" });
	else if (kind == KIND_FORK_REFUSED) {
		add(&end->words, end->sig ? ", possibly for this reason" : "");
		report_forks(s, forks, end->words.bytes);
	} else if (kind == KIND_SPACE)
		say_word(s, WORD_SPACE, full_space(s, &first), "", end->words.bytes);
	else if (kind == KIND_ULIMIT)
		say_word(s, ulimit_word(s, c, end->sig), "", "", end->words.bytes);
	else if (kind == KIND_FILTER)
		say_word(s, WORD_FILTER, "", "", end->words.bytes);
	else if (kind == KIND_INTERRUPTED)
		report_interrupted(s, end);
	else if (kind == KIND_SIGNAL)
		report_signal(s, c, end);
	else if (c->oom_kills || forks->count) {
		describe_end(s, end, "later ");
		if (c->oom_kills)
			report_level(s, WORD_OOM_UNKNOWN, c, end->words.bytes, memory);
		else
			report_forks(s, forks, end->words.bytes);
	} else if (end->status && has_word(s, WORD_DENIED)) {
		say_word(s, WORD_DENIED, "", "", end->words.bytes);
	}
}

/* Prints why and how the job ended, and returns the exit status. */
int report_verdict(const struct story *s)
{
	const struct run *l = s->run;
	int status = l->command_status != -1 ? l->command_status : l->own_status;
	struct end end = { .sig = status & 0x7f, .status = status & 0x7f ? 0 : status >> 8 & 0xff };
	u64 figures[FIGURE_COUNT] = { 0 };
	static struct refused_forks forks;
	static struct memory_level memory;
	struct decision held;
	struct counts c;

	if (s->refused.kind)
		return report_inner(s);
	if (l->failed_errno)
		return report_refusal(s, 0, (u32)l->failed_step, l->failed_errno, (u32)l->failed_call);
	c = count_figures(s);
	find_memory_level(s, &c, &memory);
	find_refused_forks(&c, s->group, s->timed_out || end.sig || end.status, &forks);
	describe_end(s, &end, "");
	compute_figures(s, &c, &forks, &end, figures);
	if (s->timed_out) {
		if (end.sig == (int)l->outer.stop_signal) {
			end.words.length = 0;
			add(&end.words, nth_string(&s->compiled->words, WORD_NAME));
			add(&end.words, " ended");
		}
		held = decide_kind(&s->compiled->held_rows, figures);
		report_stopped(s, &held, figures, end.words.bytes, &memory);
		report_late(s, &c, &forks, &held, &memory);
		return 124;
	}
	print_kind(s, decide_kind(&s->compiled->end_rows, figures).kind, &c, &forks, &end, &memory);
	return end.sig ? 128 + end.sig : end.status;
}
