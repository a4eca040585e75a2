/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of files, directories and links for src/system/standalone/files.ts. Each returns its
 * result, or -errno; NUL_IN_PATH for a path that contains NUL.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine.h"

#define NUL_IN_PATH (-100000)
#define READ_AT_ONCE 65536

enum path_call { ACCESS, MKDIR, RMDIR, UNLINK, CHMOD, CHOWN };
enum pair_call { RENAME, LINK, SYMLINK };

static int has_nul(const struct words *w)
{
	return memchr(w->bytes, 0, w->length) != NULL;
}

static long call_path(enum path_call call, const char *path, int first, int second)
{
	switch (call) {
	case ACCESS: return access(path, first);
	case MKDIR: return mkdir(path, (mode_t)first);
	case RMDIR: return rmdir(path);
	case UNLINK: return unlink(path);
	case CHMOD: return chmod(path, (mode_t)first);
	case CHOWN: return chown(path, (uid_t)first, (gid_t)second);
	}
	return -1;
}

static JSValue js_path(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int call)
{
	struct words path;
	JSValue out;

	UNUSED;
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	out = has_nul(&path) ? JS_NewInt32(c, NUL_IN_PATH)
			     : result(call_path((enum path_call)call, path.bytes, argc > 1 ? number(argv[1]) : 0, argc > 2 ? number(argv[2]) : 0));
	words_free(&path);
	return out;
}

static JSValue js_pair(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int call)
{
	struct words from, to;
	JSValue out;

	UNUSED;
	if (words_take(&from, argv[0]))
		return JS_EXCEPTION;
	if (words_take(&to, argv[1])) {
		words_free(&from);
		return JS_EXCEPTION;
	}
	out = has_nul(&from) || has_nul(&to) ? JS_NewInt32(c, NUL_IN_PATH)
	    : result(call == RENAME ? rename(from.bytes, to.bytes) : call == LINK ? link(from.bytes, to.bytes) : symlink(from.bytes, to.bytes));
	words_free(&from);
	words_free(&to);
	return out;
}

/* open(path, flags, mode) */
FUNCTION(js_open)
{
	struct words path;
	JSValue out;

	UNUSED;
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	out = has_nul(&path) ? JS_NewInt32(c, NUL_IN_PATH) : result(open(path.bytes, number(argv[1]) | O_CLOEXEC, number(argv[2])));
	words_free(&path);
	return out;
}

FUNCTION(js_close)
{
	(void)c;
	UNUSED;
	return result(close(number(argv[0])));
}

FUNCTION(js_fchmod)
{
	(void)c;
	UNUSED;
	return result(fchmod(number(argv[0]), (mode_t)number(argv[1])));
}

FUNCTION(js_ftruncate)
{
	int64_t length = 0;

	UNUSED;
	JS_ToInt64(c, &length, argv[1]);
	return result(ftruncate(number(argv[0]), length));
}

/* transfer(fd, bytes, offset, length, position): reads or writes; the position -1 is the current one */
static JSValue js_transfer(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int writes)
{
	int64_t offset = 0, length = 0, position = -1;
	size_t size;
	uint8_t *bytes = bytes_of(argv[1], &size);
	int fd = number(argv[0]);

	UNUSED;
	if ((!bytes && size) || JS_ToInt64(c, &offset, argv[2]) || JS_ToInt64(c, &length, argv[3]) || JS_ToInt64(c, &position, argv[4]))
		return JS_EXCEPTION;
	if (offset < 0 || length < 0 || (uint64_t)offset > size || (uint64_t)length > size - (uint64_t)offset)
		return JS_NewInt32(c, -EINVAL);
	bytes += offset;
	if (writes)
		return result(position < 0 ? write(fd, bytes, (size_t)length) : pwrite(fd, bytes, (size_t)length, position));
	return result(position < 0 ? read(fd, bytes, (size_t)length) : pread(fd, bytes, (size_t)length, position));
}

static JSValue decoded(const char *bytes, size_t length, int encoding)
{
	return encoding == 1 ? new_utf8((const uint8_t *)bytes, length)
	     : encoding == 2 ? new_latin1((const uint8_t *)bytes, length) : new_buffer(bytes, length);
}

static JSValue read_rest(int fd, int encoding, int64_t most)
{
	static char once[READ_AT_ONCE];
	char *bytes = once, *larger;
	size_t length = 0, room = sizeof once;
	ssize_t got;
	JSValue out;

	while ((got = read(fd, bytes + length, room - length)) > 0) {
		length += (size_t)got;
		if (most && (int64_t)length > most) {
			got = -1;
			errno = EFBIG;
			break;
		}
		if (length < room)
			continue;
		larger = realloc(bytes == once ? NULL : bytes, room * 2);
		if (!larger) {
			got = -1;
			errno = ENOMEM;
			break;
		}
		if (bytes == once)
			memcpy(larger, once, length);
		bytes = larger;
		room *= 2;
	}
	out = got < 0 ? result(-1) : decoded(bytes, length, encoding);
	if (bytes != once)
		free(bytes);
	return out;
}

/* readFile(path or descriptor, encoding, most): encoding 0: bytes, 1: UTF-8, 2: Latin-1 */
FUNCTION(js_read_file)
{
	int64_t most = 0;
	struct words path;
	JSValue out;
	int fd;

	UNUSED;
	JS_ToInt64(c, &most, argv[2]);
	if (JS_IsNumber(argv[0]))
		return read_rest(number(argv[0]), number(argv[1]), most);
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	if (has_nul(&path)) {
		out = JS_NewInt32(c, NUL_IN_PATH);
	} else {
		fd = open(path.bytes, O_RDONLY | O_CLOEXEC);
		out = fd < 0 ? result(-1) : read_rest(fd, number(argv[1]), most);
		if (fd >= 0)
			close(fd);
	}
	words_free(&path);
	return out;
}

static double ms_of(struct timespec time)
{
	return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

/* stat(path or descriptor, follows): returns [mode, uid, gid, dev, rdev, ino, size, nlink, mtimeMs, ctimeMs, blocks, atimeMs] */
FUNCTION(js_stat)
{
	struct words path = { .bytes = NULL };
	struct stat s;
	JSValue out, fields[12];
	long err;

	UNUSED;
	if (JS_IsNumber(argv[0])) {
		err = fstat(number(argv[0]), &s);
	} else {
		if (words_take(&path, argv[0]))
			return JS_EXCEPTION;
		if (has_nul(&path)) {
			words_free(&path);
			return JS_NewInt32(c, NUL_IN_PATH);
		}
		err = JS_ToBool(c, argv[1]) ? stat(path.bytes, &s) : lstat(path.bytes, &s);
	}
	out = err < 0 ? result(-1) : JS_UNDEFINED;
	if (path.bytes)
		words_free(&path);
	if (err < 0)
		return out;
	double numbers[12] = { s.st_mode, s.st_uid, s.st_gid, (double)s.st_dev, (double)s.st_rdev, (double)s.st_ino, (double)s.st_size,
			       (double)s.st_nlink, ms_of(s.st_mtim), ms_of(s.st_ctim), (double)s.st_blocks, ms_of(s.st_atim) };
	for (int i = 0; i < 12; i++)
		fields[i] = JS_NewNumber(c, numbers[i]);
	return JS_NewArrayFrom(c, 12, fields);
}

/* readlink(path, encoding), realpath(path) */
static JSValue js_link_target(JSContext *c, JSValueConst self, int argc, JSValueConst *argv, int real)
{
	char target[4097];
	struct words path;
	ssize_t got;
	JSValue out;

	UNUSED;
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	if (has_nul(&path)) {
		out = JS_NewInt32(c, NUL_IN_PATH);
	} else {
		got = real ? (realpath(path.bytes, target) ? (ssize_t)strlen(target) : -1) : readlink(path.bytes, target, sizeof target - 1);
		out = got < 0 ? result(-1) : decoded(target, (size_t)got, number(argv[1]));
	}
	words_free(&path);
	return out;
}

/* readdir(path, encoding, types): returns the names, or with types [name, type, name, type, …] */
FUNCTION(js_readdir)
{
	int encoding = number(argv[1]), types = JS_ToBool(c, argv[2]);
	struct words path;
	struct dirent *entry;
	uint32_t count = 0;
	JSValue out;
	DIR *d;

	UNUSED;
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	d = has_nul(&path) ? NULL : opendir(path.bytes);
	out = d ? JS_NewArray(c) : has_nul(&path) ? JS_NewInt32(c, NUL_IN_PATH) : result(-1);
	words_free(&path);
	if (!d)
		return out;
	errno = 0;
	while ((entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		JS_SetPropertyUint32(c, out, count++, decoded(entry->d_name, strlen(entry->d_name), encoding));
		if (types)
			JS_SetPropertyUint32(c, out, count++, JS_NewInt32(c, entry->d_type));
		errno = 0;
	}
	if (errno) {
		JS_FreeValue(c, out);
		out = result(-1);
	}
	closedir(d);
	return out;
}

/* mkdtemp(prefix): returns the path of the new directory */
FUNCTION(js_mkdtemp)
{
	struct words prefix;
	char path[4096];
	JSValue out;

	UNUSED;
	if (words_take(&prefix, argv[0]))
		return JS_EXCEPTION;
	if (prefix.length + 7 > sizeof path || has_nul(&prefix)) {
		errno = ENAMETOOLONG;
		out = result(-1);
	} else {
		snprintf(path, sizeof path, "%sXXXXXX", prefix.bytes);
		out = mkdtemp(path) ? new_utf8((const uint8_t *)path, strlen(path)) : result(-1);
	}
	words_free(&prefix);
	return out;
}

/* statfs(path): returns [type, bsize, blocks, bfree, bavail, files, ffree] */
FUNCTION(js_statfs)
{
	struct words path;
	struct statfs s;
	JSValue out, fields[7];
	int err;

	UNUSED;
	if (words_take(&path, argv[0]))
		return JS_EXCEPTION;
	err = has_nul(&path) ? (errno = EINVAL, -1) : statfs(path.bytes, &s);
	out = err ? result(-1) : JS_UNDEFINED;
	words_free(&path);
	if (err)
		return out;
	double numbers[7] = { (double)s.f_type, (double)s.f_bsize, (double)s.f_blocks, (double)s.f_bfree, (double)s.f_bavail, (double)s.f_files,
			      (double)s.f_ffree };
	for (int i = 0; i < 7; i++)
		fields[i] = JS_NewNumber(c, numbers[i]);
	return JS_NewArrayFrom(c, 7, fields);
}

static const JSCFunctionListEntry list[] = {
	JS_CFUNC_MAGIC_DEF("access", 2, js_path, ACCESS), JS_CFUNC_MAGIC_DEF("mkdir", 2, js_path, MKDIR),
	JS_CFUNC_MAGIC_DEF("rmdir", 1, js_path, RMDIR), JS_CFUNC_MAGIC_DEF("unlink", 1, js_path, UNLINK),
	JS_CFUNC_MAGIC_DEF("chmod", 2, js_path, CHMOD), JS_CFUNC_MAGIC_DEF("chown", 3, js_path, CHOWN),
	JS_CFUNC_MAGIC_DEF("rename", 2, js_pair, RENAME), JS_CFUNC_MAGIC_DEF("link", 2, js_pair, LINK),
	JS_CFUNC_MAGIC_DEF("symlink", 2, js_pair, SYMLINK), JS_CFUNC_DEF("open", 3, js_open), JS_CFUNC_DEF("close", 1, js_close),
	JS_CFUNC_DEF("fchmod", 2, js_fchmod), JS_CFUNC_DEF("ftruncate", 2, js_ftruncate),
	JS_CFUNC_MAGIC_DEF("read", 5, js_transfer, 0), JS_CFUNC_MAGIC_DEF("write", 5, js_transfer, 1),
	JS_CFUNC_DEF("readFile", 3, js_read_file), JS_CFUNC_DEF("stat", 2, js_stat), JS_CFUNC_MAGIC_DEF("readlink", 2, js_link_target, 0),
	JS_CFUNC_MAGIC_DEF("realpath", 2, js_link_target, 1), JS_CFUNC_DEF("readdir", 3, js_readdir), JS_CFUNC_DEF("mkdtemp", 1, js_mkdtemp),
	JS_CFUNC_DEF("statfs", 1, js_statfs),
};

void host_files(JSValue host)
{
	JS_SetPropertyFunctionList(js, host, list, sizeof list / sizeof *list);
}
