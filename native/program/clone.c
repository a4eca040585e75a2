/* SPDX-License-Identifier: Apache-2.0 */
/* clone3 onto another stack, see sys.h. */
#include "sys.h"

#if defined(__x86_64__)
__asm__(
	".text\n.globl sys_clone3\n.hidden sys_clone3\n.type sys_clone3,@function\nsys_clone3:\n"
	"	mov %rdx, %r8\n"	/* arg */
	"	mov %rsi, %r9\n"	/* fn; the kernel keeps both for the child */
	"	mov $88, %esi\n"	/* sizeof(struct clone_args), version 2 */
	"	mov $435, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	mov %r8, %rdi\n"
	"	call *%r9\n"
	"	hlt\n"
	"1:	ret\n"
	".size sys_clone3,.-sys_clone3\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(
	".text\n.globl sys_clone3\n.hidden sys_clone3\n.type sys_clone3,%function\nsys_clone3:\n"
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
	".size sys_clone3,.-sys_clone3\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif

_Static_assert(sizeof(struct clone_args) == 88, "clone.c passes version 2 of clone_args");
