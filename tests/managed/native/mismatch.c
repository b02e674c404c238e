/* SPDX-License-Identifier: MIT */
/* A libdevmap of another binary interface: it has a version, and nothing else that could be called. */
#include <devmap/base.h>

uint32_t devmap_abi_version(void)
{
	return DEVMAP_ABI_VERSION + 1;
}
