/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one system call of a program fail, in test builds only (native/build.sh --faults). A test
 * then checks what the failed start leaves behind. The last 32-bit word of the program's header
 * selects the call; shipped builds require 0 there. Bit 31 is the section (1: inner), bits 16 to 30
 * are the errno, and the rest is the number of the call.
 */
#ifdef HUTCH_FAULTS
#include "../hutch.h"

static u32 left;
static int error;
static int out = -1;
static const u32 *at;

void arm_fault(const u8 *program, u32 section, int fd, const u32 *step)
{
	u32 word;

	memcpy(&word, program + 12, sizeof word);
	left = word >> 31 == section ? word & 0xffff : 0;
	error = (int)(word >> 16 & 0x7fff);
	out = fd;
	at = step;
}

void disarm_fault(void)
{
	left = 0;
}

static char *put_number(char *to, u32 number)
{
	if (number > 9)
		to = put_number(to, number / 10);
	*to = (char)('0' + number % 10);
	return to + 1;
}

/* System calls whose failure does not make a start fail; the test says why for each. */
#define NAMED(X) X(umask) X(setfsuid) X(getpid) X(fsconfig) X(recvfrom) X(openat) X(read) X(waitid) X(rt_sigaction) \
	X(rt_sigprocmask) X(rt_sigpending) X(prctl) X(setgroups) X(execve) X(kill) X(inotify_add_watch) X(getcwd) X(chdir) \
	X(clock_gettime) X(flock) X(fchmod) X(setsid) X(getsid) X(getpgid) X(setpgid) X(ioctl) X(fcntl) X(lseek) \
	X(rt_sigtimedwait) X(pread64) X(fstat) X(statx) X(ppoll) X(poll) X(wait4) X(unlinkat) X(pidfd_open) X(pidfd_send_signal) \
	X(fstatfs) X(newfstatat) X(epoll_ctl) X(readlinkat) X(geteuid) X(fchmodat) X(dup3) X(pipe2) X(getrandom) X(write)

static const char *name_of(long call)
{
	switch (call) {
#define NAME(name) case __NR_##name: return #name;
	NAMED(NAME)
#undef NAME
	}
	return "other";
}

/* Writes which call was refused to `out`, as "hutch-fault STEP CALL". */
long refused_on_purpose(long call)
{
	static const char title[] = "hutch-fault ";
	char line[64], *end = line + sizeof title - 1;

	/* close is never refused: even a close(2) that fails has closed the descriptor */
	if (call == __NR_close || !left || --left)
		return 0;
	memcpy(line, title, sizeof title - 1);
	end = put_number(end, *at);
	*end++ = ' ';
	for (const char *name = name_of(call); *name; name++)
		*end++ = *name;
	*end++ = '\n';
	sys6(__NR_write, out, (long)line, end - line, 0, 0, 0);
	return -error;
}
#else
typedef int fault_is_for_test_builds;
#endif
