/* SPDX-License-Identifier: MIT */
/* The configuration that this file sees has no idle callbacks, so the inlines have no gate. */
#include <devmap/config.h>
#undef DEVMAP_CONFIG_FS_DAX
#undef DEVMAP_CONFIG_DEVICE_PRIVATE
#undef DEVMAP_CONFIG_DEVICE_PUBLIC
#undef DEVMAP_CONFIG_HMM
#undef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

#include "pairs.h"

__attribute__((aligned(64))) void pairs_ungated(devmap_page *page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_get_page(page);
		devmap_put_page(page);
	}
}
