/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hutch-init: the first program in a container. No libc: a static glibc
 * binary costs 1 ms more at every exec. It reads the program from one descriptor,
 * runs its inner section, and says on another how that went: see program.h.
 */
#include <linux/fcntl.h>

#include "../hutch.h"

#define PROT_READ_ONLY 1
#define MAP_PRIVATE_FILE 2
#define SEEK_END_WHENCE 2
#define NOSIGNAL 0x4000

long say_all(const struct report *report)
{
	return sys(__NR_sendto, INIT_REPORT_FD, report, sizeof *report, NOSIGNAL, NULL, 0);
}

long say(enum report_kind kind, u32 step, int value)
{
	return say_all(&(struct report){ .kind = kind, .step = step, .value = value });
}

static int run(u32 *step)
{
	struct cursor outer, inner;
	const u8 *program;
	long size, err;

	err = sys(__NR_fcntl, INIT_REPORT_FD, F_SETFD, FD_CLOEXEC);
	if (err < 0)
		return (int)err;
	size = sys(__NR_lseek, INIT_PROGRAM_FD, 0, SEEK_END_WHENCE);
	if (size < 0)
		return (int)size;
	program = (const u8 *)sys(__NR_mmap, NULL, size, PROT_READ_ONLY, MAP_PRIVATE_FILE, INIT_PROGRAM_FD, 0);
	if ((unsigned long)program > -4096ul)
		return (int)(long)program;
	sys(__NR_close, INIT_PROGRAM_FD);
	err = open_program(program, (u64)size, &outer, &inner);
	arm_fault(program, 1, 2, step);
	return err ? (int)err : run_inner(&inner, step);
}

__attribute__((used, noreturn)) void init_main(void)
{
	u32 step = 0;
	int err = run(&step);

	say_all(&(struct report){ .kind = REPORT_FAILED, .step = step, .value = -err, .max_rss = failed_call(err) });
	sys(__NR_exit_group, 125);
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n	xor %ebp, %ebp\n	and $-16, %rsp\n	call init_main\n	hlt\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n	mov x29, #0\n	bl init_main\n	brk #1\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif
