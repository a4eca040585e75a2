// SPDX-License-Identifier: Apache-2.0
/* Makes the static function that reads a message with a job callable from targets.c. */
#include "../../init/await-job.c"

int report_socket = -1;
int fuzz_take_order(u8 *room);

int fuzz_take_order(u8 *room)
{
	return take_order(room);
}
