// SPDX-License-Identifier: Apache-2.0
/*
 * Tests the parser of /proc/PID/status with texts that a process can put into the file, and with
 * random changes of a real file.
 */
#include <signal.h>

#include "../lib/proc-status.h"
#include "check.h"

#define REST "Umask:\t0022\nState:\tS\nTgid:\t7\nNSpid:\t7\t3\nThreads:\t1\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n"

static struct process_status parsed(const char *text)
{
	struct process_status status;
	char *copy = strdup(text);	/* no byte follows the copy, so AddressSanitizer finds reads beyond it */

	parse_status(copy, &status);
	free(copy);
	return status;
}

/* An insecure parser as a control: returns the value after the first text that looks like the field. */
static u64 found_anywhere(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

void test_status(void)
{
	static const char forged[] = "Name:\tSigCgt:0 Tgid:1\n" REST "SigCgt:\t0000000040000000\n";
	struct process_status status = parsed(forged);

	CHECK(found_anywhere(forged, "SigCgt:") == 0);
	CHECK(status.complete && status.tgid == 7 && status.caught == 1u << (SIGSYS - 1) && loses_signal(&status, SIGSYS));
	status = parsed("Name:\ta\n" REST "SigCgt:\t0000000000000000\n");
	CHECK(status.complete && !loses_signal(&status, SIGSYS));
	status = parsed("Name:\ta\nNSpid:\t7\t1\n" REST "SigCgt:\t0000000000000000\n");
	CHECK(!loses_signal(&status, SIGSYS));
	status = parsed("Name:\ta\nTgid:\t7\nNSpid:\t7\t1\nSigBlk:\t0\nSigIgn:\t0\nSigCgt:\t0\n");
	CHECK(loses_signal(&status, SIGSYS) && status.first_in_namespace);
	/* if the text is truncated, empty, or lacks a field, the result is unknown */
	status = parsed("Name:\ta\n" REST "SigCgt:\t00000000");
	CHECK(!status.complete && loses_signal(&status, SIGSYS));
	status = parsed("");
	CHECK(!status.complete && status.tgid == 0);
	for (unsigned int round = 0; round < 50000; round++) {
		char text[sizeof forged];
		size_t length = (size_t)rand() % sizeof text;

		memcpy(text, forged, sizeof text);
		for (int flips = rand() % 5; flips > 0; flips--)
			text[(size_t)rand() % (sizeof text - 1)] = "\n\t:0f1\xff""S"[rand() % 8];
		text[length] = 0;
		status = parsed(text);
		done += status.complete;
	}
}
