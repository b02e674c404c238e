/* SPDX-License-Identifier: MIT */
#include "internal.h"

extern inline int32_t devmap_static_key_count(const devmap_static_key *key);
extern inline bool devmap_static_key_enabled(const devmap_static_key *key);

/*
 * Every change is one read-modify-write of the one word, so that two changes are always one after the other: there is
 * no moment between "counted" and "enabled" for another thread to fall into. Acquire-release, so that a dec orders what
 * its holder did before what the next holder does.
 */
static int change(devmap_static_key *key, int32_t refused, int error, int32_t difference)
{
	int32_t enabled = atomic_load_explicit(&key->enabled, memory_order_relaxed);

	do {
		if (enabled == refused)
			return error;
	} while (!atomic_compare_exchange_weak_explicit(
		&key->enabled, &enabled, enabled + difference, memory_order_acq_rel, memory_order_relaxed));
	return 0;
}

int devmap_static_branch_inc(devmap_static_key *key)
{
	return change(key, INT32_MAX, -EOVERFLOW, 1);
}

int devmap_static_branch_dec(devmap_static_key *key)
{
	return change(key, 0, -EINVAL, -1);
}

int devmap_static_branch_enable(devmap_static_key *key)
{
	int32_t off = 0;

	atomic_compare_exchange_strong_explicit(&key->enabled, &off, 1, memory_order_acq_rel, memory_order_relaxed);
	return 0;
}

int devmap_static_branch_disable(devmap_static_key *key)
{
	int32_t enabled = 1;

	if (atomic_compare_exchange_strong_explicit(
		    &key->enabled, &enabled, 0, memory_order_acq_rel, memory_order_relaxed))
		return 0;
	return enabled == 0 ? 0 : -EBUSY;
}
