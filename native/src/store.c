/* SPDX-License-Identifier: MIT */
#include "store_internal.h"

int store_check(uint64_t nr_slots, uint64_t page_size, devmap_store **store)
{
	if (!store || nr_slots == 0)
		return -EINVAL;
	return page_size & (page_size - 1) || page_size < MIN_PAGE_SIZE || page_size > MAX_PAGE_SIZE ? -EINVAL : 0;
}

int store_reserve(uint64_t n, uint64_t size, uint64_t alignment, void **address, uint64_t *length)
{
	uint64_t unit = os_page_size();

	if (n > (UINT64_MAX - unit) / size)
		return -ENOMEM;
	*length = (n * size + unit - 1) & ~(unit - 1);
	return os_reserve(*length, alignment, OS_READ_WRITE, address);
}

uint64_t devmap_store_bytes_used(devmap_store *store)
{
	return store ? store->ops->bytes_used(store) : 0;
}

void devmap_store_close(devmap_store *store)
{
	if (store)
		store->ops->close(store);
}
