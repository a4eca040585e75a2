/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installs a filter with a listener, which the kernel asks about calls. Either hutch is the
 * listener (node/supervisor.c), and the kernel asks about each call that the profile refuses. Or
 * the listener is an agent outside, and the profile of a container says which calls it answers.
 *
 *   first     sends calls to the listener; always allows the next two calls
 *   sendmsg   passes the listener to hutch or to the agent, before any call has to be answered
 *   second    answers these two calls as the profile does, and allows all others
 *
 * The two calls are recognised by the addresses of their arguments. With both filters, each
 * call is answered as by the profile alone. If the listener has ended, the kernel answers
 * ENOSYS.
 */
#include <linux/audit.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "../hutch.h"
#include "../lib/message.h"

/* BPF_MAXINSNS */
#define MAX_INSTRUCTIONS 4096

/* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV of Linux 5.19 */
#define WAIT_KILLABLE (1u << 5)

#define PREFIX 14
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define IF_EQUAL(at, value, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, (u8)((yes) - (at) - 1), (u8)((no) - (at) - 1))

static struct numbers noticed, plain;
static u32 filter_flags;

/* The connection to an agent, and the text of the message with the listener. Without an agent, hutch gets the listener. */
static int agent_socket = -1;
static struct { char *base; size_t length; } agent_text;

/* Receives a text and a socket from the process that starts the container. */
int op_receive_agent(struct cursor *c)
{
	struct descriptor_message message;
	long got, memory, err = finished(c);

	if (err)
		return (int)err;
	memory = sys(__NR_mmap, NULL, AGENT_TEXT_AT_MOST, K_PROT_READ | K_PROT_WRITE, K_MAP_PRIVATE | K_MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)memory > -4096ul)
		return (int)memory;
	make_message(&message, -1);
	message.piece.base = (char *)memory;
	message.piece.length = AGENT_TEXT_AT_MOST;
	do
		got = sys(__NR_recvmsg, report_socket, &message.header, K_MSG_CMSG_CLOEXEC);
	while (got == -EINTR);
	if (got <= 0)	/* end of file: the process that starts the container has ended */
		return got < 0 ? (int)got : -EOWNERDEAD;
	if (message.header.control_length < CONTROL_LENGTH || message.control.fd < 0)
		return -EPROTO;
	agent_socket = message.control.fd;
	agent_text.base = (char *)memory;
	agent_text.length = (size_t)got;
	return 0;
}

int op_supervise_filter(struct cursor *c)
{
	noticed = take_numbers(c);
	plain = take_numbers(c);
	filter_flags = take_u32(c);
	if (finished(c) || noticed.count % 2 || plain.count % 2 || !noticed.count)
		return -EPROTO;
	if (noticed.count / 2 > MAX_INSTRUCTIONS - PREFIX || plain.count / 2 > MAX_INSTRUCTIONS - PREFIX)
		return -E2BIG;
	return 0;
}

int is_supervised(void)
{
	return noticed.count != 0;
}

/*
 * Builds a filter for which sendmsg with these two arguments is special. One action is for the two
 * special calls, the other for every other call.
 */
static void build(struct sock_fprog *program, const struct numbers *rest, u64 message, u64 second, int for_both)
{
	enum { pass = PREFIX - 1 };
	u8 both = for_both ? PREFIX : pass, others = for_both ? pass : PREFIX;
	const struct sock_filter prefix[PREFIX] = {
		LOAD(arch),
		IF_EQUAL(1, OWN_ARCH, 2, others),
		LOAD(nr),
		IF_EQUAL(3, __NR_sendmsg, 4, 8),
		LOAD(args[1]),
		IF_EQUAL(5, (u32)message, 6, others),
		LOAD_HIGH(args[1]),
		IF_EQUAL(7, (u32)(message >> 32), both, others),
		IF_EQUAL(8, __NR_seccomp, 9, others),
		LOAD(args[2]),
		IF_EQUAL(10, (u32)second, 11, others),
		LOAD_HIGH(args[2]),
		IF_EQUAL(12, (u32)(second >> 32), both, others),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	program->len = (unsigned short)(PREFIX + rest->count / 2);
	memcpy(program->filter, prefix, sizeof prefix);
	memcpy(program->filter + PREFIX, rest->first, rest->count * sizeof *rest->first);
}

/* Installs the filters that report calls. Does nothing if the program has no op superviseCalls. */
long install_supervised(void)
{
	struct report report = { .kind = REPORT_LISTENER };
	struct descriptor_message message;
	struct sock_fprog first, second;
	long memory, err;

	if (!noticed.count)
		return 0;
	memory = sys(__NR_mmap, NULL, 2 * MAX_INSTRUCTIONS * sizeof *first.filter, K_PROT_READ | K_PROT_WRITE, K_MAP_PRIVATE | K_MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)memory > -4096ul)
		return memory;
	first.filter = (struct sock_filter *)memory;
	second.filter = first.filter + MAX_INSTRUCTIONS;
	build(&first, &noticed, (u64)(uintptr_t)&message.header, (u64)(uintptr_t)&second, 0);
	build(&second, &plain, (u64)(uintptr_t)&message.header, (u64)(uintptr_t)&second, 1);
	err = sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, &first);
	if (err < 0)
		return err;
	make_message(&message, (int)err);
	message.piece.base = agent_socket < 0 ? (char *)&report : agent_text.base;
	message.piece.length = agent_socket < 0 ? sizeof report : agent_text.length;
	err = sys(__NR_sendmsg, agent_socket < 0 ? report_socket : agent_socket, &message.header, K_MSG_NOSIGNAL);
	/* only a filter with a listener can have the flag WAIT_KILLABLE_RECV */
	return err < 0 ? err : sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags & ~WAIT_KILLABLE, &second);
}
