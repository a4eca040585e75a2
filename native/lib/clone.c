/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts children on their own stack. With CLONE_VM, a child must not return through the parent's
 * stack frame. So each call is made here in assembly. Also remembers the last failed system call.
 */
#include <linux/errno.h>
#include <signal.h>

#include "../hutch.h"

#if defined(__x86_64__)
__asm__(
	".text\n.globl clone3_onto\n.hidden clone3_onto\n.type clone3_onto,@function\nclone3_onto:\n"
	"	mov %rdx, %r8\n"	/* arg */
	"	mov %rsi, %r9\n"	/* r8 holds fn: the kernel keeps r8 and r9 unchanged for the child */
	"	mov $88, %esi\n"	/* second argument of clone3: sizeof(struct clone_args), version 2 */
	"	mov $435, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	mov %r8, %rdi\n"
	"	call *%r9\n"
	"	hlt\n"
	"1:	ret\n"
	".size clone3_onto,.-clone3_onto\n"
	".globl clone_onto\n.hidden clone_onto\n.type clone_onto,@function\nclone_onto:\n"
	"	mov %rcx, %r10\n"	/* r10: child_tid; the kernel ignores r8 (tls) without CLONE_SETTLS */
	"	mov $56, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	mov %r9, %rdi\n"
	"	call *%r8\n"
	"	hlt\n"
	"1:	ret\n"
	".size clone_onto,.-clone_onto\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(
	".text\n.globl clone3_onto\n.hidden clone3_onto\n.type clone3_onto,%function\nclone3_onto:\n"
	"	mov x10, x2\n"
	"	mov x11, x1\n"
	"	mov x1, #88\n"
	"	mov x8, #435\n"
	"	svc 0\n"
	"	cbnz x0, 1f\n"
	"	mov x29, #0\n"
	"	mov x0, x10\n"
	"	blr x11\n"
	"	brk #1\n"
	"1:	ret\n"
	".size clone3_onto,.-clone3_onto\n"
	".globl clone_onto\n.hidden clone_onto\n.type clone_onto,%function\nclone_onto:\n"
	"	mov x10, x4\n"
	"	mov x11, x5\n"
	"	mov x4, x3\n"
	"	mov x3, xzr\n"
	"	mov x8, #220\n"
	"	svc 0\n"
	"	cbnz x0, 1f\n"
	"	mov x29, #0\n"
	"	mov x0, x11\n"
	"	blr x10\n"
	"	brk #1\n"
	"1:	ret\n"
	".size clone_onto,.-clone_onto\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif

_Static_assert(sizeof(struct clone_args) == 88, "clone.c passes version 2 of clone_args");

static u32 last_failed;

void note_failed_call(long number, long result)
{
	__atomic_store_n(&last_failed, (u32)number << 12 | (u32)-result, __ATOMIC_RELAXED);
}

long noted_call6(long a, long b, long c, long d, long e, long n, long f)
{
	return noted(n, refused_on_purpose(n) ?: sys6(n, a, b, c, d, e, f));
}

long noted_call(long a, long b, long c, long d, long e, long n)
{
	return noted_call6(a, b, c, d, e, n, 0);
}

/* Returns the number of the last system call that failed, if it failed with this errno, otherwise 0. */
u32 failed_call(long err)
{
	u32 last = __atomic_load_n(&last_failed, __ATOMIC_RELAXED);

	return (last & 0xfff) == (u32)(err < 0 ? -err : err) % STEP_PART ? last >> 12 : 0;
}

/* Forks, and returns in both processes. The order of the arguments differs, but all of them are 0. */
long plain_fork(void)
{
	return noted(__NR_clone, refused_on_purpose(__NR_clone) ?: sys6(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0));
}
