/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the shared functions of caller/, under the name of the file that defines them, and the state of one run. */
#ifndef HUTCH_CALLER_H
#define HUTCH_CALLER_H

#include "../lib/lib.h"
#include "../wire/decode.h"

/* caller/v1-eventfd.c: cgroup v1's event notification */

int legacy_eventfd(const char *group, const char *file, const char *argument);

/* caller/outer.c: the outer ops, which run in the caller */

#define FIGURES_SIZE 16384
#define MAX_WATCHES 8
#define MAX_GROUPS 64

/*
 * The caller's terminal, if one of the job's streams is a terminal, and the settings that are
 * restored when the job has ended.
 */
struct terminal {
	int fd;			/* copy of the terminal's stream, -1: no stream is the terminal */
	int stream;		/* number of the stream that is the terminal, -1: no stream is the terminal */
	int own_group;		/* hutch's process group */
	int had;		/* 1 if hutch's process group was the foreground group at the start */
	int foreground;		/* 1 if the job's process group was made the foreground group */
	int left;		/* 1 if a shell continued hutch in the background */
	int saved;		/* 1 if `settings` holds the terminal's settings at the start */
	int typed;		/* SIGINT or SIGQUIT that the terminal sent to the job, as hutch-init reported it */
	u8 settings[36];	/* struct termios of the kernel */
	int flags[3];		/* file status flags of the streams; -1: not restored */
};

struct outer {
	struct cursor ops;	/* remaining ops */
	u32 step;		/* index of the current op */
	const struct launch_files *files;	/* set only while outer_start runs */
	const char *made[MAX_GROUPS];	/* paths of the groups created by this run, in order of creation */
	/* descriptor that holds the lock of each created group, or negative; see stale.c */
	int lock[MAX_GROUPS];
	u32 made_count;
	int pid;
	int pidfd;
	int report_fd;
	u64 cloned;		/* namespaces created by the clone */
	u32 started;		/* the child exists */
	u32 outlives;		/* the child lives on when this process ends: see rest.c */
	u32 session;		/* enum session */
	struct terminal terminal;
	u32 reaps;		/* the child stays as PID 1 and forwards signals itself */
	/*
	 * 1 if the child reports READY and then waits for a job request. No time limit runs until
	 * the request.
	 */
	u32 takes_order;
	u32 hears_ready;	/* the child reports each READY at once */
	struct numbers processors;	/* processors of the child at its clone; empty: those of this thread */
	u32 timeout_ms;
	u32 kill_after_ms, stop_signal;
	u32 cpu_ms;		/* CPU time limit of the whole job, 0: no limit */
	u32 cpu_extra_ms;	/* CPU time beyond cpu_ms at which the job is killed */
	const char *cpu_file;	/* file with the group's CPU time */
	struct strings procs;	/* files that list the group's processes, so that all of them can be signalled */
	const char *kill_file;
	u32 watches;
	struct watch {
		u32 step;
		int fd;			/* eventfd of v1, or -1 */
		int descriptor;		/* watch descriptor of inotify, or -1 */
		const char *path;	/* file to read on the event, or NULL */
		const char *kill;	/* with v1 and memory.oom.group: file to write when the event comes */
	} watch[MAX_WATCHES];
	int inotify_fd;		/* the reactor's descriptor; this run does not close it */
	/*
	 * the profile's filter, which the listener runs to find the answer to a call: see
	 * node/supervisor.c
	 */
	struct numbers answers;
	struct numbers arguments;	/* for each call number: which arguments are strings or plain numbers */
	u32 supervises, learns;
	int ids_fd;		/* holds the lock on the reserved ids, or -1; see ids.c */
	u32 first_user, first_group, id_count;	/* the reserved ids; count 0: none were reserved */
	struct numbers keep;	/* numbers of the caller's descriptors that the command also gets */
	/* figures that were read: u32 step, i32 length or -errno, bytes, padded to 4 */
	char *figures;
	u32 figures_length;
	/* the user namespace for the maps of mounts: see send-mapped.c */
	int maps_fd;
	u32 has_maps;
	struct strings map_users, map_groups;
	u32 failed;		/* the job was stopped, or its exit status was not 0 */
};

/* The descriptors that a launch takes from its caller, and the program of operations. */
struct launch_files {
	/* the child's 0, 1, 2, …; -1 is /dev/null for the first three, and a closed number above */
	int streams[MAX_STREAMS];
	u32 stream_count;	/* at least STANDARD_STREAMS */
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

/* caller/run.c: runs a program from its start to the end of its clean-up */

#define STATUS_UNKNOWN -1	/* only the parent of a process learns its wait status */

struct run {
	struct outer outer;
	u64 deadline;		/* monotonic time of the timeout in ms, 0: no timeout */
	/*
	 * monotonic time in ms until which processes may end after SIGTERM, 0: they are killed at
	 * once
	 */
	u64 grace;
	/*
	 * cgroup.events of the job's group, open until `grace`, or -1. On POLLPRI, run_finish is
	 * called again.
	 */
	int empty_fd;
	u64 cpu_check_at;		/* monotonic time of the next CPU time check in ms, 0: never */
	u64 cpu_usec;		/* CPU time that the job had used at the last check */
	u32 cpu_idle_ms;	/* pause between CPU time checks while the CPU time does not grow */
	u32 cpus;		/* number of CPUs that may work for the job */
	int stop_stage;		/* 0: running, 1: stop signal sent, 2: SIGKILL sent */
	int ending;		/* 1 if the cloned process was reaped: its pid may no longer be signalled */
	u32 ready;		/* what hutch-init has waited for since the last event: bits of enum ready_for */
	int unread;		/* 1 if hutch-init ended before it read a message from hutch */
	u32 retries;
	u32 pauses;		/* 1 if the clean-up had to wait at least once */
	int command_status;	/* status of the command, reported by hutch-init; -1: not reported */
	int own_status;
	int failed_step, failed_errno, failed_call;	/* the first failed clean-up op; its system call, 0: unknown */
	u32 max_rss;		/* peak resident memory in KiB, 0: not reported by hutch-init */
	u32 full_spaces;	/* full file systems in memory, reported by PID 1: see init/tmpfs-usage.c */
	u32 full_tables;	/* processes without a free descriptor when the job was stopped */
	u32 table_limit;	/* descriptor limit of each of these processes */
	u32 stopped_processes;	/* processes stopped by a signal when hutch stopped the job */
	int frozen;		/* 1 if the job's v2 group was frozen when hutch stopped the job */
	u64 user_usec, system_usec;	/* CPU time of the cloned child and of the processes that it waited for */
	u64 voluntary, forced;	/* its context switches */
};

int run_start(struct run *run, const struct launch_files *files);
int run_failed(struct run *run, struct program_look *said);
int run_ended(struct run *run);
unsigned int run_finish(struct run *run);
int run_stop(struct run *run);
void run_begin(struct run *run);
int run_event(struct run *run, u32 index);

/* caller/full-fds.c: resources that a stopped job had exhausted */

void run_find_full(struct run *run);

/* caller/cpu-time.c: the CPU time limit of the whole job */

int op_limit_cpu(struct outer *o, struct cursor *c);
void run_limit_cpu(struct run *run);
int run_check_cpu(struct run *run, u64 now);
u64 run_due(const struct run *run);

/* caller/start-child.c: a child by clone3, or by older calls */

struct clone_args;
long lift(int fd, int first_free);
long start_child(struct clone_args *args, int (*fn)(void *, int), void *arg, int first_free);

/* caller/spawn.c: clone3 into hutch-init */

/* What the cloned child needs until its exec. A descriptor that does not exist is -1. */
struct spawned {
	const struct launch_files *files;
	struct numbers keep;
	int init_fd, report_fd, program_fd;
	int parent_fd;	/* the launcher's end of the socket whose other end is report_fd */
	int socket;	/* the socket of start-child.c, or -1 */
	u64 kept;	/* capabilities to keep through the exec in a new user namespace, whose id maps are not written yet */
	int first;	/* true if the child is PID 1 of its pid namespace */
	const struct terminal *terminal;
	u32 session;
};

long enter_streams(struct spawned *c, int socket);
int spawn_init(struct outer *o, const struct launch_files *files, u64 flags, const char *group);

/* caller/direct.c: clone3 into the command */

long spawn_direct(struct clone_args *args, struct spawned *spawned, const struct launch_files *files);

/* caller/terminal.c: sessions, process groups, and the caller's terminal */

void terminal_open(struct terminal *t, enum session session, const int *streams);
long terminal_enter(const struct terminal *t, enum session session);
int terminal_restore(struct terminal *t, enum session session, int job);
void run_stopped(struct run *run, int sig, int typed);
void signal_job_group(int pidfd, int group, int reaps, int sig);
int reached_alone(int sig, int code);
void stop_with_job(int pidfd, int group);

/* caller/sibling.c: a child that continues in a pid namespace */

int op_follow_sibling(struct outer *o, struct cursor *c);

/* caller/rest.c: a program whose rest another process runs */

int op_detach(struct outer *o, struct cursor *c);
int op_adopt(struct outer *o, struct cursor *c);
int has_ended(int pidfd);

int op_keep_descriptors(struct outer *o, struct cursor *c);
int op_spawn_on(struct outer *o, struct cursor *c);
int run_tool(const char *const *argv);

/* caller/ids.c: host ids for the user namespace of one sandbox */

#define IDS_EACH 65536

int op_reserve_ids(struct outer *o, struct cursor *c);
void release_ids(struct outer *o);

/* caller/send-mapped.c: mounts with mapped ids */

void forget_maps(struct outer *o);
int op_send_mapped(struct outer *o, struct cursor *c);

/* caller/id-map.c: id maps of a new user namespace, see the diagram in wire/program.h */

int write_map(int pid, const char *file, const struct strings *map, u32 first, u32 count);
int sent(long got);
int op_map_ids(struct outer *o, struct cursor *c);
int op_bind_namespaces(struct outer *o, struct cursor *c);
int op_send_go(struct outer *o, struct cursor *c);

/* caller/device.c: devices that a v2 group may use */

int op_attach_device_filter(struct outer *o, struct cursor *c);

/* image.c: hutch-init, embedded as bytes */

int init_image_memfd(void);
int init_image_file(void);

#endif
