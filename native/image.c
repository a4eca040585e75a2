/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds the image of hutch-init, embedded in the addon and in compiled files. hutch-init is
 * executed from a sealed memfd, so no file of the host or of a container can replace it. A
 * container that reaches it through /proc/self/exe cannot write to it (CVE-2019-5736).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "hutch.h"

__asm__(".section .rodata\n.globl init_image\n.hidden init_image\n.globl init_image_end\n.hidden init_image_end\n"
	"init_image:\n	.incbin \"" HUTCH_INIT_IMAGE "\"\ninit_image_end:\n.text\n");
extern const char init_image[], init_image_end[];

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

/*
 * Returns a descriptor of hutch-init's image: a memfd or, if memfd_create is refused, an unnamed
 * file for one start (lib/older-calls.c).
 */
int init_image_file(void)
{
	return unnamed_file(init_image, (size_t)(init_image_end - init_image), 1);
}

int init_image_memfd(void)
{
	size_t size = (size_t)(init_image_end - init_image);
	long err, fd = sys(__NR_memfd_create, "hutch-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd == -EINVAL)	/* Linux before 6.3 does not know MFD_EXEC */
		fd = sys(__NR_memfd_create, "hutch-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return (int)fd;
	err = write_whole(fd, init_image, size);
	if (err)
		return (int)err;
	/*
	 * Root removes the read permission of the image. The kernel then makes the memory of the
	 * process that executes it belong to the outer user namespace (would_dump in fs/exec.c).
	 * CAP_SYS_PTRACE inside the new user namespace does not reach that memory. Without root the
	 * permission stays: otherwise the caller could not write the id maps through /proc/PID.
	 */
	if (sys(__NR_geteuid) == 0)
		err = sys(__NR_fchmod, fd, 0111);
	if (!err)
		err = sys(__NR_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	if (err < 0) {
		sys(__NR_close, fd);
		return (int)err;
	}
	return (int)fd;
}
