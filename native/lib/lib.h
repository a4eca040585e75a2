/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the shared functions of lib/, under the name of the file that defines them. */
#ifndef HUTCH_LIB_H
#define HUTCH_LIB_H

#include "message.h"

/* lib/clock.c: the monotonic clock */

u64 now_ms(void);
void sleep_ms(unsigned int ms);

/* lib/capabilities.c: sets of capabilities */

long set_capabilities(u64 effective, u64 permitted, u64 inheritable);
long raise_ambient(u64 wanted);
long raise_to_ambient(u64 wanted);

/* lib/file.c: small kernel files */

size_t text_length(const char *s);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int write_text(const char *path, const char *text);
long read_text(const char *path, char *buffer, size_t size);
char *add_text(char *at, const char *text);
char *add_decimal(char *at, u64 number);

/* lib/signal-listed.c: sends signals to the processes of a group */

long signal_listed(const char *procs, int sig, int except, int *count);
long signal_listed_in(int base, const char *procs, int sig, int except, int *count);

/* lib/call-name.c: names of system calls, for errors */
const char *call_name(u32 number);

/* lib/older-calls.c: older calls used when a kernel or filter refuses the newer ones */
struct rusage;
char *descriptor_path(char *at, int fd);
long close_on_exec_from(int first);
long exec_descriptor(int fd, const char *const *argv, const char *const *env);
long signal_child(int pid, int pidfd, int sig);
long send_request(int pid, int pidfd, int value);
int reap_child(int pid, int pidfd, int *status, struct rusage *usage);
long receive(int fd, void *bytes, size_t size, int flags);
long transmit(int fd, const void *bytes, size_t size, int flags);
long remove_directory(int at_fd, const char *path);
int write_whole(long fd, const void *bytes, size_t size);
int unnamed_file(const void *bytes, size_t size, int runs);
int program_file(const void *bytes, size_t size);

#endif
