// SPDX-License-Identifier: Apache-2.0
// Looks at all other processes of its pid namespace without end, as a hostile container does while a runtime enters it: at their programs,
// directories, further descriptors and memory. Prints what leads out of the container, each thing once: `KIND TARGET`. A process whose program is below
// /bin has already become a command of the container, and only its descriptors count.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char seen[64][300];
static int count;

static void report(const char *kind, const char *target)
{
	char line[300];

	snprintf(line, sizeof line, "%s %s", kind, target);
	for (int i = 0; i < count; i++)
		if (!strcmp(seen[i], line))
			return;
	if (count < 64)
		strcpy(seen[count++], line);
	puts(line);
	fflush(stdout);
}

/* Reads a link of /proc; returns 0 if the kernel refuses this. */
static int target_of(const char *link, char *target, size_t size)
{
	ssize_t got = readlink(link, target, size - 1);

	target[got < 0 ? 0 : got] = 0;
	return got > 0;
}

static void look_at_descriptors(int pid)
{
	char path[300], target[256];
	struct dirent *entry;
	DIR *all;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	all = opendir(path);
	while (all && (entry = readdir(all))) {
		snprintf(path, sizeof path, "/proc/%d/fd/%.9s", pid, entry->d_name);
		if (atoi(entry->d_name) > 2 && target_of(path, target, sizeof target) && strchr("/a", *target) &&
		    strncmp(target, "/dev/", 5) && strncmp(target, "/proc/", 6))
			report("descriptor", target);
	}
	if (all)
		closedir(all);
}

static void look_at(int pid)
{
	char path[64], target[256];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	if (target_of(path, target, sizeof target) && strncmp(target, "/bin/", 5)) {
		report("program", target);
		fd = open(path, O_WRONLY);
		if (fd >= 0) {
			report("writable", target);
			close(fd);
		}
		snprintf(path, sizeof path, "/proc/%d/mem", pid);
		fd = open(path, O_RDWR);
		if (fd >= 0) {
			report("memory", target);
			close(fd);
		}
		if (ptrace(PTRACE_ATTACH, pid, 0, 0) == 0) {
			report("traced", target);
			waitpid(pid, NULL, __WALL);
			ptrace(PTRACE_DETACH, pid, 0, 0);
		}
	}
	snprintf(path, sizeof path, "/proc/%d/cwd", pid);
	if (target_of(path, target, sizeof target) && strcmp(target, "/"))
		report("directory", target);
	look_at_descriptors(pid);
}

int main(void)
{
	int own = getpid();

	puts("looks");
	fflush(stdout);
	for (;;) {
		struct dirent *entry;
		DIR *all = opendir("/proc");

		while (all && (entry = readdir(all))) {
			int pid = atoi(entry->d_name);

			if (pid > 1 && pid != own)
				look_at(pid);
		}
		if (!all)
			return 1;
		closedir(all);
	}
}
