/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hutch-init travels inside the addon and is exec'd from a sealed memfd: no
 * file of the host or of a container can stand in for it, and a container that
 * reaches it through /proc/self/exe cannot write to it (CVE-2019-5736).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <unistd.h>

#include "job.h"

__asm__(".section .rodata\n.globl init_image\n.hidden init_image\n.globl init_image_end\n.hidden init_image_end\n"
	"init_image:\n	.incbin \"" HUTCH_INIT_IMAGE "\"\ninit_image_end:\n.text\n");
extern const char init_image[], init_image_end[];

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

int init_image_memfd(void)
{
	size_t size = (size_t)(init_image_end - init_image);
	long fd = sys(__NR_memfd_create, "hutch-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd == -EINVAL)	/* before Linux 6.3 there is no MFD_EXEC */
		fd = sys(__NR_memfd_create, "hutch-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return (int)fd;
	if (write((int)fd, init_image, size) != (ssize_t)size ||
	    fcntl((int)fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		int err = -errno;

		close((int)fd);
		return err;
	}
	return (int)fd;
}
