/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libseccomp as a program, for tests: reads a profile by lines, writes its
 * filter to stdout and the names that it does not know to stderr.
 *
 *   default ACTION | arch TOKEN | rule ACTION NAME [INDEX OP FIRST SECOND]…      numbers as strtoull(3) reads them
 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long number(void)
{
	return strtoull(strtok(NULL, " \n"), NULL, 0);
}

int main(void)
{
	static const char *const ops[] = { "", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };
	scmp_filter_ctx filter = NULL;
	char line[4096];

	while (fgets(line, sizeof line, stdin)) {
		const char *word = strtok(line, " \n");

		if (!strcmp(word, "default")) {
			filter = seccomp_init((uint32_t)number());
			if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS))
				return 2;
		} else if (!strcmp(word, "arch")) {
			int err = seccomp_arch_add(filter, (uint32_t)number());

			if (err && err != -17 /* EEXIST */)
				return 3;
		} else if (!strcmp(word, "rule")) {
			uint32_t action = (uint32_t)number();
			const char *name = strtok(NULL, " \n"), *index;
			struct scmp_arg_cmp compare[6];
			unsigned int count = 0;
			int err, call = seccomp_syscall_resolve_name(name);

			if (call == __NR_SCMP_ERROR) {
				fprintf(stderr, "%s\n", name);
				continue;
			}
			while ((index = strtok(NULL, " \n"))) {
				struct scmp_arg_cmp *one = &compare[count++];
				const char *op = strtok(NULL, " \n");

				one->arg = (unsigned int)atoi(index);
				for (one->op = 1; strcmp(ops[one->op], op);)
					one->op++;
				one->datum_a = number();
				one->datum_b = number();
			}
			err = seccomp_rule_add_array(filter, action, call, count, compare);
			if (err) {
				fprintf(stderr, "! %s %d\n", name, err);
				return 4;
			}
		}
	}
	return seccomp_export_bpf(filter, 1) ? 5 : 0;
}
