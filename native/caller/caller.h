/* SPDX-License-Identifier: Apache-2.0 */
/* Shared functions of caller/, under the file that holds them, and the state of one run. */
#ifndef HUTCH_CALLER_H
#define HUTCH_CALLER_H

#include "../lib/lib.h"
#include "../wire/decode.h"

/* caller/v1-eventfd.c: cgroup v1's event notification */

int legacy_eventfd(const char *group, const char *file, const char *argument);

/* caller/outer.c: what happens around the child */

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
	u32 kill_after_ms, stop_signal;
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
	struct numbers answers;	/* the profile's filter, for the listener that will come: see node/supervisor.c */
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

/* caller/signal-job.c, descendants.c: signals to all processes of a job */

int kill_all(const struct strings *procs, const char *kill_file);
int outer_signal(struct outer *o, int sig);
int outer_kill(struct outer *o);
int read_process(int pid, int *parent, u64 *started);
u32 signal_tree(int root, int sig, int with_root);
void kill_below(int root);

/* caller/run.c: from the start of a program to the end of its clean-up */

struct run {
	struct outer outer;
	u64 deadline;		/* monotonic ms, 0: none */
	u64 grace;		/* until when what the command left may end after SIGTERM, 0: it is killed at once */
	int empty_fd;		/* cgroup.events during the grace, or -1: POLLPRI says to call run_finish again */
	u64 cpu_check_at;		/* when its CPU time is looked at next, 0: never */
	u64 cpu_usec;		/* what it was then */
	u32 cpu_idle_ms;	/* how long the pause is while it does not grow */
	u32 cpus;		/* how many may work for it */
	int stop_stage;		/* 0: running, 1: stop signal sent, 2: SIGKILL sent */
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

int run_start(struct run *run, const struct launch_files *files);
int run_failed(struct run *run, struct program_look *said);
int run_ended(struct run *run);
unsigned int run_finish(struct run *run);
int run_stop(struct run *run);
void run_begin(struct run *run);
int run_event(struct run *run, u32 index);

/* caller/full-fds.c: what it had used up */

void run_find_full(struct run *run);

/* caller/cpu-time.c: how much CPU time all of it may use */

void run_limit_cpu(struct run *run);
int run_check_cpu(struct run *run, u64 now);
u64 run_due(const struct run *run);

/* caller/spawn.c: clone3 into hutch-init */

int spawn_init(struct outer *o, const struct launch_files *files, u64 flags, const char *group);

/* caller/terminal.c: sessions, process groups, and the caller's terminal */

void terminal_open(struct terminal *t, enum session session, const int *streams);
long terminal_enter(const struct terminal *t, enum session session);
int terminal_restore(struct terminal *t, enum session session, int job);
void run_stopped(struct run *run, int sig, int typed);
void signal_job_group(int pidfd, int group, int reaps, int sig);
void stop_with_job(int pidfd, int group);

int op_keep_descriptors(struct outer *o, struct cursor *c);
int run_tool(const char *const *argv);

/* caller/ids.c: ids of its own for the user namespace of a sandbox */

#define IDS_EACH 65536

int op_reserve_ids(struct outer *o, struct cursor *c);
void release_ids(struct outer *o);

/* caller/id-map.c: the id maps of a new user namespace, see the ladder in wire/program.h */

int op_map_ids(struct outer *o, struct cursor *c);
int op_bind_namespaces(struct outer *o, struct cursor *c);
int op_send_mapped(struct outer *o, struct cursor *c);
int op_send_go(struct outer *o, struct cursor *c);

/* caller/device.c: which devices a group of v2 may use */

int op_attach_device_filter(struct outer *o, struct cursor *c);

/* image.c: hutch-init, as bytes in another program */

int init_image_memfd(void);
int init_image_file(void);

#endif
