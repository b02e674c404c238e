/* SPDX-License-Identifier: MIT */
/* The configuration that this file sees has no idle callbacks, so the inlines have no gate. */
#include <devmap/config.h>
#undef DEVMAP_CONFIG_FS_DAX
#undef DEVMAP_CONFIG_DEVICE_PRIVATE
#undef DEVMAP_CONFIG_DEVICE_PUBLIC
#undef DEVMAP_CONFIG_HMM
#undef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

#include "loops.h"

__attribute__((aligned(64), noinline)) void loop_pairs_ungated(devmap_page **pages, uint64_t nr_pages, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		devmap_get_page(page);
		devmap_put_page(page);
	}
}
