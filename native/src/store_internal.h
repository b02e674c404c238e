/* SPDX-License-Identifier: MIT */
/* What the kinds of stores share. */
#ifndef DEVMAP_SRC_STORE_INTERNAL_H
#define DEVMAP_SRC_STORE_INTERNAL_H

#include "internal.h"

#define MIN_PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT_MIN)
#define MAX_PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT_MAX)

/* What every open refuses. */
int store_check(uint64_t nr_slots, uint64_t page_size, devmap_store **store);

/* As os_reserve(), for @n elements of @size bytes to write to; @length is what to give to os_unmap(). */
int store_reserve(uint64_t n, uint64_t size, uint64_t alignment, void **address, uint64_t *length);

/* Whether this is a page of the store's; its result is 0, or tells that it is not. */
static inline bool store_io_begin(const devmap_store *store, devmap_store_io *io)
{
	uintptr_t memory = (uintptr_t)io->memory;
	bool good = io->slot < store->nr_slots && memory && memory % MIN_PAGE_SIZE == 0 && io->reserved == 0;

	io->result = good ? 0 : -EINVAL;
	return good;
}

#endif
