/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants of the kernel's interface that the headers of linux/ lack, or that libc's headers
 * define differently. Their names are the usual ones with the prefix K_. The values are those of
 * 64-bit x86 and ARM.
 */
#ifndef HUTCH_KERNEL_H
#define HUTCH_KERNEL_H

/* mman.h */
#define K_PROT_READ 1
#define K_PROT_WRITE 2
#define K_MAP_PRIVATE 2
#define K_MAP_ANONYMOUS 0x20

/* unistd.h, fcntl.h */
#define K_SEEK_END 2
#define K_X_OK 1
#define K_O_NONBLOCK 04000
#define K_O_TMPFILE 020000000
#define K_AT_EMPTY_PATH 0x1000
#define K_LOCK_SH 1
#define K_LOCK_EX 2
#define K_LOCK_NB 4

/* socket.h, if.h */
#define K_AF_UNIX 1
#define K_AF_INET 2
#define K_SOCK_DGRAM 2
#define K_SOCK_SEQPACKET 5
#define K_SOCK_CLOEXEC 02000000
#define K_MSG_PEEK 2
#define K_MSG_DONTWAIT 0x40
#define K_MSG_NOSIGNAL 0x4000
#define K_MSG_CMSG_CLOEXEC 0x40000000
#define K_SIOCGIFFLAGS 0x8913
#define K_SIOCSIFFLAGS 0x8914

/* wait.h */
#define K_P_ALL 0
#define K_P_PID 1
#define K_P_PIDFD 3
#define K_WNOHANG 1
#define K_WSTOPPED 2
#define K_WEXITED 4
#define K_WNOWAIT 0x01000000
#define K_WALL 0x40000000

/* signal.h, time.h */
#define K_SIG_BLOCK 0
#define K_SIG_SETMASK 2
#define K_SI_USER 0
#define K_SI_KERNEL 0x80
#define K_CLOCK_MONOTONIC 1
#define K_TIMER_ABSTIME 1

/* stat.h */
#define K_S_IFMT 0170000
#define K_S_IFDIR 0040000
#define K_S_IFCHR 0020000
#define K_S_IFBLK 0060000
#define K_S_IFREG 0100000

/* mount.h, statvfs.h, magic.h */
#define K_MS_BIND 0x1000
#define K_MS_PRIVATE 0x40000
#define K_MS_SHARED 0x100000
#define K_MNT_DETACH 2
#define K_ST_NOEXEC 8
#define K_PROC_SUPER_MAGIC 0x9fa0
#define K_MAXSYMLINKS 40
#define K_PROC_USER_INIT_INO 0xEFFFFFFDU

/* resource.h, elf.h, syslog.h */
#define K_RLIMIT_CORE 4
#define K_PT_INTERP 3
#define K_SYSLOG_ACTION_READ_ALL 3
#define K_X32_SYSCALL_BIT 0x40000000u

/* the id that the kernel shows in place of an unmapped one */
#define K_OVERFLOW_ID 65534

/* constants of linux/landlock.h, which may be older than the running kernel */
enum {
	K_LANDLOCK_EXECUTE = 1 << 0,
	K_LANDLOCK_WRITE_FILE = 1 << 1,
	K_LANDLOCK_READ_FILE = 1 << 2,
	K_LANDLOCK_READ_DIR = 1 << 3,
	K_LANDLOCK_REMOVE_DIR = 1 << 4,
	K_LANDLOCK_REMOVE_FILE = 1 << 5,
	K_LANDLOCK_MAKE_CHAR = 1 << 6,
	K_LANDLOCK_MAKE_DIR = 1 << 7,
	K_LANDLOCK_MAKE_REG = 1 << 8,
	K_LANDLOCK_MAKE_SOCK = 1 << 9,
	K_LANDLOCK_MAKE_FIFO = 1 << 10,
	K_LANDLOCK_MAKE_BLOCK = 1 << 11,
	K_LANDLOCK_MAKE_SYM = 1 << 12,
	K_LANDLOCK_REFER = 1 << 13,
	K_LANDLOCK_TRUNCATE = 1 << 14,
	K_LANDLOCK_IOCTL_DEV = 1 << 15,
};

#endif
