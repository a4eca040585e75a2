/* SPDX-License-Identifier: Apache-2.0 */
/* The contents page of the C part: every shared function, one line each, under the file that holds it. */
#ifndef HUTCH_H
#define HUTCH_H

#include "program.h"
#include "program/message.h"

static inline int in_part(enum step_part part, long err)
{
	return err < 0 ? (int)err - (int)part * STEP_PART : (int)err;
}

/* program/decode.c: reads the wire format */

struct cursor {
	const u8 *at;
	const u8 *end;
	int bad;	/* once set it stays set, so a handler checks it once, at its end */
};

struct strings {
	u32 count;
	u32 length;
	const char *first;
};

struct numbers {
	u32 count;
	const u32 *first;
};

u32 take_u32(struct cursor *c);
u64 take_u64(struct cursor *c);
const char *take_string(struct cursor *c);
struct strings take_strings(struct cursor *c);
struct numbers take_numbers(struct cursor *c);
const char *next_string(const char *s);
void fill_pointers(const char **out, const struct strings *from);
int take_op(struct cursor *section, struct cursor *payload);
int open_program(const u8 *bytes, u64 size, struct cursor *outer, struct cursor *inner);
int finished(const struct cursor *payload);

/* program/file.c: small kernel files */

size_t text_length(const char *s);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int write_text(const char *path, const char *text);
long read_text(const char *path, char *buffer, size_t size);
void sleep_ms(unsigned int ms);
char *add_text(char *at, const char *text);
char *add_decimal(char *at, u64 number);

/* program/legacy.c: cgroup v1's event notification */

int legacy_eventfd(const char *group, const char *file, const char *argument);

/* program/signal-listed.c: signals to the processes of a group */

long signal_listed(const char *procs, int sig, int except, int *count);
long signal_listed_in(int base, const char *procs, int sig, int except, int *count);

/* program/outer.c: what happens around the child */

#define FIGURES_SIZE 16384
#define MAX_WATCHES 8
#define MAX_GROUPS 64

/* A caller's terminal that is one of the job's streams, and what of the streams is restored at the end. */
struct terminal {
	int fd;			/* a copy of that stream, -1: no stream is the terminal */
	int stream;		/* which one, -1: none */
	int own_group;		/* hutch's process group */
	int had;		/* the foreground group was hutch's at the start */
	int given;		/* the foreground group was made the job's */
	int left;		/* hutch was continued in the background */
	int saved;		/* settings are those of the start */
	int typed;		/* SIGINT or SIGQUIT that the terminal sent to the job, as hutch-init reported it */
	u8 settings[36];	/* struct termios of the kernel */
	int flags[3];		/* file status flags, -1: not restored */
};

struct outer {
	struct cursor ops;	/* where it stands */
	u32 step;		/* index of the op it stands at */
	const struct launch_files *files;	/* only while outer_start runs */
	const char *made[MAX_GROUPS];	/* groups that this run made, in order */
	int lock[MAX_GROUPS];		/* holds the lock of each, or negative; see stale.c */
	u32 made_count;
	int pid;
	int pidfd;
	int report_fd;
	u64 cloned;		/* namespaces that were made with it */
	u32 started;		/* the child exists */
	u32 session;		/* enum session */
	struct terminal terminal;
	u32 reaps;		/* the child stays as PID 1 and passes signals on itself */
	u32 takes_order;	/* it says when it is ready, and then waits: no time counts yet */
	u32 timeout_ms;
	u32 kill_after_ms;
	u32 cpu_ms;		/* CPU time of all of it, 0: no limit */
	u32 cpu_extra_ms;	/* how much more it may use before it is killed */
	const char *cpu_file;	/* where the kernel counts it */
	struct strings procs;	/* files listing the group's processes, for signals to all */
	const char *kill_file;
	u32 watches;
	struct watch {
		u32 step;
		int fd;			/* eventfd of v1, or -1 */
		int descriptor;		/* inotify's, or -1 */
		const char *path;	/* read when the event comes, or NULL */
		const char *kill;	/* v1 oom group: written when the event comes */
	} watch[MAX_WATCHES];
	int inotify_fd;		/* borrowed from the reactor */
	struct numbers answers;	/* the profile's filter, for the listener that will come: see addon/supervisor.c */
	struct numbers arguments;	/* a call's number, and which of its arguments are texts or plain numbers */
	u32 supervises, learns;
	int ids_fd;		/* holds the lock on its ids, or -1; see ids.c */
	u32 first_user, first_group, id_count;	/* those ids; count 0: none were reserved */
	struct numbers keep;	/* the caller's descriptors that the command gets too, by number */
	/* figures: u32 step, i32 length or -errno, bytes, padded to 4 */
	char *figures;
	u32 figures_length;
	u32 failed;		/* the job was stopped, or did not end with status 0 */
};

/* What a launch takes from its caller besides the program. */
struct launch_files {
	int stdio[3];		/* the child's 0, 1, 2; -1 is /dev/null */
	int init_fd;		/* sealed memfd that holds hutch-init */
	int inotify_fd;
	const u8 *program;
	u64 program_size;
};

int outer_start(struct outer *o, const struct launch_files *files);
int outer_finish(struct outer *o);
void outer_skip(struct outer *o);
void outer_undo(struct outer *o);

/* program/signal-job.c, descendants.c: signals to all processes of a job */

int kill_all(const struct strings *procs, const char *kill_file);
int outer_signal(struct outer *o, int sig);
int outer_kill(struct outer *o);
int read_process(int pid, int *parent, u64 *started);
u32 signal_tree(int root, int sig, int with_root);
void kill_below(int root);

/* program/streams.c: the standard streams of a job with a root of its own */

int op_check_streams(struct cursor *c);
int op_attach_terminal(struct cursor *c);

/* program/life.c: from the start of a program to the end of its clean-up */

struct life {
	struct outer outer;
	u64 deadline;		/* monotonic ms, 0: none */
	u64 grace;		/* until when what the command left may end after SIGTERM, 0: it is killed at once */
	int empty_fd;		/* cgroup.events during the grace, or -1: POLLPRI says to call life_finish again */
	u64 cpu_look;		/* when its CPU time is looked at next, 0: never */
	u64 cpu_usec;		/* what it was then */
	u32 cpu_idle_ms;	/* how long the pause is while it does not grow */
	u32 cpus;		/* how many may work for it */
	int stop_stage;		/* 0: running, 1: SIGTERM sent, 2: SIGKILL sent */
	int ending;		/* its process is gone: no signal may go out any more */
	int ready;		/* it waits for its order */
	int unread;		/* it ended with something that we said unread */
	u32 retries;
	u32 pauses;		/* its clean-up waits */
	int command_status;	/* from hutch-init, -1: it never said */
	int own_status;
	int failed_step, failed_errno, failed_call;	/* the first clean-up that failed; its system call, 0: unknown */
	u32 max_rss;		/* KiB, 0: hutch-init did not say */
	u32 full_spaces;	/* file systems in memory that were full, as PID 1 said: see space.c */
	u32 full_tables;	/* processes without a free descriptor when it was stopped */
	u32 table_limit;	/* how many each of those may have */
	u64 user_usec, system_usec;	/* of our own child and what it waited for */
	u64 voluntary, forced;	/* its context switches */
};

u64 now_ms(void);
int life_start(struct life *life, const struct launch_files *files);
int life_failed(struct life *life, struct program_look *said);
int life_ended(struct life *life);
unsigned int life_finish(struct life *life);
int life_stop(struct life *life);
void life_begin(struct life *life);
int life_noticed(struct life *life, u32 index);

/* program/look.c: what it had used up */

void life_look(struct life *life);

/* program/cpu-time.c: how much CPU time all of it may use */

void life_limit_cpu(struct life *life);
int life_look_at_cpu(struct life *life, u64 now);
u64 life_due(const struct life *life);

/* program/spawn.c: clone3 into hutch-init */

int spawn_init(struct outer *o, const struct launch_files *files, u64 flags, const char *group);

/* program/terminal.c: sessions, process groups, and the caller's terminal */

void terminal_open(struct terminal *t, enum session session, const int *streams);
long terminal_enter(const struct terminal *t, enum session session);
int terminal_restore(struct terminal *t, enum session session, int job);
void life_stopped(struct life *life, int sig, int typed);
void signal_job_group(int pidfd, int group, int reaps, int sig);
void stop_with_job(int pidfd, int group);

int op_keep_descriptors(struct outer *o, struct cursor *c);
int run_tool(const char *const *argv);

/* program/ids.c: ids of its own for the user namespace of a sandbox */

#define IDS_EACH 65536

int op_reserve_ids(struct outer *o, struct cursor *c);
void release_ids(struct outer *o);

/* program/call-name.c: names of system calls, for errors */
const char *call_name(u32 number);

/* program/older.c: older calls in place of newer ones that are refused */
struct rusage;
char *descriptor_path(char *at, int fd);
long close_on_exec_from(int first);
long exec_descriptor(int fd, const char *const *argv, const char *const *env);
long signal_child(int pid, int pidfd, int sig);
long send_request(int pid, int pidfd, int value);
int reap_child(int pid, int pidfd, int *status, struct rusage *usage);
long receive(int fd, void *bytes, size_t size, int flags);
long transmit(int fd, const void *bytes, size_t size, int flags);
long remove_directory(int at_fd, const char *path);
int write_whole(long fd, const void *bytes, size_t size);
int unnamed_file(const void *bytes, size_t size, int runs);
int program_file(const void *bytes, size_t size);

/* program/map.c: the id maps of a new user namespace, see the ladder in program.h */

int op_map_ids(struct outer *o, struct cursor *c);
int op_bind_namespaces(struct outer *o, struct cursor *c);
int op_send_mapped(struct outer *o, struct cursor *c);
int op_send_go(struct outer *o, struct cursor *c);

/* program/device.c: which devices a group of v2 may use */

int op_attach_device_filter(struct outer *o, struct cursor *c);

/* program/namespace.c: namespaces that are joined, or made from inside */

int op_await_maps(struct cursor *c);
int op_await_groups(struct cursor *c);
int op_limit_user_count(struct cursor *c);
int op_await_network(struct cursor *c);
int op_join_namespaces(struct cursor *c);
int op_stay_outside(struct cursor *c);
int op_offset_clocks(struct cursor *c);
int op_fork(struct cursor *c);

/* program/order.c: a process that waits until it is told what to become */

extern struct cursor ordered;
int op_await_order(struct cursor *c);

/* program/enter.c: steps of unshare(1) and nsenter(1) that a run does not take */

int op_write_own_file(struct cursor *c);
int op_change_root(struct cursor *c);
int op_hold_directories(struct cursor *c);
int op_enter_directories(struct cursor *c);
int op_drop_groups(struct cursor *c);
int op_take_ids(struct cursor *c);
int op_keep_capabilities(struct cursor *c);

/* program/privilege.c: ids, capabilities and other privileges, on their way down */

long raise_to_ambient(void);
int op_set_user(struct cursor *c);
int op_drop_bounding(struct cursor *c);
int op_set_capabilities(struct cursor *c);
int op_no_new_privileges(struct cursor *c);

/* program/landlock.c: which files the command may use, by their paths */

int op_allow_path(struct cursor *c);
int op_restrict_paths(struct cursor *c);

/* program/priority.c: limits and priorities of the process itself */

int op_set_oom_score(struct cursor *c);
int op_set_limit(struct cursor *c);
int op_bound_limit(struct cursor *c);
int op_set_nice(struct cursor *c);
int op_set_io_priority(struct cursor *c);
int op_set_scheduler(struct cursor *c);

/* program/inner.c: what the child does before it becomes the command */

int end_with_parent(int signal);
int op_exec(struct cursor *c);
int op_exec_file(struct cursor *c);
int op_name_program(struct cursor *c);
int op_install_filter(struct cursor *c);
extern int dies_with_parent, made_namespaces;
int run_inner(struct cursor *ops, u32 *step);

/* program/supervise.c: a filter whose refusals are told */
int op_supervise_filter(struct cursor *c);
int is_supervised(void);
long install_supervised(void);

/* program/root.c: the job's own root, and paths inside it */

long is_directory(int fd);
int resolve_in(int base, const char *path, u64 resolve);
int begin_inside(void);
void end_inside(int begun);
int follow_dangling(int parent, char *path, size_t start, size_t end);	/* dangling.c */
int make_target(int base, const char *path, int directory, u64 resolve);
long make_in(int fd);
void make_missing(u32 parents, u32 directory, u32 file);
int base_of(const char *path);
int attach_new_name(int mount_fd, const char *name, int directory);
int link_new_name(const char *name, const char *to);
int set_attributes(int mount_fd, u64 attributes, int recursive);
int attach(int mount_fd, int target);
void keep(int mount_fd, const char *path, int holds);
int op_open_root(struct cursor *c);
int op_pivot_root(struct cursor *c);

/* program/attach.c: what is attached to it */

int copy_tree(const char *source, u32 recursive);
int attach_at(int mount_fd, const char *target, int directory, u64 resolve, int holds);
int new_mount(const char *type, const struct strings *options, u64 attributes);
int op_attach_tree(struct cursor *c);
int op_attach_sent(struct cursor *c);
int op_attach_groups(struct cursor *c);
int op_attach_new(struct cursor *c);
int op_attach_overlay(struct cursor *c);

/* program/space.c: file systems in memory that may be full */

int begin_holding(int mount_fd, const char *type, const struct strings *options, int *fd);
int end_holding(int fd);
u32 full_spaces(void);

/* program/cover.c: what of it is hidden, or made read-only */

void forget_covers(void);
int op_cover_path(struct cursor *c);

/* program/text.c: a file of our own text in it */

int op_attach_text(struct cursor *c);

/* program/fill.c: a root that begins empty, and what fills it beside mounts */

int write_held_proc(const char *path, const char *text);
int op_empty_root(struct cursor *c);
int op_make_missing(struct cursor *c);
int op_make_directory(struct cursor *c);
int op_make_link(struct cursor *c);
int op_write_data(struct cursor *c);
int op_change_mode(struct cursor *c);
int op_make_read_only(struct cursor *c);

/* program/session.c: what a process waits for, holds and enters */

int op_close_on_exec(struct cursor *c);
int op_block_on(struct cursor *c);
int op_take_lock(struct cursor *c);
int op_new_session(struct cursor *c);
int op_nest_user(struct cursor *c);
int op_refuse_users(struct cursor *c);
int op_choose_directory(struct cursor *c);
const char *chosen_directory(void);
int op_enter_descriptor(struct cursor *c);

/* image.c: hutch-init, as bytes in another program */

int init_image_memfd(void);
int init_image_file(void);

/* init/reap.c: PID 1 */

long confine_reaper(void);
long begin_reaping(u64 *early);
int reap(int command, u64 early);
long say(enum report_kind kind, u32 step, int value);
long say_all(const struct report *report);

#endif
