/* app/main.c - which program were we called as, and what is to be done.
 * SPDX-License-Identifier: MIT
 */
int main(void)
{
	return 0;
}
