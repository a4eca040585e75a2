/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the terminal of a container's command: a pseudoterminal of the container's own devpts. Its
 * master is sent to a socket, and no other process has it.
 */
#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <linux/uio.h>

#include "../hutch.h"
#include "../lib/message.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX_MAJOR 5
#define PTMX_MINOR 2

struct window_size {
	u16 rows, columns, unused[2];
};

/* Opens a path of the container without following a symbolic link, which its image could contain. */
static long open_plain(const char *path, u64 flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };

	return sys(__NR_openat2, AT_FDCWD, path, &how, sizeof how);
}

/* Opens the multiplexer, which must be that of a devpts: another file could be anything (CVE-2025-52565). */
static long open_master(void)
{
	struct { long type, other[15]; } mount = { 0 };
	struct statx found;
	long fd = open_plain("/dev/pts/ptmx", O_RDWR | O_NOCTTY), err;

	if (fd < 0)
		return fd;
	err = sys(__NR_fstatfs, fd, &mount);
	if (!err)
		err = sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &found);
	if (!err && (mount.type != DEVPTS_MAGIC || (found.stx_mode & K_S_IFMT) != K_S_IFCHR ||
		     found.stx_rdev_major != PTMX_MAJOR || found.stx_rdev_minor != PTMX_MINOR))
		err = -ENODEV;
	if (!err)
		return fd;
	sys(__NR_close, fd);
	return err;
}

/* Opens /dev/console as a mount point, and creates the file if it is missing. It must not be a link. */
static long open_console(void)
{
	long directory = open_plain("/dev", O_PATH | O_DIRECTORY), fd, err;
	struct statx found;

	if (directory < 0)
		return directory;
	err = sys(__NR_mknodat, directory, "console", K_S_IFREG | 0600, 0);
	fd = err && err != -EEXIST ? err : sys(__NR_openat, directory, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	sys(__NR_close, directory);
	if (fd < 0)
		return fd;
	err = sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &found);
	if (!err && (found.stx_mode & K_S_IFMT) != K_S_IFREG && (found.stx_mode & K_S_IFMT) != K_S_IFCHR)
		err = -ELOOP;
	if (!err)
		return fd;
	sys(__NR_close, fd);
	return err;
}

static long bind_console(long slave)
{
	long tree = sys(__NR_open_tree, slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH), target, err;

	if (tree < 0)
		return tree;
	target = open_console();
	err = target < 0 ? target
			 : sys(__NR_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	sys(__NR_close, tree);
	if (target >= 0)
		sys(__NR_close, target);
	return err;
}

/* Sends the master, with the name of the terminal as data. */
static long send_master(u32 socket, long master, u32 number)
{
	struct descriptor_message message;
	char name[32];

	make_message(&message, (int)master);
	message.piece.length = (size_t)(add_decimal(add_text(name, "/dev/pts/"), number) - name);
	message.piece.base = name;
	return sys(__NR_sendmsg, socket, &message.header, K_MSG_NOSIGNAL);
}

/* Makes the slave the terminal of this session and its standard streams. */
static long take_terminal(long slave)
{
	long err = sys(__NR_ioctl, slave, TIOCSCTTY, 0);

	for (int fd = 0; err >= 0 && fd < STANDARD_STREAMS; fd++)
		err = sys(__NR_dup3, slave, fd, 0);
	return err;
}

static long set_up(long master, const struct window_size *size, u32 uid, u32 binds, u32 socket)
{
	long slave, err = sys(__NR_ioctl, master, TIOCSPTLCK, &(int){ 0 });
	u32 number = 0;

	if (!err)
		err = sys(__NR_ioctl, master, TIOCGPTN, &number);
	if (!err && (size->rows || size->columns))
		err = sys(__NR_ioctl, master, TIOCSWINSZ, size);
	if (err)
		return err;
	slave = sys(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return slave;
	/* the group stays that of the devpts, which is usually tty */
	err = sys(__NR_fchown, slave, uid, -1);
	if (!err && binds)
		err = in_part(PART_ATTACH, bind_console(slave));
	if (!err)
		err = take_terminal(slave);
	if (err >= 0)
		err = in_part(PART_TARGET, send_master(socket, master, number));
	sys(__NR_close, slave);
	return err;
}

/* Opens the terminal. `binds`: it also becomes /dev/console. Nothing but the standard streams stays open. */
int op_open_terminal(struct cursor *c)
{
	u32 socket = take_u32(c), binds, uid;
	struct window_size size = { 0 };
	long master, err;
	int inside;

	size.rows = (u16)take_u32(c);
	size.columns = (u16)take_u32(c);
	uid = take_u32(c);
	binds = take_u32(c);
	err = finished(c);
	if (err)
		return (int)err;
	inside = begin_inside();
	master = open_master();
	err = master < 0 ? in_part(PART_SOURCE, master) : set_up(master, &size, uid, binds, socket);
	end_inside(inside);
	if (master >= 0)
		sys(__NR_close, master);
	sys(__NR_close, socket);
	return err < 0 ? (int)err : 0;
}
