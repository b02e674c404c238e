/* SPDX-License-Identifier: MIT */
/* What migrate.h has in a library without DEVMAP_CONFIG_HMM. */
#include "internal.h"

#ifndef DEVMAP_CONFIG_HMM

int devmap_hmm_range_add(const devmap_hmm_range_config *config, devmap_hmm_range **range)
{
	(void)config;
	(void)range;
	return -EOPNOTSUPP;
}

int devmap_hmm_range_remove(devmap_hmm_range *range, int64_t timeout_ns, const devmap_cancel *cancel,
	devmap_busy_report *busy)
{
	(void)range;
	(void)timeout_ns;
	(void)cancel;
	(void)busy;
	return -EOPNOTSUPP;
}

int devmap_hmm_range_resume(devmap_hmm_range *range)
{
	(void)range;
	return -EOPNOTSUPP;
}

int devmap_hmm_range_free(devmap_hmm_range *range)
{
	(void)range;
	return -EOPNOTSUPP;
}

devmap_pagemap *devmap_hmm_range_pagemap(const devmap_hmm_range *range)
{
	(void)range;
	return NULL;
}

void *devmap_hmm_range_address(const devmap_hmm_range *range)
{
	(void)range;
	return NULL;
}

int devmap_hmm_range_get_pages(devmap_hmm_range *range, uint64_t first_page, uint64_t nr_pages, bool write,
	devmap_page **page)
{
	(void)range;
	(void)first_page;
	(void)nr_pages;
	(void)write;
	(void)page;
	return -EOPNOTSUPP;
}

devmap_page *devmap_hmm_range_get_page_fast(devmap_hmm_range *range, uint64_t index, bool write)
{
	(void)range;
	(void)index;
	(void)write;
	return NULL;
}

int devmap_hmm_migrate_to_device(devmap_hmm_range *range, devmap_hmm_devmem *devmem, uint64_t first_page,
	uint64_t nr_pages, int32_t *results, devmap_hmm_migration *summary)
{
	(void)range;
	(void)devmem;
	(void)first_page;
	(void)nr_pages;
	(void)results;
	(void)summary;
	return -EOPNOTSUPP;
}

int devmap_hmm_migrate_to_ram(devmap_hmm_range *range, uint64_t first_page, uint64_t nr_pages,
	int32_t *results, devmap_hmm_migration *summary)
{
	(void)range;
	(void)first_page;
	(void)nr_pages;
	(void)results;
	(void)summary;
	return -EOPNOTSUPP;
}

int devmap_hmm_fault_to_ram(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return -EOPNOTSUPP;
}

int devmap_hmm_range_set_limit(devmap_hmm_range *range, uint64_t resident_limit)
{
	(void)range;
	(void)resident_limit;
	return -EOPNOTSUPP;
}

int devmap_hmm_range_snapshot(devmap_hmm_range *range, uint64_t first_page, uint64_t nr_pages, uint8_t *states)
{
	(void)range;
	(void)first_page;
	(void)nr_pages;
	(void)states;
	return -EOPNOTSUPP;
}

void migration_totals_read(devmap_migration_totals *totals)
{
	(void)totals;
}

int devmap_hmm_range_stats_read(devmap_hmm_range *range, devmap_hmm_range_stats *stats, uint32_t size)
{
	(void)range;
	(void)stats;
	(void)size;
	return -EOPNOTSUPP;
}

int devmap_hmm_range_wait_events(devmap_hmm_range *range, devmap_hmm_event *events, uint32_t capacity,
	int64_t timeout_ns, const devmap_cancel *cancel, uint64_t *lost)
{
	(void)range;
	(void)events;
	(void)capacity;
	(void)timeout_ns;
	(void)cancel;
	(void)lost;
	return -EOPNOTSUPP;
}

#endif
