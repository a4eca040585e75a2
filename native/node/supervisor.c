/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the listener of a job's filter in one thread. It answers each call as the profile does.
 * It reports each kind of refused call once, and counts at the end.
 *
 *   kernel                       this thread                  JavaScript
 *   a call is refused  ───────▶  runs the profile's filter
 *                                a new kind: reads names  ──▶  REFUSED
 *                      ◀───────  errno, or a signal
 *   all have ended                                        ──▶  REFUSED, a = -1: how often each kind
 *
 * All data read here is untrusted: another thread may change the memory meanwhile. A read may also
 * wait for a page that the container holds back. So each job has its own thread, the data read
 * decides nothing, and no code waits for the thread. The end of the job takes the counts and does
 * not wait. An unanswered call stays refused.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "job.h"
#include "../lib/proc-status.h"

#define KINDS 256
#define LEARNED 1024
#define TEXT 256
#define ENDS_WITHIN_MS 1000	/* time in milliseconds for a process to end after SIGSYS, before SIGKILL follows */

struct supervisor {
	pthread_mutex_t lock;	/* guards the fields below; not held while memory of the job is read, which may block */
	int references, closed;
	struct reactor *reactor;
	u32 job;
	int listener, stop_fd;
	u32 *answers, *arguments;
	u32 answer_count, argument_count;
	int learns;
	u32 kinds;
	u64 kind[KINDS];
	u32 counts[KINDS + 1];	/* number of calls by kind; the last element counts all kinds beyond KINDS */
	u8 seen[3][LEARNED];	/* calls seen, by architecture: native, x32, 32-bit */
};

/*
 * The content of an event REFUSED: one refused call. Texts that its arguments point to follow, each
 * with its length. Twin: src/seccomp/notification.ts.
 */
struct refused {
	u32 number, machine;
	u64 args[6];
	u32 answer, pid;
	char comm[16];
	u32 texts;	/* bit n is set if the text of argument n follows */
};

static void release(struct supervisor *s)
{
	int left;

	pthread_mutex_lock(&s->lock);
	left = --s->references;
	pthread_mutex_unlock(&s->lock);
	if (left)
		return;
	close(s->listener);
	close(s->stop_fd);
	free(s->answers);
	free(s->arguments);
	free(s);
}

/*
 * Runs the profile's classic BPF filter on the data of a call, as the kernel would. An invalid
 * instruction counts as a refusal.
 */
static u32 answer_of(const struct supervisor *s, const struct seccomp_data *data)
{
	u32 loaded = 0;

	for (u32 at = 0; at + 1 < s->answer_count; at += 2) {
		u32 code = s->answers[at] & 0xffff, k = s->answers[at + 1];
		u32 yes = s->answers[at] >> 16 & 0xff, no = s->answers[at] >> 24;

		switch (code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (k > sizeof *data - 4)
				return SECCOMP_RET_ERRNO | EPERM;
			memcpy(&loaded, (const char *)data + k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K: loaded &= k; break;
		case BPF_JMP | BPF_JA: at += 2 * k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: at += 2 * (loaded == k ? yes : no); break;
		case BPF_JMP | BPF_JGT | BPF_K: at += 2 * (loaded > k ? yes : no); break;
		case BPF_JMP | BPF_JGE | BPF_K: at += 2 * (loaded >= k ? yes : no); break;
		case BPF_RET | BPF_K: return k;
		default: return SECCOMP_RET_ERRNO | EPERM;
		}
	}
	return SECCOMP_RET_ERRNO | EPERM;
}

static size_t read_proc(u32 tid, const char *name, char *to, size_t size)
{
	char path[64];
	long got;

	snprintf(path, sizeof path, "/proc/%u/%s", tid, name);
	got = read_text(path, to, size - 1);
	to[got > 0 ? got : 0] = 0;
	return got > 0 ? (size_t)got : 0;
}


/* Reads a string from another process's memory in two pieces, because the second page may not be mapped. */
static u32 read_memory(u32 tid, u64 address, char *to)
{
	size_t first = 4096 - address % 4096;
	struct iovec into = { to, TEXT }, from[2];
	ssize_t got;

	first = first < TEXT ? first : TEXT;
	from[0] = (struct iovec){ (void *)(uintptr_t)address, first };
	from[1] = (struct iovec){ (void *)(uintptr_t)(address + first), TEXT - first };
	got = process_vm_readv((pid_t)tid, &into, 1, from, first < TEXT ? 2 : 1, 0);
	return got > 0 ? (u32)strnlen(to, (size_t)got) : 0;
}

static u64 hash(u64 sum, const void *bytes, size_t size)
{
	for (const u8 *at = bytes; size--; at++)
		sum = (sum ^ *at) * 1099511628211u;
	return sum;
}

/*
 * Returns true while the call waits for its answer. Until the answer, the thread cannot end, so its
 * id cannot be reused.
 */
static int is_waiting(const struct supervisor *s, const struct seccomp_notif *call)
{
	u64 id = call->id;

	return ioctl(s->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/*
 * Ends the process that made the call by SIGSYS, as the kernel would. Sends SIGKILL instead if the
 * process might ignore SIGSYS. Also sends SIGKILL if it still exists later, because another thread
 * may have set a handler. Returns 0 if no signal could be sent.
 */
static int end_process(const struct supervisor *s, const struct seccomp_notif *call)
{
	char text[4096];
	struct pollfd ended = { .fd = -1, .events = POLLIN };
	struct process_status status;
	int sent, sig;

	/* pid 0: the process is in a pid namespace that is not visible here; kill(0) would signal hutch's own group */
	if (!call->pid)
		return 0;
	read_proc(call->pid, "status", text, sizeof text);
	parse_status(text, &status);
	ended.fd = (int)syscall(__NR_pidfd_open, status.tgid ? status.tgid : call->pid, 0);
	if (ended.fd < 0 || !is_waiting(s, call)) {
		sent = ended.fd < 0 && is_waiting(s, call) && kill((pid_t)call->pid, SIGKILL) == 0;
	} else {
		sig = loses_signal(&status, SIGSYS) ? SIGKILL : SIGSYS;
		sent = syscall(__NR_pidfd_send_signal, ended.fd, sig, NULL, 0) == 0;
		if (sent && sig != SIGKILL && poll(&ended, 1, ENDS_WITHIN_MS) <= 0)
			syscall(__NR_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0);
	}
	if (ended.fd >= 0)
		close(ended.fd);
	return sent;
}

/*
 * Writes a description of one call to `out`. Returns its length, and sets *kind to a hash that is
 * equal for calls of the same kind.
 */
static u32 describe(struct supervisor *s, const struct seccomp_notif *call, u32 answer, char *out, u64 *kind)
{
	struct refused refused = { .number = (u32)call->data.nr, .machine = call->data.arch, .answer = answer, .pid = call->pid };
	u32 mask = 0, length = sizeof refused;

	memcpy(refused.args, call->data.args, sizeof refused.args);
	read_proc(call->pid, "comm", refused.comm, sizeof refused.comm);
	/* the table of arguments lists only calls of the native architecture */
	if (refused.machine == OWN_ARCH)
		for (u32 i = 0; i + 1 < s->argument_count; i += 2)
			if (s->arguments[i] == refused.number)
				mask = s->arguments[i + 1];
	refused.texts = mask & 0x3f;
	*kind = hash(14695981039346656037u, &refused.number, 8);
	*kind = hash(*kind, refused.comm, sizeof refused.comm);
	for (int i = 0; i < 6; i++) {
		u32 got;

		if (mask >> (8 + i) & 1)
			*kind = hash(*kind, &refused.args[i], 8);
		if (!(mask >> i & 1))
			continue;
		got = read_memory(call->pid, refused.args[i], out + length + 4);
		*kind = hash(*kind, out + length + 4, got);
		memcpy(out + length, &got, 4);
		length += 4 + got;
	}
	memcpy(out, &refused, sizeof refused);
	return length;
}

static void note(struct supervisor *s, const struct seccomp_notif *call, u32 answer)
{
	char bytes[sizeof(struct refused) + 6 * (TEXT + 4)], text[4096];
	struct process_status status;
	u64 kind;
	u32 length = describe(s, call, answer, bytes, &kind), at = 0;
	int known;

	read_proc(call->pid, "status", text, sizeof text);
	/* data read by pid is valid only if the call is still waiting now; otherwise the call is only counted */
	known = is_waiting(s, call);
	parse_status(text, &status);
	pthread_mutex_lock(&s->lock);
	while (known && at < s->kinds && s->kind[at] != kind)
		at++;
	if (!known)
		at = KINDS;
	if (at == s->kinds && at < KINDS) {
		u32 pid = status.tgid;

		s->kind[s->kinds++] = kind;
		memcpy(bytes + offsetof(struct refused, pid), &pid, sizeof pid);
		if (!s->closed)
			reactor_post(s->reactor, (struct event){ .job = s->job, .kind = EVENT_REFUSED, .a = (int)at,
								  .length = length, .bytes = bytes });
	}
	if (s->counts[at] != ~0u)
		s->counts[at]++;
	pthread_mutex_unlock(&s->lock);
}

static void learn(struct supervisor *s, const struct seccomp_data *data)
{
	u32 number = (u32)data->nr, table = data->arch != OWN_ARCH ? 2 : number & K_X32_SYSCALL_BIT ? 1 : 0;

	if (table == 1)
		number &= ~K_X32_SYSCALL_BIT;
	if (number < LEARNED)
		s->seen[table][number] = 1;
}

static void answer(struct supervisor *s)
{
	struct seccomp_notif call = { 0 };
	struct seccomp_notif_resp reply = { 0 };
	u32 word;

	if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	reply.id = call.id;
	if (s->learns) {
		learn(s, &call.data);
		reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	} else {
		word = answer_of(s, &call.data);
		note(s, &call, word);
		if ((word & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS ||
		    (word & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_THREAD) {
			if (end_process(s, &call))
				return;
			/* if the process cannot be killed, refuse the call instead: it must not wait forever */
			word = SECCOMP_RET_ERRNO | EPERM;
		}
		reply.error = (word & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? -(int)(word & SECCOMP_RET_DATA) : -EPERM;
	}
	ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

static void *supervise(void *arg)
{
	struct supervisor *s = arg;
	struct pollfd wait[2] = { { .fd = s->listener, .events = POLLIN }, { .fd = s->stop_fd, .events = POLLIN } };

	while (poll(wait, 2, -1) >= 0 || errno == EINTR) {
		if (wait[1].revents || (wait[0].revents && !(wait[0].revents & POLLIN)))
			break;
		if (wait[0].revents)
			answer(s);
	}
	release(s);
	return NULL;
}

static u32 *copy(const struct numbers *from)
{
	u32 *to = malloc((from->count + 1) * sizeof *to);

	if (to)
		memcpy(to, from->first, from->count * sizeof *to);
	return to;
}

/*
 * Starts the thread that answers the calls of one job. If no thread can be started, the listener is
 * closed, and the kernel refuses the supervised calls.
 */
struct supervisor *supervisor_start(struct reactor *r, struct job *job, int listener)
{
	const struct outer *o = &job->run.outer;
	struct supervisor *s = calloc(1, sizeof *s);
	sigset_t all, before;
	pthread_t thread;
	int err;

	if (!s) {
		close(listener);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	*s = (struct supervisor){ .lock = s->lock, .references = 2, .reactor = r, .job = job->id, .listener = listener,
				  .stop_fd = eventfd(0, EFD_CLOEXEC), .answers = copy(&o->answers), .answer_count = o->answers.count,
				  .arguments = copy(&o->arguments), .argument_count = o->arguments.count, .learns = (int)o->learns };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = s->stop_fd < 0 || !s->answers || !s->arguments ? ENOMEM : pthread_create(&thread, NULL, supervise, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_detach(thread);
	else
		release(s);
	if (err) {
		close(s->listener);
		s->listener = -1;
	}
	return s;
}

/*
 * Ends the thread that answers the calls of a job, after the job's end. Reports the counts unless
 * JavaScript no longer listens.
 */
void supervisor_end(struct supervisor *s, int tells)
{
	pthread_mutex_lock(&s->lock);
	if (tells && s->learns)
		reactor_post(s->reactor, (struct event){ .job = s->job, .kind = EVENT_REFUSED, .a = -2,
							  .length = sizeof s->seen, .bytes = (char *)s->seen });
	else if (tells) {
		s->counts[s->kinds] = s->counts[KINDS];
		reactor_post(s->reactor, (struct event){ .job = s->job, .kind = EVENT_REFUSED, .a = -1,
							  .length = (s->kinds + 1) * 4, .bytes = (char *)s->counts });
	}
	s->closed = 1;
	pthread_mutex_unlock(&s->lock);
	if (s->stop_fd >= 0)
		eventfd_write(s->stop_fd, 1);
	release(s);
}

/*
 * Receives the listener from the first message of hutch-init. If that message is a failure report,
 * leaves it unread until the job's end.
 */
int supervisor_take(int report_fd)
{
	struct report report;
	struct descriptor_message message;

	if (recv(report_fd, &report, sizeof report, MSG_PEEK | MSG_DONTWAIT) != sizeof report || report.kind != REPORT_LISTENER)
		return -1;
	make_message(&message, -1);
	message.piece.base = (char *)&report;
	message.piece.length = sizeof report;
	if (syscall(__NR_recvmsg, report_fd, &message.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) == sizeof report &&
	    message.header.control_length >= CONTROL_LENGTH)
		return message.control.fd;
	/*
	 * Read a message whose listener could not be received: this closes the listener. In an
	 * unread message it would stay open, and calls would wait for an answer.
	 */
	if (message.header.control_length == sizeof message.control)
		recv(report_fd, &report, sizeof report, MSG_DONTWAIT);
	return -1;
}
