/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes system calls without a C library. Each returns a value or -errno. hutch-init has no libc. A
 * vforked child of Node shares libc's errno with its parent, and so cannot use libc either.
 */
#ifndef HUTCH_SYS_H
#define HUTCH_SYS_H

#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "kernel.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#if defined(__x86_64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "hutch knows x86_64 and aarch64"
#endif

/*
 * native/fault/fault.c: in test builds, makes one chosen system call fail, to check that a failed
 * start leaves nothing behind.
 */
#ifdef HUTCH_FAULTS
long refused_on_purpose(long call);
void arm_fault(const u8 *program, u32 section, int fd, const u32 *step);
void disarm_fault(void);
#else
#define refused_on_purpose(call) 0L
#define arm_fault(program, section, fd, step) ((void)0)
#define disarm_fault() ((void)0)
#endif

/*
 * clone.c: remembers the number and the errno of the last failed call, for error messages. Threads
 * share this record, so the number is only valid if the errno matches.
 */
void note_failed_call(long number, long result);
u32 failed_call(long err);

static inline long noted(long number, long result)
{
	if (__builtin_expect((unsigned long)result > -4096ul, 0))
		note_failed_call(number, result);
	return result;
}

/*
 * Makes a system call and records a failure. A function is used because a comparison at each call
 * would enlarge hutch-init.
 */
long noted_call(long a, long b, long c, long d, long e, long n);
long noted_call6(long a, long b, long c, long d, long e, long n, long f);
#define SYS_ARGS(n, a, b, c, d, e, f, ...) \
	(__builtin_constant_p(f) && (long)(f) == 0 ? \
	 noted_call((long)(a), (long)(b), (long)(c), (long)(d), (long)(e), n) : \
	 noted_call6((long)(a), (long)(b), (long)(c), (long)(d), (long)(e), n, (long)(f)))
#define sys(...) SYS_ARGS(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* clone.c: clones on a stack of the child's own, which runs fn(arg) and never returns */
long clone3_onto(struct clone_args *args, void (*fn)(void *), void *arg);
long clone_onto(u64 flags, u64 stack, int *parent_tid, u64 child_tid, void (*fn)(void *), void *arg);
long plain_fork(void);

/*
 * True if a system call must be replaced by an older one. Test builds that refuse calls do not
 * replace them: the tests check what each failure leaves behind.
 */
#ifdef HUTCH_FAULTS
#define CALL_REFUSED(err) 0
#else
#define CALL_REFUSED(err) ((err) == -ENOSYS || (err) == -EPERM)
#endif

#define NSIG_BYTES 8

/* The architecture of this build, as seccomp filters see it. The constants are in linux/audit.h. */
#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#else
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

/* struct sigaction in the kernel's layout */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	u64 mask;
};

/* siginfo_t of 64-bit machines, for signals sent by a process. */
struct kernel_siginfo {
	int signo;
	int err;
	int code;
	int padding;
	int pid;
	u32 uid;
	int value;
	int rest[25];
};

#endif
