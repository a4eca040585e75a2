/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a compiled file: finds the program appended to the executable, checks that it fits this
 * machine, and runs it. Ends with the exit status of the command.
 */
#include <linux/auxvec.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signalfd.h>
#include <linux/time_types.h>
#include <signal.h>

#include "compiled.h"

/* Limits of the removal of stale groups at a start: at most SWEEP_MS milliseconds in total, in slices of SLICE_MS. */
#define SWEEP_MS 2000
#define SLICE_MS 20
#define PAUSE_MS 2
#define BIT(sig) (1ull << ((sig) - 1))

static const u64 forwarded = BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM) | BIT(SIGUSR1) | BIT(SIGUSR2) |
			     BIT(SIGWINCH) | BIT(SIGTSTP) | BIT(SIGCONT);
/*
 * Signals that are blocked but not forwarded. SIGCHLD is read from a signalfd. SIGTTOU would stop
 * this process when it writes to a terminal with TOSTOP. SIGXFSZ would end it at its file size
 * limit (ulimit -f); blocked, the write fails with EFBIG, which is reported.
 */
static const u64 blocked = forwarded | BIT(SIGCHLD) | BIT(SIGTTOU) | BIT(SIGXFSZ);
static const u64 awaited = forwarded | BIT(SIGCHLD);
static char figures[FIGURES_SIZE];

static int refuse(const char *file, const char *why, const char *remedy)
{
	struct text t = { .length = 0 };

	add(&t, "hutch: cannot start ");
	add(&t, file);
	add(&t, ": ");
	add(&t, why);
	add(&t, "\n  remedy       ");
	add(&t, remedy);
	add(&t, "\n");
	print(2, t.bytes);
	return HUTCH_FAILED;
}

static int refuse_call(const char *file, const char *call, long err)
{
	struct text t = { .length = 0 };
	char room[32];

	add(&t, call);
	add(&t, " was refused (");
	add(&t, errno_name((int)-err, room));
	add(&t, ")");
	return refuse(file, t.bytes, "see the limits of this process (ulimit -a), and that /proc is mounted");
}

/*
 * Opens /dev/null in place of closed standard streams. Otherwise another descriptor would get
 * number 0, 1 or 2 and become a stream of the command.
 */
static void fill_standard(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (sys(__NR_fcntl, fd, F_GETFD) == -EBADF)
			sys(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR);
}

/* Maps this executable into memory. Returns 0 and sets its bytes and size, or returns -errno. */
static long map_self(const u8 **bytes, u64 *size)
{
	long fd = sys(__NR_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC), length, at;

	if (fd < 0)
		return fd;
	length = sys(__NR_lseek, fd, 0, K_SEEK_END);
	at = length < 0 ? length : sys(__NR_mmap, NULL, length, K_PROT_READ, K_MAP_PRIVATE, fd, 0);
	sys(__NR_close, fd);
	if ((unsigned long)at > -4096ul)
		return at;
	*bytes = (const u8 *)at;
	*size = (u64)length;
	return 0;
}

/*
 * Blocks signals that are to be forwarded to the job, so that they do not end this process. Returns
 * the signalfd to read them from, or -errno.
 */
static long hold_signals(void)
{
	struct kernel_sigaction by_default = { 0 };

	/* if the caller ignored SIGCHLD, the kernel would reap the child */
	sys(__NR_rt_sigaction, SIGCHLD, &by_default, NULL, NSIG_BYTES);
	sys(__NR_rt_sigprocmask, 0 /* SIG_BLOCK */, &blocked, NULL, NSIG_BYTES);
	return sys(__NR_signalfd4, -1, &awaited, NSIG_BYTES, O_CLOEXEC | O_NONBLOCK);
}

/*
 * Checks if the job's only process, the command, has stopped. A job with hutch-init needs no check:
 * hutch-init reports stops.
 */
static void look_for_stop(struct run *run)
{
	siginfo_t info = { 0 };

	if (!run->outer.reaps && sys(__NR_waitid, K_P_PIDFD, run->outer.pidfd, &info, K_WSTOPPED | K_WNOHANG, NULL) == 0 &&
	    info.si_pid != 0)
		run_stopped(run, info.si_status, 1);
}

/*
 * Forwards received signals to the job. A signal from the terminal is meant for a whole process
 * group, so the job's whole group gets it, unless it reached this process alone.
 */
static void pass_signals(struct story *s, struct run *run, int fd)
{
	const struct outer *o = &run->outer;
	struct signalfd_siginfo info;

	while (sys(__NR_read, fd, &info, sizeof info) == (long)sizeof info) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGCHLD) {
			look_for_stop(run);
			continue;
		}
		if (BIT(sig) & ~(BIT(SIGTSTP) | BIT(SIGCONT)))
			s->sent |= 1u << sig;
		if (run->ending)
			continue;
		if (reached_alone(sig, info.ssi_code))
			signal_child(o->pid, o->pidfd, sig);
		else if (sig == SIGTSTP && o->terminal.stream < 0)
			stop_with_job(o->pidfd, o->pid);
		else
			signal_job_group(o->pidfd, o->pid, (int)o->reaps, sig);
	}
}

/*
 * Removes groups whose hutch was killed, in slices, between which signals and deadlines are
 * handled. Every slice starts again at the top of the tree. It may take as long as all earlier
 * slices together, so a late one reaches the bottom. Returns 1 if work remains.
 */
static int sweep_slice(const struct story *s, const struct run *run, u64 end)
{
	u64 now = now_ms(), spent = now + SWEEP_MS - end, until = now + (spent > SLICE_MS ? spent : SLICE_MS);

	return now < end && sweep_beside(&run->outer, s->group, until < end ? until : end);
}

static void await_empty(const struct run *run, unsigned int ms)
{
	struct pollfd events = { .fd = run->empty_fd, .events = POLLPRI };
	struct __kernel_timespec t = { ms / 1000, (long long)(ms % 1000) * 1000000 };

	sys(__NR_ppoll, &events, 1, &t, NULL, NSIG_BYTES);
}

static void note_refusal(struct story *s, const struct program_look *said)
{
	if (said->report.kind == REPORT_FAILED)
		s->refused = said->report;
	else if (!s->found.report.kind)
		s->found = *said;
}

static void watch(struct story *s, struct run *run, int signals)
{
	u64 sweep_end = now_ms() + SWEEP_MS;
	int sweeping = sweep_slice(s, run, sweep_end);
	int tells = run->outer.terminal.fd >= 0 && run->outer.reaps;
	struct pollfd fds[3 + MAX_WATCHES] = { { .fd = run->outer.pidfd, .events = POLLIN },
					       { .fd = signals, .events = POLLIN },
					       { .fd = tells ? run->outer.report_fd : -1, .events = POLLIN } };
	struct program_look said;
	unsigned int pause;

	for (u32 i = 0; i < run->outer.watches; i++)
		fds[3 + i] = (struct pollfd){ .fd = run->outer.watch[i].fd, .events = POLLIN };
	while (!run_ended(run)) {
		u64 now = now_ms(), due = run_due(run), left = due > now ? due - now : 0;
		struct __kernel_timespec t = { (long long)(left / 1000), (long long)(left % 1000) * 1000000 };

		if (due && !left) {
			if (run->deadline && run->deadline <= now)
				s->timed_out = run_stop(run);
			else if (run_check_cpu(run, now))
				s->timed_out = SIGKILL;
			continue;
		}
		if (sweeping && (!due || left > PAUSE_MS))
			t = (struct __kernel_timespec){ 0, PAUSE_MS * 1000000 };
		sys(__NR_ppoll, fds, 3 + run->outer.watches, due || sweeping ? &t : NULL, NULL, NSIG_BYTES);
		pass_signals(s, run, signals);
		while (fds[2].revents && run_failed(run, &said))
			note_refusal(s, &said);
		for (u32 i = 0; i < run->outer.watches; i++)
			if (fds[3 + i].revents && run_event(run, i))
				s->oom_noticed = 1;
		if (sweeping)
			sweeping = sweep_slice(s, run, sweep_end);
	}
	while (run_failed(run, &said))
		note_refusal(s, &said);
	while ((pause = run_finish(run)) != 0)
		await_empty(run, pause);
	for (; sweeping; sweeping = sweep_slice(s, run, sweep_end))
		sleep_ms(PAUSE_MS);
	pass_signals(s, run, signals);
	s->ran_ms = now_ms() + SWEEP_MS - sweep_end;
}

static int start(const struct compiled *c, const struct call *call, const char *file)
{
	static struct run run = { .outer = { .figures = figures } };
	struct launch_files files = { .streams = { 0, 1, 2 }, .stream_count = STANDARD_STREAMS, .inotify_fd = -1 };
	struct story s = { .compiled = c, .run = &run, .group = call->group };
	u64 room = filled_size(c, call);
	u8 *program = (u8 *)sys(__NR_mmap, NULL, room, K_PROT_READ | K_PROT_WRITE, K_MAP_PRIVATE | K_MAP_ANONYMOUS, -1, 0);
	long size, signals, err;

	if ((unsigned long)program > -4096ul)
		return refuse_call(file, "memory", (long)program);
	size = fill_program(c->program, c->program_length, call, program, room);
	if (size < 0)
		return refuse(file, "its program cannot be read", "compile the file again");
	if (!(c->flags & QUIET))
		warn_of_outer_limits();
	signals = hold_signals();
	if (signals < 0)
		return refuse_call(file, "signalfd", signals);
	files.init_fd = init_image_memfd();
	if (files.init_fd < 0) {
		err = files.init_fd;
		files.init_fd = init_image_file();
		if (files.init_fd == -EFBIG)
			return refuse(file, "the file size limit (RLIMIT_FSIZE) is too small for its files in memory (EFBIG)",
				      "raise it: ulimit -f unlimited");
		if (files.init_fd < 0)
			return refuse_call(file, "memfd_create", err);
	}
	s.program = files.program = program;
	s.program_size = files.program_size = (u64)size;
	err = run_start(&run, &files);
	if (err)
		return report_refusal(&s, 0, run.outer.step, (int)-err, failed_call(err));
	watch(&s, &run, (int)signals);
	return report_verdict(&s);
}

/*
 * Returns true if executing this file gave the process more rights than its caller has:
 * set-user-ID, set-group-ID or file capabilities (AT_SECURE).
 */
static int gives_rights(char **environment)
{
	const unsigned long *pair;

	while (*environment)
		environment++;
	for (pair = (const unsigned long *)(environment + 1); pair[0] != AT_NULL; pair += 2)
		if (pair[0] == AT_SECURE)
			return pair[1] != 0;
	return 0;
}

static int run(int argc, char **argv, char **environment)
{
	const char *file = argc > 0 ? argv[0] : "this file";
	struct compiled c;
	char group[128];
	struct call call = { .group = group, .arguments = argc > 0 ? argv + 1 : argv, .environment = environment };
	const u8 *bytes = NULL;
	u64 size = 0;
	long err, parent = sys(__NR_getppid);

	fill_standard();
	if (gives_rights(environment))
		return refuse(file, "it is set-user-ID, set-group-ID or has file capabilities, and its caller's PATH and environment would have those rights",
			      "chmod ug-s it and setcap -r it; give rights to its caller by sudo(8) or a service");
	err = map_self(&bytes, &size);
	if (err)
		return refuse_call(file, "opening /proc/self/exe", err);
	err = open_compiled(bytes, size, &c);
	if (err == -ENOEXEC)
		return refuse(file, "the compiled program at the end of this file is missing: the file was truncated or stripped", "copy or compile the file again");
	if (err == -EILSEQ)
		return refuse(file, "it is damaged: its bytes are not those that were written", "copy or compile the file again");
	if (err)
		return refuse(file, "its program is of another version of hutch", "compile the file again");
	call.flags = c.flags;
	if (argc == 2 && same(argv[1], "--hutch-explain")) {
		print(1, c.explained);
		return 0;
	}
	if (argc > 1 && !(c.flags & PASS_ARGUMENTS))
		return refuse(file, "it takes no arguments", "leave them out, or compile it with --pass-args");
	if (c.flags & DIE_WITH_PARENT) {
		sys(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		/*
		 * the parent ended after getppid above; an earlier end cannot be detected, because
		 * the first parent may be init itself
		 */
		if (sys(__NR_getppid) != parent)
			return HUTCH_FAILED;
	}
	if (check_facts(&c.facts, file) || place_groups(&c.facts, file))
		return HUTCH_FAILED;
	err = own_group_name(group, sizeof group);
	if (err)
		return refuse_call(file, "reading /proc/self", err);
	return start(&c, &call, file);
}

__attribute__((used, noreturn)) void compiled_main(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);

	sys(__NR_exit_group, run(argc, argv, argv + argc + 1));
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n	xor %ebp, %ebp\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call compiled_main\n	hlt\n"
	".pushsection .note.GNU-stack,\"\",@progbits\n.popsection\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n	mov x29, #0\n	mov x0, sp\n	bl compiled_main\n	brk #1\n"
	".pushsection .note.GNU-stack,\"\",%progbits\n.popsection\n");
#endif
