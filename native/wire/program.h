/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares the wire format of a program, which describes a container as a flat list of operations
 * (ops). src/ops/wire.ts is this file's twin; a test compares the two.
 *
 *   program  = u32 magic, u32 outer length, u32 inner length, u32 zero, outer ops, inner ops
 *   op       = u32 code, u32 payload length, payload
 *   u32, u64 = little-endian; exact64 = u64 of which the encoder keeps all bits
 *   string   = u32 length without the NUL, bytes, NUL, zeros up to a multiple of 4
 *   strings  = u32 count, u32 length of all, each string with its NUL, zeros up to a multiple of 4
 *   numbers  = u32 count, u32 each
 *
 * Everything is 4-byte aligned. Strings end in NUL inside the program, so the interpreter passes
 * pointers into it directly to the kernel.
 */
#ifndef HUTCH_PROGRAM_H
#define HUTCH_PROGRAM_H

#define PROGRAM_MAGIC 0x31747568 /* "hut1" */

/*
 * Ops of the outer section run in the caller, ops of the inner section in the child. Columns: code,
 * name, handler, fields.
 */
#define OUTER_OPS(X) \
	X(1, makeGroup, op_make_group, "path:string lifetime:u32") \
	X(2, writeFile, op_write_file, "path:string value:string") \
	X(3, readFile, op_read_file, "path:string") \
	X(4, spawn, op_spawn, "flags:u64 group:string session:u32") \
	X(5, watchFile, op_watch_file, "path:string") \
	X(6, watchOom, op_watch_oom, "group:string kill:string") \
	X(7, wait, op_wait, "timeoutMs:u32 killAfterMs:u32 stopSignal:u32 reaps:u32 procs:strings killFile:string") \
	X(8, killGroup, op_kill_group, "procs:strings killFile:string") \
	X(9, removeGroup, op_remove_group, "path:string shared:u32") \
	X(10, mapIds, op_map_ids, "users:strings groups:strings denySetgroups:u32 userTool:string groupTool:string") \
	X(11, keepDescriptors, op_keep_descriptors, "descriptors:numbers") \
	X(12, bindNamespaces, op_bind_namespaces, "kinds:strings files:strings") \
	X(13, limitCpu, op_limit_cpu, "limitMs:u32 extraMs:u32 file:string") \
	X(14, watchReady, op_watch_ready, "orders:u32") \
	X(15, detach, op_detach, "") \
	X(16, adopt, op_adopt, "pid:u32 started:u64") \
	X(17, superviseCalls, op_supervise_calls, "answers:numbers arguments:numbers learns:u32") \
	X(18, followSibling, op_follow_sibling, "") \
	X(19, spawnOn, op_spawn_on, "processors:numbers") \
	X(24, attachDeviceFilter, op_attach_device_filter, "group:string program:numbers") \
	X(25, sendMapped, op_send_mapped, "source:string attributes:u64 absent:u64 recursive:u32 changes:numbers users:strings groups:strings whole:u32 namespace:string") \
	X(28, sendGo, op_send_go, "") \
	X(30, reserveIds, op_reserve_ids, "") \
	X(31, readIfFailed, op_read_if_failed, "path:string")

#define INNER_OPS(X) \
	X(32, joinGroup, op_join_group, "path:string") \
	X(33, unshare, op_unshare, "flags:u64") \
	X(34, setHostname, op_set_hostname, "name:string") \
	X(35, mount, op_mount, "source:string target:string type:string flags:u64 data:string") \
	X(36, loopbackUp, op_loopback_up, "") \
	X(37, changeDirectory, op_change_directory, "path:string") \
	X(38, setUser, op_set_user, "uid:u32 gid:u32 groups:numbers keepGroups:u32 keepCapabilities:u32") \
	X(39, dieWithParent, op_die_with_parent, "signal:u32") \
	X(40, exec, op_exec, "argv:strings env:strings path:string reap:u32") \
	X(41, openRoot, op_open_root, "source:string attributes:u64 makes:u32 covers:u32") \
	X(42, attachTree, op_attach_tree, "source:string target:string attributes:u64 absent:u64 recursive:u32 changes:numbers links:u32") \
	X(43, attachNew, op_attach_new, "type:string options:strings target:string attributes:u64 links:u32 source:string beneath:u32") \
	X(44, attachOverlay, op_attach_overlay, "lower:strings upper:string work:string target:string attributes:u64 drops:u32") \
	X(45, makeLink, op_make_link, "name:string to:string keeps:u32") \
	X(46, coverPath, op_cover_path, "path:string readOnly:u32") \
	X(47, pivotRoot, op_pivot_root, "stays:u32") \
	X(125, limitUserCount, op_limit_user_count, "path:string value:string") \
	X(48, setPropagation, op_set_propagation, "type:u32 recursive:u32") \
	X(64, awaitMaps, op_await_maps, "") \
	X(65, joinNamespaces, op_join_namespaces, "paths:strings kinds:numbers") \
	X(66, stayOutside, op_stay_outside, "signal:u32") \
	X(67, offsetClocks, op_offset_clocks, "offsets:string") \
	X(68, setOomScore, op_set_oom_score, "value:string keeps:u32") \
	X(69, setLimit, op_set_limit, "resource:u32 soft:exact64 hard:exact64") \
	X(70, setNice, op_set_nice, "nice:u32") \
	X(71, setIoPriority, op_set_io_priority, "priority:u32") \
	X(72, setScheduler, op_set_scheduler, "policy:u32 priority:u32") \
	X(73, dropBounding, op_drop_bounding, "keep:u64") \
	X(74, setCapabilities, op_set_capabilities, "effective:u64 permitted:u64 inheritable:u64 ambient:u64") \
	X(75, noNewPrivileges, op_no_new_privileges, "") \
	X(80, fork, op_fork, "signal:u32") \
	X(81, writeOwnFile, op_write_own_file, "path:string value:string") \
	X(82, changeRoot, op_change_root, "path:string") \
	X(83, holdDirectories, op_hold_directories, "root:string directory:string") \
	X(84, enterDirectories, op_enter_directories, "inside:string") \
	X(85, dropGroups, op_drop_groups, "") \
	X(86, takeIds, op_take_ids, "uid:u32 gid:u32 groups:u32") \
	X(87, keepCapabilities, op_keep_capabilities, "") \
	X(88, execFile, op_exec_file, "file:string argv:strings env:strings") \
	X(96, emptyRoot, op_empty_root, "") \
	X(97, makeMissing, op_make_missing, "parents:u32 directory:u32 file:u32") \
	X(98, makeDirectory, op_make_directory, "path:string") \
	X(99, writeData, op_write_data, "descriptor:u32 path:string mode:u32 attached:u32 attributes:u64") \
	X(100, changeMode, op_change_mode, "path:string mode:u32") \
	X(101, makeReadOnly, op_make_read_only, "path:string") \
	X(102, nameProgram, op_name_program, "name:string") \
	X(103, closeOnExec, op_close_on_exec, "descriptors:numbers") \
	X(104, installFilter, op_install_filter, "filter:numbers flags:u32") \
	X(105, blockOn, op_block_on, "descriptor:u32") \
	X(106, takeLock, op_take_lock, "path:string") \
	X(107, newSession, op_new_session, "") \
	X(108, nestUser, op_nest_user, "users:string groups:string limit:u32") \
	X(109, refuseUsers, op_refuse_users, "") \
	X(110, chooseDirectory, op_choose_directory, "directories:strings required:u32") \
	X(111, enterDescriptor, op_enter_descriptor, "descriptor:u32 kind:u32") \
	X(112, awaitNetwork, op_await_network, "by:string") \
	X(113, attachText, op_attach_text, "target:string text:string own:u32 required:u32") \
	X(114, awaitOrder, op_await_order, "") \
	X(116, superviseFilter, op_supervise_filter, "noticed:numbers plain:numbers flags:u32") \
	X(118, attachSent, op_attach_sent, "source:string target:string links:u32") \
	X(119, allowPath, op_allow_path, "path:string access:u32") \
	X(120, restrictPaths, op_restrict_paths, "") \
	X(121, setDomainname, op_set_domainname, "name:string") \
	X(122, setSysctl, op_set_sysctl, "path:string value:string") \
	X(123, setPersonality, op_set_personality, "persona:u32") \
	X(132, boundLimit, op_bound_limit, "resource:u32 soft:u64 hard:u64") \
	X(140, awaitGroups, op_await_groups, "") \
	X(141, attachTerminal, op_attach_terminal, "target:string attributes:u64") \
	X(142, checkStreams, op_check_streams, "protect:u32") \
	X(151, attachGroups, op_attach_groups, "target:string names:strings sources:strings attributes:u64 required:u32") \
	X(152, changeMount, op_change_mount, "target:string changes:numbers") \
	X(154, holdTrees, op_hold_trees, "sources:strings how:numbers") \
	X(153, makeNode, op_make_node, "path:string mode:u32 major:u32 minor:u32 uid:u32 gid:u32 binds:u32") \
	X(160, awaitRelease, op_await_release, "mounts:u32") \
	X(161, awaitStart, op_await_start, "descriptor:u32 endsWithCreator:u32") \
	X(162, continueAsSibling, op_continue_as_sibling, "") \
	X(163, closeOnExecFrom, op_close_on_exec_from, "first:u32") \
	X(164, openTerminal, op_open_terminal, "socket:u32 rows:u32 columns:u32 uid:u32 binds:u32") \
	X(165, joinKeyring, op_join_keyring, "name:string adds:u32") \
	X(166, setUmask, op_set_umask, "mask:u32") \
	X(167, setSchedulerAttributes, op_set_scheduler_attributes, "policy:u32 flags:u64 nice:u32 priority:u32 runtime:u64 deadline:u64 period:u64") \
	X(168, setAffinity, op_set_affinity, "processors:numbers") \
	X(169, setMemoryPolicy, op_set_memory_policy, "mode:u32 nodes:numbers") \
	X(170, raiseLimit, op_raise_limit, "resource:u32 hard:exact64") \
	X(171, tryDirectory, op_try_directory, "path:string") \
	X(172, enterInside, op_enter_inside, "path:string") \
	X(173, checkProgram, op_check_program, "program:string path:string") \
	X(174, moveRoot, op_move_root, "") \
	X(175, receiveAgent, op_receive_agent, "") \
	X(176, makeWorkingDirectory, op_make_working_directory, "path:string")

/* Defines OP_spawn, OP_exec and so on: the code of each op. */
#define OP_CODE(code, name, handler, fields) OP_##name = code,
enum op_code { OUTER_OPS(OP_CODE) INNER_OPS(OP_CODE) };
#undef OP_CODE

/* Code of the first inner op; outer ops have lower codes. */
#define FIRST_INNER_OP OP_joinGroup

/*
 * How long a group lives. A job's group must not exist yet, is locked, and ends with the job. A
 * shared group may exist, and ends with its last job. A container's group must not exist yet, has
 * no lock, and stays until a program removes it.
 */
enum lifetime { LIFETIME_JOB = 0, LIFETIME_SHARED = 1, LIFETIME_CONTAINER = 2 };

/*
 * The session of a spawned process: that of its caller (KEPT), or a new one. A process with a
 * terminal among its streams stays in the session, and gets a new process group. OF_LIBRARY: its
 * group becomes the foreground group only if its stdin is the terminal.
 */
enum session { SESSION_KEPT = 0, SESSION_OWN = 1, SESSION_OF_LIBRARY = 2 };

/*
 * Messages between hutch and hutch-init over the report socket (report_socket, SOCK_SEQPACKET):
 *
 *   hutch (addon)                     hutch-init
 *     clone3, execveat  ──────────▶   reads the program
 *                       ◀──────────   READY    }  awaitMaps, in a new user namespace only. No id is
 *     mapIds: writes the maps         .        }  mapped yet, so no earlier op may need one. READY is
 *     GO                ──────────▶   .        }  sent only if hutch-init created the namespace itself
 *                       ◀──────────   SIBLING { pid }     }  continueAsSibling: a sibling of this process
 *     followSibling: GO ──────────▶   .                   }  continues in the pid namespace, this one ends
 *     sendGo: GO        ──────────▶   awaitGroups, if v1 groups are created while it mounts
 *     release: GO       ──────────▶   awaitNetwork, if its network namespace will be connected
 *                       ◀──────────   READY    }  awaitRelease: the namespaces of a container
 *     release: GO       ──────────▶   .        }  exist, its root is not changed yet
 *     GO and a mount    ──────────▶   attachSent: a volume whose ids were mapped by sendMapped
 *                       ◀──────────   READY    }  awaitOrder, in a pool: only the request is missing
 *     request           ──────────▶   .        }  u32 streams, inner ops; each bit of `streams` says
 *                                     .        }  that the stream of this number comes as a descriptor
 *                       ◀──────────   READY    }  awaitStart: only the start of a container is
 *     (hutch may end)                 .        }  missing. GO and all later reports go over a
 *     startWaiting: GO  ──────────▶   .        }  connection of its listening socket
 *     text, descriptor  ──────────▶   receiveAgent: the message for an agent, and a socket to it
 *                       ◀──────────   LISTENER, with the descriptor: superviseFilter
 *                       ◀──────────   FAILED  { step, errno }    then hutch-init ends with 125, or
 *                       ◀──────────   PROGRAM                    after FAILED of exec or a mount: struct program_look
 *                       ◀──────────   end of file                the command has replaced hutch-init, or
 *     STOP (a signal)   ──────────▶   .
 *                       ◀──────────   FULL    { file systems }   when stopped, if file systems are full
 *     SIGNAL (a signal) ──────────▶   sends this signal to all processes of its pid namespace
 *                       ◀──────────   EXITED  { wait status }    from PID 1: the command has ended
 *                       ◀──────────   STOPPED { signal }         from PID 1 with a terminal: the command has stopped
 *     reads the remaining messages when the cloned process has ended
 */
enum report_kind { REPORT_FAILED = 1, REPORT_EXITED = 2, REPORT_READY = 3, REPORT_FULL = 4, REPORT_LISTENER = 5, REPORT_STOPPED = 6,
		   REPORT_PROGRAM = 7, REPORT_SIBLING = 8 };

/*
 * Requests to a hutch-init that stays as PID 1, sent as the value of a real-time signal. Such
 * signals are queued, so no request is lost when two arrive together. The value is REQUEST_STOP, or
 * the number of a signal for all processes of the pid namespace. After REQUEST_STOP, hutch-init
 * reports full file systems, and stays until all processes have ended.
 */
#define REQUEST_SIGNAL 64
#define REQUEST_CODE (-77)
#define REQUEST_STOP 0

/*
 * Stands in an id map for the first id of the range that reserveIds has reserved. hutch reduces the
 * count of this map entry to the length of the range.
 */
#define RESERVED_ID "*"

/*
 * si_code of a signal that the terminal sent to hutch and that is meant for the job. PID 1 passes
 * the signal on to the job's process group.
 */
#define TYPED_CODE (-78)

enum ready_for { READY_FOR_MAPS = 0, READY_FOR_ORDER = 1, READY_FOR_ROOT = 2, READY_FOR_START = 3, READY_KINDS };

/* The one-byte message by which hutch lets a waiting hutch-init continue. */
#define GO_BYTE 'g'

/* Streams of a command at most: the standard streams, and descriptors 3 and above that its caller passes on. */
#define STANDARD_STREAMS 3
#define MAX_STREAMS 32

/* The text that the process which starts a container sends for an agent, at most. */
#define AGENT_TEXT_AT_MOST 131072

/* Or a job request in one message: the ops of one job, after which the program continues with them. */
#define ORDER_BYTES_AT_MOST 131072

struct report {
	unsigned int kind;
	/*
	 * FAILED: index of the inner op; EXITED, FULL: mask of full file systems, see
	 * init/tmpfs-usage.c; STOPPED: 1 if the terminal sent the signal
	 */
	unsigned int step;
	/*
	 * FAILED: errno + part * STEP_PART; EXITED: wait status; READY: what hutch-init waits for;
	 * STOPPED: the signal; SIBLING: its process id
	 */
	int value;
	/*
	 * EXITED: peak memory in KiB of the command and the processes that it waited for; FAILED:
	 * number of the system call
	 */
	unsigned int max_rss;
	unsigned int typed;	/* EXITED: 1 if the terminal sent the command's last signal */
};

/*
 * What hutch-init finds about a program that could not be executed (init/program-look.c).
 * src/run/program-look.ts is the twin. Errors are errno numbers, or 0. Texts end in NUL. One such
 * message is sent for the program, and one for each interpreter that it needs. A refused mount
 * target is reported in the same struct (init/target-look.c; report.value is LOOK_AT_TARGET).
 * `target` is the resolved path inside, without links. `path` is the first symbolic link on the
 * way, and `loader` is this link's text. `access` is ELOOP if the link is one of /proc that leads
 * to a process's open file. mode, owner, group and mount describe the last component that exists.
 */
enum look_at { LOOK_AT_PROGRAM = 0, LOOK_AT_TARGET = 1 };

struct program_look {
	struct report report;
	unsigned int error;		/* errno of resolving the path, or 0 */
	/*
	 * if `error` is set: length of the path up to the component that is missing, not a
	 * directory, or not searchable
	 */
	unsigned int barrier;
	unsigned int mode, owner, group;	/* of the file; if `error` is EACCES, of the directory */
	unsigned int user;		/* effective user id of hutch-init */
	unsigned int mount;		/* flags of the file's mount, as in statfs(2) */
	unsigned int access;		/* errno of faccessat(2) for execution, or 0 */
	unsigned int open_error;	/* errno of opening the file for reading, or 0 */
	unsigned int loader_error;	/* errno of looking up the interpreter, or 0 */
	unsigned int length;		/* bytes in head */
	char path[1024];
	char target[1024];		/* where the path leads if it is a symbolic link, otherwise empty */
	char loader[256];		/* interpreter of a script, or loader of an ELF file */
	unsigned char head[256];
};

/* How attachTree gets a tree, and holdTrees copies one. */
enum copied_tree { TREE_RECURSIVE = 1, TREE_HELD = 2, TREE_ALL_SHARED = 4 };

/* Where openRoot lets missing mount points be created. */
enum makes { MAKES_NOTHING = 0, MAKES_IN_ROOT = 1, MAKES_EVERYWHERE = 2 };

/* What attachNew takes over from the directory that it covers: nothing, its mode, or also its files. */
enum beneath { BENEATH_NOTHING = 0, BENEATH_MODE = 1, BENEATH_FILES = 2 };

/* Access to files that allowPath allows, as a sum. */
#define ACCESS_READ 1
#define ACCESS_WRITE 2
#define ACCESS_EXECUTE 4

/*
 * Parts of an op that can be refused, so that, for example, ENOENT for a source differs from ENOENT
 * for a target. An error is errno + part * STEP_PART. PART_PROCESS in exec: creating the process
 * failed, so the program was not executed.
 */
#define STEP_PART 4096
enum step_part {
	PART_WHOLE = 0, PART_SOURCE = 1, PART_TARGET = 2, PART_ATTRIBUTES = 3, PART_FILE_SYSTEM = 4,
	PART_ATTACH = 5, PART_LAYER = 6, PART_FILTER = 7, PART_PROCESS = 8,
	/* the mount of the source has a forbidden flag: MOUNT_ATTR_RDONLY, NOSUID, NODEV or NOEXEC, in this order */
	PART_READ_ONLY = 9, PART_NO_SUID = 10, PART_NO_DEV = 11, PART_NO_EXEC = 12
};

#endif
