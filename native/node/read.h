/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares how the texts of kernel files are collected for JavaScript. Defined in read.c; also used
 * by follow.c and list-groups.c.
 */
#ifndef HUTCH_READ_H
#define HUTCH_READ_H

#include <stddef.h>

struct output {
	char *bytes;
	size_t length, room;
};

int reserve(struct output *out, size_t size);
long append_text(struct output *out, long fd);
long open_group(const char *directory);
long open_file(long directory, const char *name);
void close_fd(long fd);
napi_value to_buffer(napi_env env, struct output *out, int err);

#endif
