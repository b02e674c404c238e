/* SPDX-License-Identifier: MIT */
/* Loops over devmap_get_page() and devmap_put_page(), the header's inlines as C compiles them. */
#ifndef DEVMAP_BENCHMARK_PAIRS_H
#define DEVMAP_BENCHMARK_PAIRS_H

#include <stdint.h>

#include <devmap/page.h>

#ifdef __cplusplus
extern "C" {
#endif

/* @n pairs on one page, compiled with every option on. */
DEVMAP_API void pairs_gated(devmap_page *page, uint64_t n);

/* The same, in the patch's shape of the put: gate, zone, type, and only then the drop. */
DEVMAP_API void pairs_gate_first(devmap_page *page, uint64_t n);

/* The same as pairs_gated(), compiled without DEVMAP_CONFIG_DEV_PAGEMAP_OPS: no gate exists. */
DEVMAP_API void pairs_ungated(devmap_page *page, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
