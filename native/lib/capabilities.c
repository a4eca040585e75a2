/* SPDX-License-Identifier: Apache-2.0 */
/* Changes capability sets. Called by the child of a clone before its exec, and by the inner ops in init/privilege.c. */
#include <linux/capability.h>
#include <linux/prctl.h>

#include "../hutch.h"

static const struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

long set_capabilities(u64 effective, u64 permitted, u64 inheritable)
{
	struct __user_cap_data_struct data[2] = {
		{ (u32)effective, (u32)permitted, (u32)inheritable },
		{ (u32)(effective >> 32), (u32)(permitted >> 32), (u32)(inheritable >> 32) },
	};

	return sys(__NR_capset, &header, data);
}

long raise_ambient(u64 wanted)
{
	long err = 0;

	for (unsigned int number = 0; !err && number < 64; number++)
		if (wanted >> number & 1)
			err = sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0);
	return err;
}

/*
 * Raises those permitted capabilities that are wanted to ambient ones. The first process of a new user namespace has
 * all capabilities, but an exec would drop them: no id is mapped to root yet. Ambient capabilities
 * survive the exec. The op setCapabilities drops them again.
 */
long raise_to_ambient(u64 wanted)
{
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 } };
	u64 permitted;
	long err = sys(__NR_capget, &header, data);

	if (err)
		return err;
	permitted = (u64)data[1].permitted << 32 | data[0].permitted;
	err = set_capabilities(permitted, permitted, permitted);
	return err ? err : raise_ambient(permitted & wanted);
}
