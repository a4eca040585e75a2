/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../../compiled/compiled.h"
#include "fuzz.h"

/* Records the caller's groups and their limits, as place-groups.c does at a start. */
void note_groups(void)
{
	if (place_count)
		return;
	memcpy(add_place("", "/sys/fs/cgroup/unified")->path, "a/longer/name/than/the/placeholder", 35);
	add_place("memory", "/sys/fs/cgroup/memory");
	add_own_value("cpuset.cpus", "0-3", 0);
	add_outer_limit("/sys/fs/cgroup/above", "pids.max", "19\n");
	add_outer_limit("/sys/fs/cgroup/above", "io.max", "8:0 rbps=1\n8:1 rbps=2\n");
	hold_outer_limits("io pids\n", &(struct text){ .length = 0 });
}
