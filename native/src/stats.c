/* SPDX-License-Identifier: MIT */
#include "internal.h"

/* Gauges change rarely, so that one atomic each is enough. */
struct gauge {
	_Atomic(uint64_t) total;
	_Atomic(uint64_t) current;
	_Atomic(uint64_t) peak;
};

struct stat_shard stat_shards[NR_SHARDS];
static struct gauge gauges[NR_STAT_GAUGES];

void stat_gauge_raise(enum stat_gauge gauge)
{
	struct gauge *g = &gauges[gauge];
	uint64_t current = atomic_fetch_add_explicit(&g->current, 1, memory_order_relaxed) + 1;
	uint64_t peak = atomic_load_explicit(&g->peak, memory_order_relaxed);

	atomic_fetch_add_explicit(&g->total, 1, memory_order_relaxed);
	while (peak < current && !atomic_compare_exchange_weak_explicit(
					 &g->peak, &peak, current, memory_order_relaxed, memory_order_relaxed))
		continue;
}

void stat_gauge_lower(enum stat_gauge gauge)
{
	atomic_fetch_sub_explicit(&gauges[gauge].current, 1, memory_order_relaxed);
}

static uint64_t counter_sum(enum stat_counter counter)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < NR_SHARDS; i++)
		sum += atomic_load_explicit(&stat_shards[i].counters[counter], memory_order_relaxed);
	return sum;
}

static devmap_stats_gauge gauge_read(enum stat_gauge gauge)
{
	struct gauge *g = &gauges[gauge];

	return (devmap_stats_gauge){
		.total = atomic_load_explicit(&g->total, memory_order_relaxed),
		.current = atomic_load_explicit(&g->current, memory_order_relaxed),
		.peak = atomic_load_explicit(&g->peak, memory_order_relaxed),
	};
}

int devmap_stats_read(devmap_stats *stats, uint32_t size)
{
	devmap_stats all = {.version = DEVMAP_STATS_VERSION};

	if (!stats || size < offsetof(devmap_stats, gate_holders))
		return -EINVAL;
	all.size = size < sizeof(all) ? size : (uint32_t)sizeof(all);
	all.gate_holders = devmap_pagemap_ops_count();
#define READ_COUNTER(name, text) all.name = counter_sum(STAT_##name);
#define READ_GAUGE(name, text) all.name = gauge_read(STAT_GAUGE_##name);
	DEVMAP_STATS_COUNTERS(READ_COUNTER)
	DEVMAP_STATS_GAUGES(READ_GAUGE)
	/* Counted apart. */
	all.idle_edges += all.idle_edges_managed;
	memcpy(stats, &all, all.size);
	return 0;
}
