/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the groups below a group, and the locks that tell whether a group's hutch lives. */
#ifndef HUTCH_GROUPS_H
#define HUTCH_GROUPS_H

#include "../hutch.h"

/* program/tree.c: the groups below a group */

enum walk { WALK_LOOK, WALK_REMOVE, WALK_KILL };
int kill_group(int group);
int walk_groups_below(int top, enum walk mode, u64 until);
void clear_below(const char *path);

/* program/stale.c: groups whose hutch was killed */

int lock_group(const char *path);
int sweep_directory(const char *directory, u64 own_space, u64 until);
long group_holder(const char *path);

#endif
