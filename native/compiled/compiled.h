/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares the format of a compiled file: an executable that contains its own container. hutch
 * compile appends the data to build/hutch-compiled. src/compile/file-format.ts is this file's twin;
 * a test compares the two.
 *
 *   file   = the executable, zeros up to a multiple of 8, program, notes, footer
 *   notes  = numbers refusal keys, strings refusals, strings words, numbers rows for the end,
 *            numbers rows for a delay, strings facts, string explained
 *   footer = u32 magic, u32 version, u32 flags, u32 program length, u32 notes length, u32 file length,
 *            u32 checksum of all before it, u32 magic again
 *
 * Lengths and fields are encoded as in wire/program.h. The program's group is called
 * GROUP_PLACEHOLDER: each start replaces it by its own name.
 */
#ifndef HUTCH_COMPILED_H
#define HUTCH_COMPILED_H

#include "../hutch.h"

#define COMPILED_MAGIC 0x43747568 /* "hutC" */
#define COMPILED_VERSION 3
#define FOOTER_LENGTH 32
#define GROUP_PLACEHOLDER "hutch-0-0-0-0"
/*
 * Placeholder in a compiled program. In a path, it stands for the caller's own group: followed by a
 * v1 controller, or by nothing for the v2 tree. As a value, it stands for the value of that group's
 * file.
 */
#define OWN_PLACEHOLDER "hutch-own-"
#define LEAF_NAME "hutch-leaf"
#define CHECKSUM_START 2166136261u
#define CHECKSUM_FACTOR 16777619u

/*
 * Flags of a compiled file. PASS_ARGUMENTS: the command gets the file's arguments. QUIET: no
 * verdict is printed. PASS_ENVIRONMENT: the command gets the caller's environment, in which the
 * options' values take precedence. DIE_WITH_PARENT: the file and its command end with the caller.
 */
enum compiled_flag { PASS_ARGUMENTS = 1, QUIET = 2, PASS_ENVIRONMENT = 4, DIE_WITH_PARENT = 8 };

/*
 * Texts of the verdict, in this order. When a verdict is printed, \1, \2, \4 and \5 in a text are
 * replaced by values, and \3 by how the program ended.
 */
#define WORDS(X) \
	X(NAME) X(STOPPED) X(KILLED) X(HELD_MEMORY_HIGH) X(HELD_MEMORY_MAX) X(HELD_CPU_MAX) X(HELD_CPUSET_CPUS) X(HELD_IO_MAX) \
	X(HELD_MEMORY_PRESSURE) X(HELD_IO_PRESSURE) X(HELD_FROZEN) X(HELD_STOPPED) X(HELD_OOM_NONE) X(LATE) X(LATE_MEMORY_HIGH) X(LATE_MEMORY_MAX) X(LATE_CPU_MAX) X(LATE_CPUSET_CPUS) \
	X(LATE_IO_MAX) X(LATE_MEMORY_PRESSURE) X(LATE_IO_PRESSURE) X(LATE_OOM_UNKNOWN) X(LATE_OOM_OWN) X(LATE_OOM_BELOW) X(LATE_OOM_ABOVE) \
	X(LATE_OOM_HOST) X(LATE_OOM_NONE) X(LATE_FROZEN) X(LATE_STOPPED) X(LATE_PIDS) X(LATE_PIDS_ABOVE) X(LATE_PIDS_UNKNOWN) X(LATE_SPACE) X(LATE_TABLES) X(OOM_UNKNOWN) X(OOM_OWN) \
	X(OOM_BELOW) X(OOM_ABOVE) X(OOM_HOST) X(OOM_ALL) X(OOM_NONE) X(PIDS) X(PIDS_ABOVE) X(PIDS_UNKNOWN) X(SPACE) X(SPACES) X(ULIMIT_FSIZE) X(ULIMIT_CPU) \
	X(ULIMIT_CPU_KILL) X(ULIMIT_CPU_HARD) X(FILTER) X(INTERRUPTED) \
	X(SIGNAL_INSIDE) X(SIGNAL_OUTSIDE) X(SIGNAL_UNKNOWN) X(KILLED_OUTSIDE) X(KILLED_UNKNOWN) X(NOT_FOUND) X(NOT_INSIDE) X(NOT_EXECUTABLE) X(INTERPRETER) X(DENIED) X(UNKILLABLE) X(CPUS) X(ROOT)
enum word {
#define WORD(name) WORD_##name,
	WORDS(WORD)
#undef WORD
	WORD_COUNT
};

/*
 * Kinds of causes, numbered as in src/verdict/cause.ts, and figures that decide the cause, as in
 * src/verdict/decide.ts. A test compares this list with both files.
 */
#define KINDS(X) \
	X(EXITED) X(OOM) X(FORK_REFUSED) X(TIMEOUT) X(CPU_TIME) X(THROTTLED) X(SLOWED) X(SPACE) X(DESCRIPTORS) X(ULIMIT) X(OUTPUT) \
	X(SIGNAL) X(FILTER) X(EXEC_FAILED) X(NOT_INSIDE) X(ABORTED) X(INTERRUPTED) X(OOMD) X(HOST_OOM) X(UNKNOWN) \
	X(FROZEN) X(STOPPED) X(BLOCKED) X(RUNNING) X(NOT_KERNEL)
#define FIGURES(X) \
	X(EXEC_FAILED) X(NOT_INSIDE) X(ABORTED) X(OUTPUT_OVER) X(TIMED_OUT) X(CPU_TIME_OVER) X(FAILED) X(STATUS) X(SIGNAL) X(OOM_KILLS) \
	X(LAST_KILL_EARLIER) X(GROUP_KILLED) X(OOM_WITHOUT_KILL) X(FORKS_REFUSED) X(FULL_SPACES) X(FULL_TABLES) X(INTERRUPTED) \
	X(FILTER_KILLED) X(ULIMIT_SIGNAL) X(THROTTLED_PERCENT) X(MEMORY_STALL_PERCENT) X(SLOWED) \
	X(FROZEN) X(STOPPED) X(BLOCKED) X(OOMD_KILLS) X(FULL_TASKS) X(THROTTLED_PERIODS) X(THRASHING) X(STALL_PERCENT) X(LIVING) \
	X(PRESENT) X(LIMITS_REACHED) X(UNREAD) X(SLOWED_ABOVE) X(THROTTLED_ABOVE) X(MEMORY_FULL) X(REFAULT_PERCENT) X(IO_LIMITED) X(IO_STALL_PERCENT) \
	X(CPU_STALL_PERCENT) X(CPUSET_DEMAND_PERCENT)
/*
 * Files of limits that slow a job down without ending it; 0 means no such limit. The texts
 * WORD_HELD_* and WORD_LATE_* have the same order.
 */
#define HELD_LIMITS(X) X(MEMORY_HIGH) X(MEMORY_MAX) X(CPU_MAX) X(CPUSET_CPUS) X(IO_MAX) X(MEMORY_PRESSURE) X(IO_PRESSURE)
enum held_limit {
	HELD_BY_NONE,
#define HELD_LIMIT(name) HELD_BY_##name,
	HELD_LIMITS(HELD_LIMIT)
#undef HELD_LIMIT
};
enum kind {
#define KIND(name) KIND_##name,
	KINDS(KIND)
#undef KIND
};
enum figure {
#define FIGURE(name) FIGURE_##name,
	FIGURES(FIGURE)
#undef FIGURE
	FIGURE_COUNT
};

/*
 * Numbers of a refusal key: step * 2 + section, part of the step, errno, index of the text. Part
 * and errno 0 match every part and errno without its own key.
 */
#define REFUSAL_KEYS 4
#define INNER_SECTION 1

struct compiled {
	u32 flags;
	const u8 *program;
	u32 program_length;
	struct numbers keys;
	struct strings refusals, words, facts;
	struct numbers end_rows, held_rows;
	const char *explained;
};

/* text.c */
struct text {
	char bytes[8192];
	u32 length;
};
void add(struct text *t, const char *s);
void add_own_groups(struct text *t, const char *text);	/* own-group.c */
const char *file_name(const char *path);
int ends(const char *s, const char *end);
int has_name(const char *text, const char *name, size_t length);
void add_number(struct text *t, u64 number);
void add_size(struct text *t, u64 bytes);
#define SLOTS 5
void add_filled(struct text *t, const char *form, const char *const values[SLOTS]);
void add_quoted(struct text *t, const char *s, size_t length);
void print(int fd, const char *s);
int same(const char *a, const char *b);
int starts(const char *s, const char *start);
u64 parse_number(const char **at);
const char *errno_name(int number, char *room);
const char *signal_name(int number, char *room);

/* trailer.c */
int open_compiled(const u8 *bytes, u64 size, struct compiled *out);
const char *nth_string(const struct strings *strings, u32 n);

/* instantiate.c: completes the program with facts known only at the start */
struct call {
	const char *group;
	char **arguments;	/* arguments for the command, ended by NULL */
	char **environment;
	u32 flags;
};
u64 filled_size(const struct compiled *c, const struct call *call);
long fill_program(const u8 *program, u64 size, const struct call *call, u8 *out, u64 room);

/* facts.c */
int check_facts(const struct strings *facts, const char *file);

/* own-group.c: replaces placeholders in the program by the groups of this start */
#define MAX_PLACES 16
struct place {
	char controller[32];	/* name of the v1 controller; empty for the v2 tree */
	const char *mount;
	char path[4096];	/* path of the caller's group relative to the mount: empty, or parts separated by / */
};
extern struct place places[MAX_PLACES];
extern u32 place_count;
struct place *add_place(const char *controller, const char *mount);
int add_own_value(const char *file, const char *text, int always);
const char *own_group(const char *part, size_t length);
const char *own_value(const char *file, const char *value);
u64 own_group_room(u64 program_length);

/* find-groups.c: the groups of the caller */
int find_places(struct text *why);
int read_outer_limits(const struct place *place);
void join(struct text *t, const struct place *place, const char *file);
const char *read_in(const struct place *place, const char *file, char *buffer, size_t size);

/* place-groups.c: chooses the parent groups in which this start creates its groups */
int go_up(char *path);
int place_groups(const struct strings *facts, const char *file);

/*
 * outer-limits.c: limits of the caller's groups that would not apply to the job, because its group
 * lies outside of them
 */
struct limit_line {
	const char *file;
	char value[1024];
};
int add_outer_limit(const char *group, const char *file, const char *value);
void hold_outer_limits(const char *available, struct text *controllers);
void start_limit_lines(void);
int next_limit_line(struct limit_line *line);
void note_written(const char *file, const char *value);
u32 limit_lines(void);
u64 limit_lines_room(void);
void warn_of_outer_limits(void);

/* stale-groups.c: names groups after their creator, as src/cgroup/stale-groups.ts does */
int own_group_name(char *name, size_t size);
int sweep_beside(const struct outer *o, const char *own, u64 until);

/* job-log.c: kernel log of the job's group: the memory limit of the last kill, and refused forks */
enum kill_level { LEVEL_UNKNOWN, LEVEL_OWN, LEVEL_BELOW, LEVEL_ABOVE, LEVEL_HOST };
struct logged_kill {
	enum kill_level level;
	u32 up;			/* for LEVEL_ABOVE: number of levels between the job's group and the ancestor */
	struct text below;	/* for LEVEL_BELOW: path of the group, with characters that are safe for a terminal */
};
void read_last_kill(const char *group, struct logged_kill *out);
void take_kill(const char *record, const char *group, struct logged_kill *out);
size_t depth_of(const char *path, size_t length, const char *name);
int tells_refused_fork(const char *record, const char *group);
int log_has_refused_fork(const char *group);

/* decide.c */
struct decision {
	u32 kind;
	u32 limit;	/* enum held_limit */
};
struct decision decide_kind(const struct numbers *rows, const u64 *figures);

/* verdict.c */
#define HUTCH_FAILED 125
struct story {
	const struct compiled *compiled;
	const struct run *run;
	const char *group;	/* name of the groups that this start created */
	const u8 *program;	/* the instantiated program that this start ran */
	u64 program_size;
	u32 sent;	/* bit n is set if another process sent signal n to this process */
	int timed_out, oom_noticed;
	u64 ran_ms;
	struct report refused;	/* report of the refused step; kind 0: no step was refused */
	struct program_look found;	/* findings about a program that could not be executed; kind 0: none */
};

/* fork-level.c: the group whose pids.max refused forks */
struct task_limit {
	u64 max, peak;
	int has_max, has_peak;
};
enum fork_level { FORKS_OWN, FORKS_ABOVE, FORKS_UNKNOWN };
struct refused_forks {
	u64 count;
	int at_least;	/* true if `count` is a minimum: the kernel logs only a group's first refused fork */
	enum fork_level level;
	u64 max;
	struct text group;	/* path of the group, with characters that are safe for a terminal */
};
struct counts;
size_t parent_length(const char *path, size_t length);
int read_file_of(const char *directory, size_t length, const char *file, char *text, size_t size);
void find_refused_forks(const struct counts *c, const char *group, int failed, struct refused_forks *out);

/* counts.c: figures of the job's groups at its end */
struct counts {
	u64 oom_kills, own_ooms, kill_disabled, denied, peak, hits, max_events;
	int counted;	/* kills were counted */
	u64 limit;	/* memory limit at the job's end; 0 if there is no limit */
	int limit_read;
	const char *memory_group;	/* path that begins with the job's memory group; NULL without such a group */
	size_t memory_length;
	u64 periods, throttled, slowed, memory_stall, io_stall, cpu_stall, cpu_usec, refaults;
	struct task_limit tasks;	/* task limit (pids.max) of the job's own group */
	const char *pids_group;		/* path that begins with the group that counts refused forks, or NULL */
	size_t pids_length;
};
struct counts count_figures(const struct story *s);
u64 flat_value(const char *text, const char *key);

/* memory-level.c: finds which group's memory limit killed, and that group's limit */
struct memory_level {
	enum kill_level level;
	struct text value, group;
};
void find_memory_level(const struct story *s, const struct counts *c, struct memory_level *out);

int report_verdict(const struct story *s);
void say_word(const struct story *s, enum word word, const char *first, const char *second, const char *ending);

/* refusal.c */
int report_refusal(const struct story *s, u32 section, u32 step, int value, u32 call);
int report_inner(const struct story *s);

#endif
