/* SPDX-License-Identifier: Apache-2.0 */
/* Holds the programs that the package for Node has beside it: the start of compiled files, and the small `hutch` of contained commands. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"

#define IMAGE(name, file) __asm__(".section .rodata\n.globl " name ", " name "_end\n.hidden " name ", " name "_end\n" \
				  name ":\n	.incbin \"" file "\"\n" name "_end:\n.text\n")

IMAGE("image_inside", HUTCH_BUILD "/bin/hutch");
extern const char image_inside[], image_inside_end[];

/* compiledStart(): returns the bytes that a compiled file begins with */
static JSValue js_compiled_start(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	size_t size;
	const uint8_t *start = compiled_start(&size);

	(void)self;
	(void)argc;
	(void)argv;
	return start ? new_buffer(start, size) : JS_ThrowOutOfMemory(c);
}

/* insideFile(): returns a descriptor of the small program, or -errno */
static JSValue js_inside_file(JSContext *c, JSValueConst self, int argc, JSValueConst *argv)
{
	size_t size = (size_t)(image_inside_end - image_inside);
	int fd = memfd_create("hutch", MFD_CLOEXEC);

	(void)self;
	(void)argc;
	(void)argv;
	if (fd >= 0 && write(fd, image_inside, size) != (ssize_t)size) {
		close(fd);
		errno = ENOSPC;
		fd = -1;
	}
	return JS_NewInt32(c, fd < 0 ? -errno : fd);
}

static const JSCFunctionListEntry list[] = {
	JS_CFUNC_DEF("compiledStart", 0, js_compiled_start), JS_CFUNC_DEF("insideFile", 0, js_inside_file),
};

void host_images(JSValue host)
{
	JS_SetPropertyFunctionList(js, host, list, sizeof list / sizeof *list);
}
