/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installs a filter whose refused calls are reported. The kernel asks a listener about each
 * call that the profile refuses, and hutch is the listener (node/supervisor.c).
 *
 *   first     sends every refused call to the listener; always allows the next two calls
 *   sendmsg   passes the listener to hutch, before any call has to be answered
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

#define PREFIX 14
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define IF_EQUAL(at, value, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, (u8)((yes) - (at) - 1), (u8)((no) - (at) - 1))

static struct numbers noticed, plain;
static u32 filter_flags;

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
	message.piece.base = (char *)&report;
	message.piece.length = sizeof report;
	err = sys(__NR_sendmsg, report_socket, &message.header, K_MSG_NOSIGNAL);
	return err < 0 ? err : sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags, &second);
}
