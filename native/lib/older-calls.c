/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Falls back to older system calls if a kernel or a seccomp filter refuses the newer ones. clone.c
 * has the fallbacks for clone3.
 */
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "directory.h"


/*
 * Writes "/proc/self/fd/N". Overlay layers are named this way: the descriptor always leads to the
 * same directory, and the name needs no escaping.
 */
char *descriptor_path(char *at, int fd)
{
	static const char prefix[] = "/proc/self/fd/";
	char digits[12];
	int count = 0;

	memcpy(at, prefix, sizeof prefix - 1);
	at += sizeof prefix - 1;
	do
		digits[count++] = (char)('0' + fd % 10);
	while (fd /= 10);
	while (count)
		*at++ = digits[--count];
	*at = 0;
	return at;
}

static long close_each_on_exec(int first)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	struct listing l;
	const struct entry *entry;
	long number;

	begin_listing(&l, (int)sys(__NR_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (l.fd < 0) {
		sys(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
		for (number = first; number < (long)limit.rlim_cur; number++)
			sys(__NR_fcntl, number, F_SETFD, FD_CLOEXEC);
		return 0;
	}
	while ((entry = next_in(&l)) != NULL) {
		number = 0;
		for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
			number = number * 10 + (*digit - '0');
		if (number >= first)
			sys(__NR_fcntl, number, F_SETFD, FD_CLOEXEC);
	}
	sys(__NR_close, l.fd);
	return l.got;
}

/* Marks every descriptor from `first` on as close-on-exec. */
long close_on_exec_from(int first)
{
	long err = sys(__NR_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC);

	return CALL_REFUSED(err) ? close_each_on_exec(first) : err;
}

/*
 * Executes the program that a descriptor refers to. Returns only on failure. ENOENT: binfmt_misc has
 * an interpreter for the program, which execveat refuses for a close-on-exec descriptor.
 */
long exec_descriptor(int fd, const char *const *argv, const char *const *env)
{
	long err = sys(__NR_execveat, fd, "", argv, env, AT_EMPTY_PATH);
	char path[32];

	if (!CALL_REFUSED(err) && err != -ENOENT)
		return err;
	descriptor_path(path, fd);
	return sys(__NR_execve, path, argv, env);
}

/* Sends a signal to a child. Only hutch reaps the child, so its pid cannot be reused before. */
long signal_child(int pid, int pidfd, int sig)
{
	long err = sys(__NR_pidfd_send_signal, pidfd, sig, NULL, 0);

	return CALL_REFUSED(err) ? sys(__NR_kill, pid, sig) : err;
}

/* Sends a request to hutch-init in the data of a signal: see wire/program.h. */
long send_request(int pid, int pidfd, int value)
{
	struct kernel_siginfo info = { .signo = REQUEST_SIGNAL, .code = REQUEST_CODE, .value = value };
	long err = sys(__NR_pidfd_send_signal, pidfd, REQUEST_SIGNAL, &info, 0);

	return CALL_REFUSED(err) ? sys(__NR_rt_sigqueueinfo, pid, REQUEST_SIGNAL, &info) : err;
}

/* Reaps a child that has ended. Returns 1 and its wait status, or 0 if the child is still running. */
int reap_child(int pid, int pidfd, int *status, struct rusage *usage)
{
	siginfo_t info = { 0 };
	long err = sys(__NR_waitid, K_P_PIDFD, pidfd, &info, WEXITED | WNOHANG, usage);

	if (CALL_REFUSED(err))
		return sys(__NR_wait4, pid, status, WNOHANG | __WALL, usage) == pid;
	if (err < 0 || info.si_pid == 0)
		return 0;
	*status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
	return 1;
}

/*
 * Returns the result of the older call. If both calls are refused, returns the error of the newer
 * call, because that is the one to report.
 */
static long prefer(long older, long number, long err)
{
	if (!CALL_REFUSED(older))
		return older;
	note_failed_call(number, err);
	return err;
}

/* Receives by recvfrom(2), or by recvmsg(2) if a filter refuses recvfrom. */
long receive(int fd, void *bytes, size_t size, int flags)
{
	long got = sys(__NR_recvfrom, fd, bytes, size, flags, NULL, NULL);
	struct iovec piece = { bytes, size };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	return CALL_REFUSED(got) ? prefer(sys(__NR_recvmsg, fd, &message, flags), __NR_recvfrom, got) : got;
}

/* Sends by sendto(2), or by sendmsg(2) if a filter refuses sendto. */
long transmit(int fd, const void *bytes, size_t size, int flags)
{
	long sent = sys(__NR_sendto, fd, bytes, size, flags, NULL, 0);
	struct iovec piece = { (void *)(uintptr_t)bytes, size };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	return CALL_REFUSED(sent) ? prefer(sys(__NR_sendmsg, fd, &message, flags), __NR_sendto, sent) : sent;
}

/* Removes a directory below at_fd, or by its path if at_fd is AT_FDCWD. aarch64 has no older call for this. */
long remove_directory(int at_fd, const char *path)
{
	long err = sys(__NR_unlinkat, at_fd, path, AT_REMOVEDIR);
#ifdef __NR_rmdir
	char name[32 + 256], *end = name;
	size_t length;

	if (!CALL_REFUSED(err))
		return err;
	if (at_fd == AT_FDCWD)
		return prefer(sys(__NR_rmdir, path), __NR_unlinkat, err);
	length = text_length(path);
	if (length > 255)
		return err;
	end = descriptor_path(name, at_fd);
	*end++ = '/';
	memcpy(end, path, length + 1);
	return prefer(sys(__NR_rmdir, name), __NR_unlinkat, err);
#else
	return err;
#endif
}

/* Opens an unnamed file, the closest replacement for a memfd. `runs`: the file will be executed. */
static long open_unnamed(int runs)
{
	static const char *const directories[] = { "/dev/shm", "/tmp", "/var/tmp", "/run", "." };
	u64 found[15];	/* word 10 of struct statfs holds the mount flags */
	long fd = -ENOENT;

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		fd = sys(__NR_openat, AT_FDCWD, directories[i], O_RDWR | O_CLOEXEC | K_O_TMPFILE | O_DIRECTORY,
			 runs ? 0500 : 0600);
		if (fd < 0)
			continue;
		if (!runs || (sys(__NR_fstatfs, fd, found) == 0 && !(found[10] & K_ST_NOEXEC)))
			return fd;
		sys(__NR_close, fd);
		fd = -EACCES;
	}
	return fd;
}

/* Writes all bytes. On an error, closes the file. Returns 0 or -errno. */
int write_whole(long fd, const void *bytes, size_t size)
{
	const u8 *at = bytes;
	long written;

	/* at a file size limit (ulimit -f) a write stops short, and the next write returns the error */
	do
		written = sys(__NR_write, fd, at, size);
	while (written > 0 && (at += written, size -= (size_t)written) > 0);
	if (written > 0)
		return 0;
	sys(__NR_close, fd);
	return written < 0 ? (int)written : -EIO;
}

/*
 * Returns an unnamed file with the bytes, used for one start only. It is not sealed like a memfd: a
 * process that holds it open can write to it after the program has ended.
 */
int unnamed_file(const void *bytes, size_t size, int runs)
{
	long fd = open_unnamed(runs), again;
	int err;
	char path[32];

	if (fd < 0)
		return (int)fd;
	err = write_whole(fd, bytes, size);
	if (err)
		return err;
	if (!runs)
		return (int)fd;
	/* reopen it read-only: a file that is open for writing cannot be executed */
	descriptor_path(path, (int)fd);
	again = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	sys(__NR_close, fd);
	return (int)again;
}

/* Returns a memfd that holds the bytes, or an unnamed file if memfd_create is refused. */
int program_file(const void *bytes, size_t size)
{
	long fd = sys(__NR_memfd_create, "hutch-program", MFD_CLOEXEC), file;
	int err;

	if (CALL_REFUSED(fd)) {
		file = unnamed_file(bytes, size, 0);
		if (file < 0)
			note_failed_call(__NR_memfd_create, fd);
		return (int)(file < 0 ? fd : file);
	}
	if (fd < 0)
		return (int)fd;
	err = write_whole(fd, bytes, size);
	if (err)
		return err;
	return (int)fd;
}
