// SPDX-License-Identifier: Apache-2.0
/* Makes the static function that reads a message with a job callable from targets.c. */
#include "../../init/await-job.c"

int report_socket = -1;
u32 stream_count = STANDARD_STREAMS;
int fuzz_take_order(u8 *room);
int count_open(int first, int end);

/* The process under test holds no file systems. */
int move_spaces(u32 streams)
{
	(void)streams;
	return 0;
}

int fuzz_take_order(u8 *room)
{
	stream_count = STANDARD_STREAMS;
	return take_order(room);
}

/* Counts the open descriptors from `first` to before `end`. */
int count_open(int first, int end)
{
	int count = 0;

	for (int fd = first; fd < end; fd++)
		count += sys(__NR_fcntl, fd, F_GETFD) >= 0;
	return count;
}
