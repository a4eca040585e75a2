/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses /proc/PID/status. The process controls the text of the first line (PR_SET_NAME). So only
 * complete lines after the first are parsed, and a field is recognised only at the start of a line.
 * Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "proc-status.h"

enum { TGID = 1, NSPID = 2, BLOCKED = 4, IGNORED = 8, CAUGHT = 16, ALL = 31 };

static int has_key(const char *line, const char *key)
{
	return strncmp(line, key, strlen(key)) == 0;
}

static int read_mask(const char *line, u64 *mask, int bit)
{
	char *end;

	*mask = strtoull(line + 7, &end, 16);
	return *end == '\n' ? bit : 0;
}

void parse_status(const char *text, struct process_status *status)
{
	const char *line = strchr(text, '\n'), *end;
	int found = 0;

	*status = (struct process_status){ 0 };
	/* a line without a newline is truncated and is ignored */
	for (; line && (end = strchr(line + 1, '\n')); line = end) {
		line++;
		if (has_key(line, "Tgid:")) {
			status->tgid = (u32)strtoul(line + 5, NULL, 10);
			found |= status->tgid ? TGID : 0;
		} else if (has_key(line, "NSpid:")) {
			status->first_in_namespace = end - line > 7 && end[-1] == '1' && end[-2] == '\t';
			found |= NSPID;
		} else if (has_key(line, "SigBlk:")) {
			found |= read_mask(line, &status->blocked, BLOCKED);
		} else if (has_key(line, "SigIgn:")) {
			found |= read_mask(line, &status->ignored, IGNORED);
		} else if (has_key(line, "SigCgt:")) {
			found |= read_mask(line, &status->caught, CAUGHT);
		}
	}
	status->complete = found == ALL;
}

int loses_signal(const struct process_status *status, int sig)
{
	/* PID 1 of a pid namespace ignores every signal for which it has no handler */
	return !status->complete || status->first_in_namespace ||
	       (status->blocked | status->ignored | status->caught) >> (sig - 1) & 1;
}
