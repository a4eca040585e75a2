// SPDX-License-Identifier: Apache-2.0
/* What belongs to the whole machine: its clock, its modules, its power, and parts of the kernel with a history of holes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "attempt.h"

/* A command that does not exist: the right is looked at first. */
static int try_reboot(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x7777, NULL), EINVAL);
}

static int try_kexec(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_kexec_load, 0, 0, NULL, 0x7777), EINVAL);
}

static int try_kexec_file(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0x7777), EINVAL);
}

/* No module has no bytes. */
static int try_module(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_init_module, NULL, 0, ""), ENOEXEC);
}

static int try_module_file(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

static int try_module_away(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_delete_module, "hutch_no_such_module", O_NONBLOCK), ENOENT);
}

/* A zone 2000 hours west: out of range, found after the right. */
static int try_time_zone(char **arguments)
{
	struct timezone zone = { .tz_minuteswest = 120000 };

	(void)arguments;
	return probe(syscall(SYS_settimeofday, NULL, &zone), EINVAL);
}

/* A tick of one microsecond is out of range. */
static int try_clock(char **arguments)
{
	struct timex change = { .modes = ADJ_TICK, .tick = 1 };

	(void)arguments;
	return probe(syscall(SYS_adjtimex, &change), EINVAL);
}

static int try_clock_adjust(char **arguments)
{
	struct timex change = { .modes = ADJ_TICK, .tick = 1 };

	(void)arguments;
	return probe(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &change), EINVAL);
}

static int try_accounting(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_acct, "/hutch/no/such/file"), ENOENT);
}

static int try_swap(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_swapon, "/hutch/no/such/file", 0), ENOENT);
}

static int try_swap_off(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_swapoff, "/hutch/no/such/file"), ENOENT);
}

/* Sets the console's level to 0, which is none: EINVAL. */
static int try_log(char **arguments)
{
	(void)arguments;
	return probe(syscall(SYS_syslog, 8, NULL, 0), EINVAL);
}

static int try_log_read(char **arguments)
{
	char text[256];

	(void)arguments;
	return syscall(SYS_syslog, 3, text, sizeof text) >= 0 ? 0 : -1;
}

static int try_ports(char **arguments)
{
	(void)arguments;
#ifdef SYS_ioperm
	return (int)syscall(SYS_ioperm, 0x80, 1, 1);
#else
	errno = ENOSYS;
	return -1;
#endif
}

static int try_all_ports(char **arguments)
{
	(void)arguments;
#ifdef SYS_iopl
	return (int)syscall(SYS_iopl, 3);
#else
	errno = ENOSYS;
	return -1;
#endif
}

/* A program of two instructions for sockets; tracing ones take more rights still. */
static int try_bpf(char **arguments)
{
	struct bpf_insn code[] = { { .code = 0xb7 }, { .code = 0x95 } };
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insns = (uintptr_t)code,
		.insn_cnt = 2,
		.license = (uintptr_t)"GPL",
		.kern_version = 0,
	};

	(void)arguments;
	return probe(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr), EINVAL);
}

static int try_bpf_map(char **arguments)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	(void)arguments;
	return probe(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr), E2BIG);
}

/* All that a processor does, the kernel too. */
static int try_perf(char **arguments)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK };

	(void)arguments;
	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0) >= 0 ? 0 : -1;
}

static int try_io_uring(char **arguments)
{
	char parameters[256] = "";

	(void)arguments;
	return syscall(SYS_io_uring_setup, 1, parameters) >= 0 ? 0 : -1;
}

/* Faults of the kernel itself, which hold it in the middle of a copy: without UFFD_USER_MODE_ONLY. */
static int try_userfaultfd(char **arguments)
{
	(void)arguments;
	return syscall(SYS_userfaultfd, O_CLOEXEC) >= 0 ? 0 : -1;
}

/* Readable memory becomes executable, and nothing has a random address. */
static int try_personality(char **arguments)
{
	(void)arguments;
	return personality(READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE) < 0 ? -1 : 0;
}

/* A key in the keyring of user 0, which is one for the whole machine; it goes away at once. */
static int try_key(char **arguments)
{
	long key = syscall(SYS_add_key, "user", "hutch-test", "x", 1, -4);

	(void)arguments;
	if (key < 0)
		return -1;
	syscall(SYS_keyctl, 9, key, -4);
	return 0;
}

/* The keyring of the session in which hutch was started. */
static int try_keyring(char **arguments)
{
	(void)arguments;
	return syscall(SYS_keyctl, 0, -3, 0) >= 0 ? 0 : -1;
}

static int try_nice(char **arguments)
{
	(void)arguments;
	return setpriority(PRIO_PROCESS, 0, -5);
}

/* The class `real time` for disks. */
static int try_io_priority(char **arguments)
{
	(void)arguments;
	return (int)syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4);
}

/* Policy number 1, the lowest priority; it ends with this process, at once. */
static int try_fifo(char **arguments)
{
	struct sched_param param = { .sched_priority = 1 };

	(void)arguments;
	return sched_setscheduler(0, SCHED_FIFO, &param);
}

static int try_hang_up(char **arguments)
{
	(void)arguments;
	if (setsid() < 0 && fork() > 0)
		_exit(0);
	return (int)syscall(SYS_vhangup);
}

/* The name that it has already, so that a control changes nothing. */
static int try_host_name(char **arguments)
{
	char name[256];

	(void)arguments;
	if (gethostname(name, sizeof name))
		cannot_try("gethostname");
	return sethostname(name, strlen(name));
}

const struct attempt machine_attempts[] = {
	{ "reboot", try_reboot },
	{ "kexec", try_kexec },
	{ "kexec-file", try_kexec_file },
	{ "module", try_module },
	{ "module-file", try_module_file },
	{ "module-away", try_module_away },
	{ "time-zone", try_time_zone },
	{ "clock", try_clock },
	{ "clock-adjust", try_clock_adjust },
	{ "accounting", try_accounting },
	{ "swap", try_swap },
	{ "swap-off", try_swap_off },
	{ "log", try_log },
	{ "log-read", try_log_read },
	{ "ports", try_ports },
	{ "all-ports", try_all_ports },
	{ "bpf", try_bpf },
	{ "bpf-map", try_bpf_map },
	{ "perf", try_perf },
	{ "io-uring", try_io_uring },
	{ "userfaultfd", try_userfaultfd },
	{ "personality", try_personality },
	{ "key", try_key },
	{ "keyring", try_keyring },
	{ "nice", try_nice },
	{ "io-priority", try_io_priority },
	{ "fifo", try_fifo },
	{ "host-name", try_host_name },
	{ "hang-up", try_hang_up },
	{ 0 },
};
