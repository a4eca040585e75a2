/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hutch-init: the first program in a container. It has no libc: a static glibc binary costs 1 ms
 * more at every exec. hutch-init reads the program from one descriptor, runs its inner section, and
 * reports the result on another: see wire/program.h.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"
#include "../lib/message.h"


/* Descriptor number of the socket, passed to hutch-init as an argument. */
int report_socket = -1;

long say_all(const struct report *report)
{
	return transmit(report_socket, report, sizeof *report, K_MSG_NOSIGNAL);
}

long say(enum report_kind kind, u32 step, int value)
{
	return say_all(&(struct report){ .kind = kind, .step = step, .value = value });
}

/* Parses a descriptor number from the command line. */
static int number_of(const char *word)
{
	int number = 0;

	while (*word >= '0' && *word <= '9')
		number = number * 10 + (*word++ - '0');
	return number;
}

static int run(int program_fd, u32 *step)
{
	struct cursor outer, inner;
	const u8 *program;
	long size, err;

	err = sys(__NR_fcntl, report_socket, F_SETFD, FD_CLOEXEC);
	if (err < 0)
		return (int)err;
	size = sys(__NR_lseek, program_fd, 0, K_SEEK_END);
	if (size < 0)
		return (int)size;
	program = (const u8 *)sys(__NR_mmap, NULL, size, K_PROT_READ, K_MAP_PRIVATE, program_fd, 0);
	if ((unsigned long)program > -4096ul)
		return (int)(long)program;
	sys(__NR_close, program_fd);
	err = open_program(program, (u64)size, &outer, &inner);
	arm_fault(program, 1, 2, step);
	return err ? (int)err : run_inner(&inner, step);
}

/*
 * Returns the original cause of an error. The calls that change the user and group id for file
 * access (root.c) do not return their errors. If a filter refuses them, a later call fails for lack
 * of the right id. Returns the error of the refused call, with the part of the op in which it
 * occurred. Without such a call, returns err.
 */
static int cause_of(int err)
{
	static const int calls[] = { __NR_setfsuid, __NR_setfsgid, __NR_setreuid, __NR_setregid };
	int plain = -err % STEP_PART;

	if (plain != EOVERFLOW && plain != EACCES)
		return err;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		long same = sys(calls[i], -1, -1);

		if (CALL_REFUSED(same))
			return err + plain + (int)same;
	}
	return err;
}

/* Runs hutch-init, started as "hutch-init SOCKET PROGRAM STREAMS": two descriptors and a count; see caller/spawn.c. */
__attribute__((used, noreturn)) void init_main(long *stack)
{
	const char *const *argv = (const char *const *)(stack + 1);
	u32 step = 0;
	int err;

	if (stack[0] != 4)
		sys(__NR_exit_group, 125);
	report_socket = number_of(argv[1]);
	stream_count = (u32)number_of(argv[3]);
	err = run(number_of(argv[2]), &step);
	/* find the cause now: PID 1 is restricted later, and its own refused calls would be reported as the cause */
	if (!has_failed_program())
		err = cause_of(err);
	say_all(&(struct report){ .kind = REPORT_FAILED, .step = step, .value = -err, .max_rss = failed_call(err) });
	report_failed_program();
	report_refused_target(err);
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n	xor %ebp, %ebp\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call init_main\n	hlt\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n	mov x29, #0\n	mov x0, sp\n	bl init_main\n	brk #1\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif
