// SPDX-License-Identifier: Apache-2.0
// Reads rows of a decision list from stdin, then any number of sets of figures. Prints the kind that each set has. Rows are u32, figures u64.
#include <stdio.h>
#include <stdlib.h>
#include "../../../native/compiled/compiled.h"

int main(void)
{
	u32 count;
	u64 figures[FIGURE_COUNT];

	if (fread(&count, 4, 1, stdin) != 1)
		return 1;
	u32 *rows = malloc(4 * (count + 1));
	if (fread(rows, 4, count, stdin) != count)
		return 1;

	struct numbers list = { count, rows };

	while (fread(figures, sizeof figures, 1, stdin) == 1)
		printf("%u\n", decide_kind(&list, figures).kind);
	free(rows);
	return 0;
}
