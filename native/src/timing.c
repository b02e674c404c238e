/* SPDX-License-Identifier: MIT */
/* How long callbacks and layout breaks take. */
#include "internal.h"

struct timing_shard {
	_Alignas(CACHE_LINE) struct {
		_Atomic(uint64_t) sum_ns;
		_Atomic(uint64_t) max_ns;
		_Atomic(uint64_t) buckets[DEVMAP_HISTOGRAM_BUCKETS];
	} timed[NR_TIMED];
};

_Static_assert((DEVMAP_TIMING_PERIOD & (DEVMAP_TIMING_PERIOD - 1)) == 0, "a mask picks one in a power of two");

_Atomic(uint64_t) timing_mask = DEVMAP_TIMING_PERIOD - 1;

static _Atomic(uint64_t) callback_limit = DEVMAP_CALLBACK_LIMIT_NS;
static struct timing_shard timing_shards[NR_SHARDS];

void timing_set_level(int32_t level)
{
	uint64_t mask = DEVMAP_TIMING_PERIOD - 1;

	if (level == DEVMAP_LEVEL_OFF)
		mask = UINT64_MAX;
	if (level == DEVMAP_LEVEL_FULL)
		mask = 0;
	atomic_store(&timing_mask, mask);
}

void devmap_set_callback_limit(uint64_t limit_ns)
{
	atomic_store(&callback_limit, limit_ns);
}

static size_t bucket_of(uint64_t duration_ns)
{
	size_t bits = duration_ns ? 64 - (size_t)__builtin_clzll(duration_ns) : 0;

	return bits < DEVMAP_HISTOGRAM_BUCKETS ? bits : DEVMAP_HISTOGRAM_BUCKETS - 1;
}

static void raise_to(_Atomic(uint64_t) *max, uint64_t value)
{
	uint64_t old = atomic_load_explicit(max, memory_order_relaxed);

	while (old < value && !atomic_compare_exchange_weak_explicit(max, &old, value, memory_order_relaxed,
								     memory_order_relaxed))
		continue;
}

void timing_add(enum timed what, uint32_t shard, uint64_t duration_ns)
{
	/* The count, of which the sum and the longest are told, last: who sees it sees these. */
	raise_to(&timing_shards[shard].timed[what].max_ns, duration_ns);
	shard_add(&timing_shards[shard].timed[what].sum_ns, shard, duration_ns);
	shard_add(&timing_shards[shard].timed[what].buckets[bucket_of(duration_ns)], shard, 1);
}

void timing_read(enum timed what, devmap_histogram *histogram)
{
	*histogram = (devmap_histogram){0};
	for (size_t i = 0; i < NR_SHARDS; i++) {
		uint64_t max_ns;

		for (size_t bucket = 0; bucket < DEVMAP_HISTOGRAM_BUCKETS; bucket++) {
			uint64_t n = atomic_load_explicit(&timing_shards[i].timed[what].buckets[bucket],
							  memory_order_acquire);

			histogram->buckets[bucket] += n;
			histogram->count += n;
		}
		histogram->sum_ns += atomic_load_explicit(&timing_shards[i].timed[what].sum_ns, memory_order_relaxed);
		max_ns = atomic_load_explicit(&timing_shards[i].timed[what].max_ns, memory_order_relaxed);
		if (histogram->max_ns < max_ns)
			histogram->max_ns = max_ns;
	}
}

uint64_t timing_end_callback(uint32_t shard, uint64_t started_ns)
{
	uint64_t duration_ns = (uint64_t)os_now() - started_ns;
	uint64_t limit_ns = atomic_load_explicit(&callback_limit, memory_order_relaxed);

	timing_add(TIMED_CALLBACKS, shard, duration_ns);
	return limit_ns && duration_ns > limit_ns ? duration_ns : 0;
}
