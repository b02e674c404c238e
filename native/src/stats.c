/* SPDX-License-Identifier: MIT */
#include "internal.h"

/* Counters are sharded by thread and summed when read. Gauges change rarely, so that one atomic each is enough. */
struct stat_shard {
	_Alignas(CACHE_LINE) _Atomic(uint64_t) counters[NR_STAT_COUNTERS];
};

struct gauge {
	_Atomic(uint64_t) total;
	_Atomic(uint64_t) current;
	_Atomic(uint64_t) peak;
};

static struct stat_shard shards[NR_SHARDS];
static struct gauge gauges[NR_STAT_GAUGES];

uint32_t this_shard(void)
{
	static _Atomic(uint32_t) next;
	/* Shard plus one; 0 = none yet. Threads take shards in turn. */
	static _Thread_local uint32_t mine __attribute__((tls_model("initial-exec")));

	if (devmap_unlikely(mine == 0))
		mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % NR_SHARDS + 1;
	return mine - 1;
}

void stat_add(enum stat_counter counter, uint64_t n)
{
	atomic_fetch_add_explicit(&shards[this_shard()].counters[counter], n, memory_order_relaxed);
}

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
		sum += atomic_load_explicit(&shards[i].counters[counter], memory_order_relaxed);
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
	memcpy(stats, &all, all.size);
	return 0;
}
