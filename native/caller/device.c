/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits the devices of a v2 group. v2 has no file for them: the kernel asks a BPF program at each
 * open and mknod (cgroup-v2.rst, "Device controller"). The program is removed with the group.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"

/*
 * Attaches the program in addition to those of the groups above: a device access must be allowed by
 * all programs.
 */
static long attach_program(int group, long program)
{
	union bpf_attr attr = {
		.target_fd = (u32)group,
		.attach_bpf_fd = (u32)program,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	return sys(__NR_bpf, BPF_PROG_ATTACH, &attr, sizeof attr);
}

int op_attach_device_filter(struct outer *o, struct cursor *c)
{
	const char *path = take_string(c);
	struct numbers words = take_numbers(c);
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (u64)(uintptr_t)words.first,
		.insn_cnt = words.count / 2,
		.license = (u64)(uintptr_t)"Apache-2.0",
	};
	long group, program, err = finished(c);

	(void)o;
	if (err)
		return (int)err;
	group = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (group < 0)
		return (int)group;
	program = sys(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
	err = program < 0 ? program : attach_program((int)group, program);
	if (program >= 0)
		sys(__NR_close, program);
	sys(__NR_close, group);
	return (int)err;
}
