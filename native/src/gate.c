/* SPDX-License-Identifier: MIT */
#include "internal.h"

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

/* On a cache line of its own, which only holds and their ends write: who reads it nearly always has it. */
__attribute__((aligned(CACHE_LINE))) DEVMAP_DEFINE_STATIC_KEY_FALSE(devmap_managed_key);

/*
 * How many of the key's holds are users'. The key alone is the gate; this only keeps a user's unbalanced put from
 * ending the hold of a map or a claim. Raised after the key and lowered before it, so it never exceeds the holds that
 * it counts.
 */
static __attribute__((aligned(CACHE_LINE))) devmap_static_key user_holds;

int gate_hold(void)
{
	return devmap_static_branch_inc(&devmap_managed_key);
}

void gate_end_hold(void)
{
	(void)!devmap_static_branch_dec(&devmap_managed_key);
}

int devmap_pagemap_get_ops(void)
{
	int result = gate_hold();

	/* Cannot overflow: it is at most the key. */
	if (result == 0)
		result = devmap_static_branch_inc(&user_holds);
	return result;
}

int devmap_pagemap_put_ops(void)
{
	int result = devmap_static_branch_dec(&user_holds);

	if (result == 0)
		gate_end_hold();
	return result;
}

int32_t devmap_pagemap_ops_count(void)
{
	return devmap_static_key_count(&devmap_managed_key);
}

#else

int gate_hold(void)
{
	return -EOPNOTSUPP;
}

void gate_end_hold(void)
{
}

int devmap_pagemap_get_ops(void)
{
	return -EOPNOTSUPP;
}

int devmap_pagemap_put_ops(void)
{
	return -EOPNOTSUPP;
}

int32_t devmap_pagemap_ops_count(void)
{
	return 0;
}

#endif
