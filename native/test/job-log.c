// SPDX-License-Identifier: Apache-2.0
/* Tests the parsing of the kernel log, and the levels of groups, in compiled files. */
#include <unistd.h>

#include "../compiled/compiled.h"
#include "check.h"

#define GROUP "hutch-1-2-3-0"
#define KILL "6,339,514,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
#define VICTIM ",task=sh,pid=7,uid=0\n"
#define FORK "6,340,515,-;cgroup: fork rejected by pids controller in "

/* Copies a text to the heap with nothing after it, so that AddressSanitizer finds reads beyond the end. */
static char *exact(const char *text)
{
	char *copy = malloc(strlen(text) + 1);

	memcpy(copy, text, strlen(text) + 1);
	return copy;
}

/* For the last record: levels between the job's group and the group with the limit. */
static u32 up;

static enum kill_level level_of(const char *record)
{
	char *copy = exact(record);
	static struct logged_kill kill;

	kill.level = LEVEL_UNKNOWN;
	take_kill(copy, GROUP, &kill);
	free(copy);
	up = kill.up;
	return kill.level;
}

static int tells(const char *record)
{
	char *copy = exact(record);
	int found = tells_refused_fork(copy, GROUP);

	free(copy);
	return found;
}

static void test_kills(void)
{
	CHECK(level_of(KILL "oom_memcg=/a/" GROUP ",task_memcg=/a/" GROUP VICTIM) == LEVEL_OWN);
	CHECK(level_of(KILL "oom_memcg=/a,task_memcg=/a/" GROUP VICTIM) == LEVEL_ABOVE && up == 1);
	CHECK(level_of(KILL "oom_memcg=/a,task_memcg=/a/b/" GROUP "/c" VICTIM) == LEVEL_ABOVE && up == 2);
	CHECK(level_of(KILL "oom_memcg=/,task_memcg=/a/" GROUP VICTIM) == LEVEL_ABOVE && up == 2);
	CHECK(level_of(KILL "oom_memcg=/a/" GROUP "/b,task_memcg=/a/" GROUP "/b" VICTIM) == LEVEL_BELOW);
	CHECK(level_of(KILL "global_oom,task_memcg=/a/" GROUP VICTIM) == LEVEL_HOST);
	/*
	 * a record about another group counts as unknown, also if its name begins or ends like that
	 * of the job's group
	 */
	CHECK(level_of(KILL "oom_memcg=/a,task_memcg=/a/b" VICTIM) == LEVEL_UNKNOWN);
	CHECK(level_of(KILL "oom_memcg=/a,task_memcg=/a/" GROUP "0" VICTIM) == LEVEL_UNKNOWN);
	CHECK(level_of(KILL "oom_memcg=/a,task_memcg=/a/x" GROUP VICTIM) == LEVEL_UNKNOWN);
	/* a record is not trusted if a process wrote it, or if a process name imitates a field */
	CHECK(level_of("14" KILL "oom_memcg=/a/" GROUP ",task_memcg=/a/" GROUP VICTIM) == LEVEL_UNKNOWN);
	CHECK(level_of(KILL "oom_memcg=/a,task_memcg=/a/b,task=,task_memcg=/" GROUP VICTIM) == LEVEL_UNKNOWN);
	CHECK(level_of(KILL "oom_memcg=/a,oom_memcg=/,task_memcg=/a/" GROUP VICTIM) == LEVEL_UNKNOWN);
	/* a record that is truncated at any length counts as unknown */
	for (size_t length = 0; length < sizeof KILL; length++) {
		char *copy = exact(KILL);

		copy[length < sizeof KILL - 1 ? length : sizeof KILL - 1] = 0;
		CHECK(level_of(copy) == LEVEL_UNKNOWN);
		free(copy);
	}
}

static void test_refused_forks(void)
{
	CHECK(tells(FORK "/a/" GROUP "\n"));
	CHECK(tells(FORK "/" GROUP "/b\n"));
	CHECK(!tells(FORK "/a\n"));
	CHECK(!tells(FORK "/a/" GROUP "0\n"));
	CHECK(!tells(FORK "/a\n /" GROUP "\n"));
	CHECK(!tells("1" FORK "/a/" GROUP "\n"));
	CHECK(!tells("6,340,515,-;it said: cgroup: fork rejected by pids controller in /" GROUP "\n"));
	for (size_t length = 0; length <= sizeof FORK; length++) {
		char *copy = exact(FORK "/");

		copy[length] = 0;
		CHECK(!tells(copy));
		free(copy);
	}
}

static void write_in(const char *directory, const char *group, const char *file, const char *text)
{
	char path[4200];
	FILE *f;

	snprintf(path, sizeof path, "%s%s", directory, group);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s%s/%s", directory, group, file);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static struct refused_forks found_in(const char *path, size_t length, u64 denied, struct task_limit own)
{
	struct counts c = { .denied = denied, .tasks = own, .pids_group = path, .pids_length = length };
	struct refused_forks out;

	find_refused_forks(&c, GROUP, 1, &out);
	return out;
}

/* Tests which group refused forks, from files as on v1, and on v2 before Linux 6.11. */
static void test_levels(const char *directory)
{
	const struct task_limit reached = { 4, 4, 1, 1 }, free = { 9, 2, 1, 1 }, none = { 0, 2, 0, 1 };
	char path[4096];
	size_t length;

	write_in(directory, "/forks", "pids.max", "5\n");
	write_in(directory, "/forks", "pids.peak", "5\n");
	write_in(directory, "/forks/odd \033name", "pids.max", "max\n");
	snprintf(path, sizeof path, "%s/forks/odd \033name/" GROUP "/pids.events", directory);
	length = strlen(path) - strlen("/pids.events");
	CHECK(found_in(path, length, 2, reached).level == FORKS_OWN);
	CHECK(found_in(path, length, 2, free).level == FORKS_ABOVE);
	CHECK(found_in(path, length, 2, none).max == 5);
	CHECK(strstr(found_in(path, length, 2, none).group.bytes, "/forks") != NULL);
	CHECK(found_in(path, length, 0, none).count == 0);
	/* of several full groups, the nearest one is named */
	write_in(directory, "/forks/odd \033name", "pids.max", "3\n");
	write_in(directory, "/forks/odd \033name", "pids.peak", "3\n");
	CHECK(found_in(path, length, 2, none).max == 3);
	CHECK(strchr(found_in(path, length, 2, none).group.bytes, '\033') == NULL);
	CHECK(strstr(found_in(path, length, 2, none).group.bytes, "/odd \\x1bname\"") != NULL);
	/* no group was full */
	write_in(directory, "/forks/odd \033name", "pids.peak", "2\n");
	write_in(directory, "/forks", "pids.peak", "4\n");
	CHECK(found_in(path, length, 2, none).level == FORKS_UNKNOWN);
	/* since Linux 6.11, a group counts the forks that its own limit refused */
	write_in(directory, "/forks/odd \033name", "pids.events.local", "max 0\n");
	CHECK(found_in(path, length, 2, none).level == FORKS_OWN);
}

void test_job_log(const char *directory)
{
	test_kills();
	test_refused_forks();
	test_levels(directory);
}
