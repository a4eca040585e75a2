// SPDX-License-Identifier: Apache-2.0
// Ends by SIGSEGV.
int main(void)
{
	*(volatile int *)0 = 1;
	return 0;
}
