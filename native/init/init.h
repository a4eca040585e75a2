/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the shared functions of init/, grouped by the file that defines them. */
#ifndef HUTCH_INIT_H
#define HUTCH_INIT_H

#include "../lib/lib.h"
#include "../wire/decode.h"

/* init/streams.c: the standard streams of a job with a root of its own */

extern u32 stream_count;
int op_check_streams(struct cursor *c);
int op_attach_terminal(struct cursor *c);

/* init/namespace.c: namespaces that are joined, or created from inside */

long await_input(int fd, int peer);
int await_go(int fd);
int op_await_maps(struct cursor *c);
int op_await_groups(struct cursor *c);
int op_limit_user_count(struct cursor *c);
int op_await_network(struct cursor *c);
int op_await_release(struct cursor *c);
int op_continue_as_sibling(struct cursor *c);
int op_join_namespaces(struct cursor *c);
int op_stay_outside(struct cursor *c);
int op_offset_clocks(struct cursor *c);
int op_fork(struct cursor *c);

/* init/await-job.c: lets a prestarted sandbox wait for its job */

extern struct cursor ordered;
int op_await_order(struct cursor *c);
int move_descriptor(int *fd, u32 streams);

/* init/await-start.c: lets a container wait for its start, which another process requests */

int op_await_start(struct cursor *c);
int op_receive_agent(struct cursor *c);

/* init/console.c: the terminal of a container */

int op_open_terminal(struct cursor *c);

/* init/process-attributes.c: what a container's command inherits */

int op_join_keyring(struct cursor *c);
int op_set_umask(struct cursor *c);
int op_set_scheduler_attributes(struct cursor *c);
int op_set_affinity(struct cursor *c);
int op_set_memory_policy(struct cursor *c);
int op_raise_limit(struct cursor *c);

/* init/command-look.c: the working directory and the program of a container's command */

int op_try_directory(struct cursor *c);
int op_enter_inside(struct cursor *c);
int op_check_program(struct cursor *c);

/* init/chroot-steps.c: steps of unshare(1) and nsenter(1) that hutch run does not use */

int op_write_own_file(struct cursor *c);
int op_change_root(struct cursor *c);
int op_hold_directories(struct cursor *c);
int op_enter_directories(struct cursor *c);
int op_drop_groups(struct cursor *c);
int op_take_ids(struct cursor *c);
int op_keep_capabilities(struct cursor *c);

/* init/privilege.c: ids, capabilities and other privileges, which are only reduced */

int op_set_user(struct cursor *c);
int op_drop_bounding(struct cursor *c);
int op_set_capabilities(struct cursor *c);
int op_no_new_privileges(struct cursor *c);

/* init/landlock.c: files that the command may access, by path */

int op_allow_path(struct cursor *c);
int op_restrict_paths(struct cursor *c);

/* init/priority.c: limits and priorities of the process itself */

int op_set_oom_score(struct cursor *c);
int op_set_limit(struct cursor *c);
int op_bound_limit(struct cursor *c);
int op_set_nice(struct cursor *c);
int op_set_io_priority(struct cursor *c);
int op_set_scheduler(struct cursor *c);

/* init/inner.c: steps of the child before it becomes the command */

int end_with_parent(int signal);
int op_exec(struct cursor *c);
int op_exec_file(struct cursor *c);
int op_name_program(struct cursor *c);
int op_install_filter(struct cursor *c);
extern int dies_with_parent, made_namespaces;
int run_inner(struct cursor *ops, u32 *step);

/* init/seccomp-notify.c: a filter whose refused calls are reported */
int op_supervise_filter(struct cursor *c);
int is_supervised(void);
long install_supervised(void);

/* init/inside-path.c: paths inside the root */

struct statx;
long stat_in(int fd, const char *path, struct statx *found);
long is_directory(int fd);
int resolve_in(int base, const char *path, u64 resolve);
int is_outside(void);
int begin_inside(void);
void end_inside(int begun);
int follow_dangling(int parent, char *path, size_t start, size_t end);	/* dangling.c */
int make_target(int base, const char *path, int directory, u64 resolve);
long make_in(int fd);
void make_missing(u32 parents, u32 directory, u32 file);
void make_everywhere(void);

/* init/root.c: the job's own root */

int base_of(const char *path);
int attach_new_name(int mount_fd, const char *name, int directory);
int link_new_name(const char *name, const char *to);
int attach_new_root(int mount_fd);
int set_attributes(int mount_fd, u64 attributes, int recursive);
int attach(int mount_fd, int target);
void keep(int mount_fd, const char *path, int holds);
int op_open_root(struct cursor *c);
int op_pivot_root(struct cursor *c);
int op_move_root(struct cursor *c);

/* init/places.c: mount points of later ops */

extern struct cursor upcoming;
void make_places(int fd, int absolute);
int take_place(const char *name, int absolute);

/* init/propagation.c: mounts that are exchanged with others */

int propagate(int mount_fd);
int take_held_tree(void);
int op_hold_trees(struct cursor *c);
int op_set_propagation(struct cursor *c);

/* init/attach.c: mounts attached to the root */

int copy_tree(const char *source, u32 recursive);
int attach_at(int mount_fd, const char *target, int directory, u64 resolve, int holds);
int new_mount(const char *type, const struct strings *options, u64 attributes);
int configured_mount(int fs, const struct strings *options, u64 attributes);
int op_attach_tree(struct cursor *c);
int hold_sent(u32 count);
int op_attach_sent(struct cursor *c);
int op_attach_groups(struct cursor *c);
int op_attach_new(struct cursor *c);
int op_change_mount(struct cursor *c);

/* init/beneath.c: what a new file system takes over from the directory that it covers */

int take_over(int mount_fd, int target, u32 beneath);

/* init/mount-call.c: mounts that only mount(2) can make */

int is_too_long(const struct strings *options);
int mount_at(const char *source, const char *target, const char *type, const struct strings *options, u64 attributes, u64 resolve);

/* init/overlay.c: overlays */

int op_attach_overlay(struct cursor *c);

/* init/device-node.c: device files */

int op_make_node(struct cursor *c);

/* init/tmpfs-usage.c: file systems in memory that may become full */

int begin_holding(int mount_fd, const char *type, const struct strings *options, int *fd);
int end_holding(int fd);
u32 full_spaces(void);
int move_spaces(u32 streams);

/* init/mask-path.c: hidden or read-only paths of the root */

void forget_covers(void);
int op_cover_path(struct cursor *c);

/* init/text-file.c: a file with hutch's own text in the root */

int op_attach_text(struct cursor *c);

/* init/empty-root.c: creates an empty root, and fills it with directories, files and links */

int write_held_proc(const char *path, const char *text);
long copy_all(long from, long to);
int open_parent(const char *path, const char **name, u64 resolve);
int op_empty_root(struct cursor *c);
int op_make_missing(struct cursor *c);
int op_make_directory(struct cursor *c);
int op_make_working_directory(struct cursor *c);
int op_make_link(struct cursor *c);
int op_write_data(struct cursor *c);
int op_change_mode(struct cursor *c);
int op_make_read_only(struct cursor *c);

/* init/session.c: the job's session, its end with hutch, its lock files and its directory */

int op_close_on_exec(struct cursor *c);
int op_close_on_exec_from(struct cursor *c);
int op_block_on(struct cursor *c);
int op_take_lock(struct cursor *c);
int op_new_session(struct cursor *c);
int op_nest_user(struct cursor *c);
int op_refuse_users(struct cursor *c);
int op_choose_directory(struct cursor *c);
const char *chosen_directory(void);
int op_enter_descriptor(struct cursor *c);

/* init/reap.c: PID 1 */

long confine_reaper(void);
long begin_reaping(u64 *early);
int reap(int command, u64 early);
long say(enum report_kind kind, u32 step, int value);
long say_all(const struct report *report);

#endif
