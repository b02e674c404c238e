/* SPDX-License-Identifier: MIT */
#include "pairs.h"

/* Aligned, so that where the linker puts a loop does not decide a comparison. */
__attribute__((aligned(64))) void pairs_gated(devmap_page *page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_get_page(page);
		devmap_put_page(page);
	}
}

__attribute__((aligned(64))) void pairs_gate_first(devmap_page *page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_get_page(page);
		if (!devmap_put_managed_page(page))
			devmap_put_page(page);
	}
}
