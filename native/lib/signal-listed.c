/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends signals to the processes that a group's cgroup.procs lists. A pid that was read earlier may
 * belong to another process by the time of the signal. So hutch opens a pidfd for each pid, and
 * uses it only if a second reading still lists the pid.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../caller/groups.h"

#define BATCH 32

long open_list(struct reader *r, int base, const char *procs)
{
	r->got = r->at = 0;
	r->fd = sys(__NR_openat, base, procs, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return r->fd;
}

/* Reads the next pid from cgroup.procs. Returns 1 if there is a next pid, 0 at the end, or -errno. */
long next_pid(struct reader *r, long *pid)
{
	int digits = 0;

	for (*pid = 0;;) {
		if (r->at == r->got) {
			r->got = sys(__NR_read, r->fd, r->buffer, sizeof r->buffer);
			r->at = 0;
			if (r->got <= 0) {
				long err = r->got;

				r->got = 0;
				return digits ? 1 : err;
			}
		}
		if (r->buffer[r->at] >= '0' && r->buffer[r->at] <= '9') {
			*pid = *pid * 10 + (r->buffer[r->at] - '0');
			digits = 1;
		} else if (digits)
			return 1;
		r->at++;
	}
}

/*
 * Sends the signal by pid, if pidfds are refused: on Linux before 5.3, by a seccomp filter, or with
 * too many open files.
 */
long signal_one(const struct listed *l, int sig)
{
	long sent = l->fd >= 0 ? sys(__NR_pidfd_send_signal, l->fd, sig, NULL, 0) : -ENOSYS;

	return l->fd < 0 || sent == -ENOSYS || sent == -EPERM ? sys(__NR_kill, l->pid, sig) : sent;
}

/*
 * Sends the signal to a batch of processes. Returns the first error except -ESRCH, which means that
 * a process has ended.
 */
static long signal_batch(int base, const char *procs, struct listed *batch, int count, int sig)
{
	struct reader again;
	long pid, err = 0;

	if (count == 0)
		return 0;
	if (open_list(&again, base, procs) >= 0) {
		while (next_pid(&again, &pid) > 0)
			for (int i = 0; i < count; i++)
				batch[i].confirmed |= batch[i].pid == pid;
		sys(__NR_close, again.fd);
	}
	for (int i = 0; i < count; i++) {
		long sent = batch[i].confirmed ? signal_one(&batch[i], sig) : 0;

		if (sent < 0 && sent != -ESRCH && !err)
			err = sent;
		if (batch[i].fd >= 0)
			sys(__NR_close, batch[i].fd);
	}
	return err;
}

/*
 * Sends `sig` to every process listed in the file `procs`, except to `except`, and counts them.
 * Signal 0 only counts. A process listed as 0 is in another pid namespace and cannot be signalled.
 */
long signal_listed_in(int base, const char *procs, int sig, int except, int *count)
{
	struct listed batch[BATCH];
	struct reader r;
	long got, pid, err = 0, refused;
	int size = 0;

	if (open_list(&r, base, procs) < 0)
		return r.fd;
	while ((got = next_pid(&r, &pid)) > 0) {
		++*count;
		if (!sig || pid <= 1 || pid == except)
			continue;
		batch[size] = (struct listed){ .pid = pid, .fd = sys(__NR_pidfd_open, pid, 0) };
		size += batch[size].fd != -ESRCH;
		if (size == BATCH) {
			refused = signal_batch(base, procs, batch, size, sig);
			err = err ? err : refused;
			size = 0;
		}
	}
	sys(__NR_close, r.fd);
	refused = signal_batch(base, procs, batch, size, sig);
	err = err ? err : refused;
	return got < 0 ? got : err;
}

long signal_listed(const char *procs, int sig, int except, int *count)
{
	return signal_listed_in(AT_FDCWD, procs, sig, except, count);
}

/* Returns 1 if the cgroup.procs file lists the process. */
int lists_process(const char *procs, long pid)
{
	struct reader r;
	long listed = 0;

	if (open_list(&r, AT_FDCWD, procs) < 0)
		return 0;
	while (next_pid(&r, &listed) > 0 && listed != pid)
		;
	sys(__NR_close, r.fd);
	return listed == pid;
}
