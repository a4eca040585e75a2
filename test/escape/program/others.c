// SPDX-License-Identifier: Apache-2.0
/* More calls that name another process, a process group, a user or an IPC object by its number. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attempt.h"

#define IO_PRIORITY IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)

static int number(char **arguments)
{
	return atoi(arguments[0]);
}

static int result(long got)
{
	return got < 0 ? -1 : 0;
}

/* Signal 0 asks for the right alone. */
static int try_thread_signal(char **arguments)
{
	return result(syscall(SYS_tkill, number(arguments), 0));
}

static int try_queue_signal(char **arguments)
{
	siginfo_t info = { .si_code = SI_QUEUE, .si_signo = 0 };

	return result(syscall(SYS_rt_sigqueueinfo, number(arguments), 0, &info));
}

static int try_queue_thread_signal(char **arguments)
{
	siginfo_t info = { .si_code = SI_QUEUE, .si_signo = 0 };

	return result(syscall(SYS_rt_tgsigqueueinfo, number(arguments), number(arguments), 0, &info));
}

static int try_pidfd_signal(char **arguments)
{
	int process = (int)syscall(SYS_pidfd_open, number(arguments), 0);

	return process < 0 ? -1 : result(syscall(SYS_pidfd_send_signal, process, 0, NULL, 0));
}

static int try_affinity(char **arguments)
{
	cpu_set_t set;

	return sched_getaffinity(number(arguments), sizeof set, &set) ||
			       sched_setaffinity(number(arguments), sizeof set, &set)
		       ? -1
		       : 0;
}

static int try_policy(char **arguments)
{
	struct sched_param parameters = { 0 };

	return sched_setscheduler(number(arguments), SCHED_OTHER, &parameters);
}

static int try_scheduling_attributes(char **arguments)
{
	struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long time[3]; }
		attributes = { .size = 48 };

	return result(syscall(SYS_sched_setattr, number(arguments), &attributes, 0));
}

static int try_disk_priority(char **arguments)
{
	return result(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, number(arguments), IO_PRIORITY));
}

static int try_group_of(char **arguments)
{
	return result(getpgid(number(arguments)));
}

static int try_session_of(char **arguments)
{
	return result(getsid(number(arguments)));
}

static int try_move_pages(char **arguments)
{
	void *page = (void *)4096;
	int status;

	return result(syscall(SYS_move_pages, number(arguments), 1L, &page, NULL, &status, 0));
}

static int try_robust_list(char **arguments)
{
	void *head;
	size_t length;

	return result(syscall(SYS_get_robust_list, number(arguments), &head, &length));
}

static int try_count_events(char **arguments)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes,
					      .config = PERF_COUNT_SW_TASK_CLOCK };

	return result(syscall(SYS_perf_event_open, &attributes, number(arguments), -1, -1, 0));
}

static int try_cpu_time(char **arguments)
{
	struct timespec time;
	clockid_t clock;
	int err = clock_getcpuclockid(number(arguments), &clock);

	errno = err;
	return err ? -1 : clock_gettime(clock, &time);
}

/* Whoever owns a descriptor gets SIGIO, and SIGURG from sockets. */
static int try_owner(char **arguments)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		cannot_try("socketpair");
	return fcntl(pair[0], F_SETOWN, number(arguments));
}

static int try_owner_group(char **arguments)
{
	struct f_owner_ex owner = { .type = F_OWNER_PGRP, .pid = number(arguments) };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		cannot_try("socketpair");
	return fcntl(pair[0], F_SETOWN_EX, &owner);
}

/* A message that says it comes from another process. */
static int try_forge_sender(char **arguments)
{
	struct ucred credentials = { .pid = number(arguments), .uid = getuid(), .gid = getgid() };
	char byte = 0, control[CMSG_SPACE(sizeof credentials)] = { 0 };
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		cannot_try("socketpair");
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof credentials);
	memcpy(CMSG_DATA(header), &credentials, sizeof credentials);
	return result(sendmsg(pair[0], &message, 0));
}

static int try_own_group_id(char **arguments)
{
	(void)arguments;
	errno = EPERM;
	return getpgrp() != 0 && (getpgrp() == getpid() || getpgrp() == 1) ? -1 : 0;
}

static int try_own_session_id(char **arguments)
{
	(void)arguments;
	errno = EPERM;
	return getsid(0) != 0 && (getsid(0) == getpid() || getsid(0) == 1) ? -1 : 0;
}

/* SIGWINCH does nothing to who does not ask for it. Whether it came is seen outside. */
static int try_signal_group(char **arguments)
{
	return kill(-number(arguments), SIGWINCH);
}

static int try_signal_own_group(char **arguments)
{
	(void)arguments;
	return kill(0, SIGWINCH);
}

static int try_nice_group(char **arguments)
{
	return setpriority(PRIO_PGRP, 0, number(arguments));
}

static int try_nice_user(char **arguments)
{
	return setpriority(PRIO_USER, (id_t)number(arguments), 3);
}

static int try_nice_group_by_number(char **arguments)
{
	return setpriority(PRIO_PGRP, (id_t)number(arguments), 3);
}

static int try_disk_group(char **arguments)
{
	return result(syscall(SYS_ioprio_set, IOPRIO_WHO_PGRP, number(arguments), IO_PRIORITY));
}

static int try_join_group(char **arguments)
{
	return setpgid(0, number(arguments));
}

/* Outside, before the others: a process group that they look for, in the caller's session. */
static int try_lead_group(char **arguments)
{
	(void)arguments;
	if (setpgid(0, 0))
		return -1;
	puts("ready");
	return pause();
}

static int try_autogroup(char **arguments)
{
	int fd = open("/proc/self/autogroup", O_WRONLY);

	(void)arguments;
	return fd < 0 || write(fd, "5", 1) < 0 ? -1 : 0;
}

/* A child whose parent is ours: somebody outside would have to wait for it. */
static int try_parent_of_parent(char **arguments)
{
	int pid = (int)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0), parent = getpid();

	(void)arguments;
	if (pid < 0)
		return -1;
	if (pid == 0) {
		usleep(1000);
		_exit(0);
	}
	errno = EPERM;
	return getppid() == 1 || getppid() == parent ? -1 : 0;
}

static int try_shared_memory(char **arguments)
{
	return result(shmget((key_t)number(arguments), 0, 0));
}

static int try_semaphores(char **arguments)
{
	return result(semget((key_t)number(arguments), 0, 0));
}

static int try_messages(char **arguments)
{
	return result(msgget((key_t)number(arguments), 0));
}

static int try_message_queue(char **arguments)
{
	char name[64];

	snprintf(name, sizeof name, "/hutch-test-%d", number(arguments));
	return result(mq_open(name, O_RDWR));
}

/* Outside, before the others: what they look for. */
static int try_make_ipc(char **arguments)
{
	key_t key = (key_t)number(arguments);
	char name[64];

	snprintf(name, sizeof name, "/hutch-test-%d", (int)key);
	return shmget(key, 4096, IPC_CREAT | 0600) < 0 || semget(key, 1, IPC_CREAT | 0600) < 0 ||
			       msgget(key, IPC_CREAT | 0600) < 0 || mq_open(name, O_RDWR | O_CREAT, 0600, NULL) < 0
		       ? -1
		       : 0;
}

static int try_remove_ipc(char **arguments)
{
	key_t key = (key_t)number(arguments);
	char name[64];

	snprintf(name, sizeof name, "/hutch-test-%d", (int)key);
	shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
	semctl(semget(key, 0, 0), 0, IPC_RMID);
	msgctl(msgget(key, 0), IPC_RMID, NULL);
	return mq_unlink(name);
}

const struct attempt other_attempts[] = {
	{ "thread-signal", try_thread_signal },
	{ "queue-signal", try_queue_signal },
	{ "queue-thread-signal", try_queue_thread_signal },
	{ "pidfd-signal", try_pidfd_signal },
	{ "affinity", try_affinity },
	{ "policy", try_policy },
	{ "scheduling-attributes", try_scheduling_attributes },
	{ "disk-priority", try_disk_priority },
	{ "group-of", try_group_of },
	{ "session-of", try_session_of },
	{ "move-pages", try_move_pages },
	{ "robust-list", try_robust_list },
	{ "count-events", try_count_events },
	{ "cpu-time", try_cpu_time },
	{ "owner", try_owner },
	{ "owner-group", try_owner_group },
	{ "forge-sender", try_forge_sender },
	{ "own-group-id", try_own_group_id },
	{ "own-session-id", try_own_session_id },
	{ "signal-group", try_signal_group },
	{ "signal-own-group", try_signal_own_group },
	{ "nice-group", try_nice_group },
	{ "nice-group-by-number", try_nice_group_by_number },
	{ "nice-user", try_nice_user },
	{ "disk-group", try_disk_group },
	{ "join-group", try_join_group },
	{ "lead-group", try_lead_group },
	{ "autogroup", try_autogroup },
	{ "parent-of-parent", try_parent_of_parent },
	{ "shared-memory", try_shared_memory },
	{ "semaphores", try_semaphores },
	{ "messages", try_messages },
	{ "message-queue", try_message_queue },
	{ "make-ipc", try_make_ipc },
	{ "remove-ipc", try_remove_ipc },
	{ 0 },
};
