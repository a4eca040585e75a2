/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares the binary without Node: QuickJS executes hutch's TypeScript, and functions of C take the
 * place of Node's. Its folder is built only by scripts/build/standalone.js.
 */
#ifndef HUTCH_ENGINE_H
#define HUTCH_ENGINE_H

#include <quickjs.h>
#include <stddef.h>
#include <stdint.h>

/* the interpreter's only context; the process has one */
extern JSContext *js;

/* text.c: bytes of JavaScript's strings and buffers */

/* A path, word or text as bytes, with a NUL after the last one. */
struct words {
	char *bytes;
	size_t length;
	char small[256];
};

int words_take(struct words *w, JSValueConst value);
void words_free(struct words *w);
JSValue new_buffer(const void *bytes, size_t length);
JSValue new_latin1(const uint8_t *bytes, size_t length);
JSValue new_utf8(const uint8_t *bytes, size_t length);
/* encodings.c; the numbers are those of src/system/standalone/host.ts */
enum encoding { UTF8, LATIN1, HEX, BASE64 };

JSValue new_hex(const uint8_t *bytes, size_t length);
JSValue new_base64(const uint8_t *bytes, size_t length);
JSValue encode_narrow(JSValueConst text, enum encoding encoding);
uint8_t *bytes_of(JSValueConst value, size_t *length);
int is_bytes(JSValueConst value);
void host_text(JSValue host);

/* files.c, process.c, modules.c: functions of the object `host` */
void host_files(JSValue host);
void host_images(JSValue host);
void host_children(JSValue host);
void host_process(JSValue host);
void host_arguments(int argc, char **argv);

/* inflate.c */
void inflate(const uint8_t *from, uint8_t *to);

/* modules.c */
void prepare_modules(void);
int load_common_modules(void);
const uint8_t *compiled_start(size_t *size);
JSValue load_module(unsigned int index);

/* napi.c: Node-API for native/node */
JSValue load_core(void);
int core_waits(void);
int core_deliver(void);
int core_wake_fd(void);
int core_turn(int *epoll_fd);
void core_close(void);

/* loop.c */
extern int made_call;
void host_loop(JSValue host);
int run_loop(void);
void run_jobs(void);
void call_function(JSValueConst function, int argc, JSValueConst *argv);

/* snapshot.c */
/* a variable of C that is part of the snapshot */
#define KEPT __attribute__((section("kept")))
int snapshot_wanted(void);
int snapshot_open(void);
void snapshot_write(int *argc, char ***argv);
char *snapshot_area(void);
char *packed_area(size_t size);
void write_all(const void *bytes, size_t size);

/* packed.c */
#define PACKED_BLOCK (1u << 16)
void unpack_on_demand(char *start, char *end);
void make_readable(const void *bytes, size_t length);

/* layout.c */
void *layout_take(size_t size);
void layout_give(void *memory);
size_t layout_size(const void *memory);
int layout_turn(void);
void layout_report(void);
char *layout_end(int *argc, char ***argv);

/* memory.c */
extern int memory_refused;
JSRuntime *new_runtime(void);
int reserve_memory(void);
void set_snapshot_memory(const char *start, const char *stop);
void lift_memory_limit(void);

/* main.c */
_Noreturn void end(int status);
_Noreturn void end_by_exception(void);
_Noreturn void end_without_memory(void);

/* what the functions of `host` have in common */
#define FUNCTION(name) static JSValue name(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
#define UNUSED ((void)c, (void)self, (void)argc, (void)argv)
JSValue result(long value);
int number(JSValueConst value);

#endif
