/* SPDX-License-Identifier: MIT */
/* Device memory of a store: page n of it is slot n. */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

static void store_page_free(devmap_hmm_devmem *devmem, devmap_page *page)
{
	devmem->store->ops->discard(devmem->store, devmap_page_index(page));
}

typedef void store_transfer(devmap_store *store, devmap_store_io *ios, uint32_t n);

static void store_copy(devmap_store *store, store_transfer *transfer, devmap_hmm_copy *copies, uint32_t n)
{
	devmap_store_io ios[DEVMAP_HMM_COPY_BATCH];

	for (uint32_t i = 0; i < n; i++)
		ios[i] = (devmap_store_io){.slot = devmap_page_index(copies[i].page), .memory = copies[i].memory};
	transfer(store, ios, n);
	for (uint32_t i = 0; i < n; i++)
		copies[i].result = ios[i].result;
}

static void store_copy_to(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	store_copy(devmem->store, devmem->store->ops->write, copies, n);
}

static void store_copy_from(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	store_copy(devmem->store, devmem->store->ops->read, copies, n);
}

static const devmap_hmm_devmem_ops store_devmem_ops = {
	.free = store_page_free,
	.fault = devmap_hmm_fault_to_ram,
	.copy_to = store_copy_to,
	.copy_from = store_copy_from,
};

static bool store_is_good(const devmap_store *store)
{
	return store && store->ops && store->ops->write && store->ops->read && store->ops->discard && store->ops->close &&
	       store->page_size != 0 && store->nr_slots <= UINT64_MAX / store->page_size;
}

int devmap_hmm_devmem_add_store(devmap_hmm_device *device, devmap_store *store, devmap_hmm_devmem **result)
{
	devmap_hmm_devmem *devmem = NULL;
	int error;

	if (!store_is_good(store) || !result)
		return -EINVAL;
	error = devmap_hmm_devmem_add(&store_devmem_ops, device, store->nr_slots * store->page_size, store->page_size,
				      store, &devmem);
	if (error != 0)
		return error;
	/* Before anybody can allocate a page, without which there is nothing to free or copy. */
	devmem->store = store;
	*result = devmem;
	return 0;
}

#else

int devmap_hmm_devmem_add_store(devmap_hmm_device *device, devmap_store *store, devmap_hmm_devmem **devmem)
{
	(void)device;
	(void)store;
	(void)devmem;
	return -EOPNOTSUPP;
}

#endif
