/* bus/vcpu_port.c - which vCPU the calling thread runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/vcpu_port.h"

static _Thread_local unsigned current;

void vcpu_set_current(unsigned index)
{
	current = index;
}

unsigned vcpu_current(void)
{
	return current;
}
