/* SPDX-License-Identifier: MIT */
/**
 * @file kernel_names.h
 * Optional: the kernel's own names for the contract, as of 2018, so that kernel-style driver code compiles unchanged.
 * It claims short global names (get_page, put_page, and `page` itself as a macro): include it in a driver's source,
 * after every other header, and never in a public one. gcc's -Wshadow objects to the kernel's `struct page *page`.
 *
 * Not here, because it means nothing or something else in user space: devm_memremap_pages() (a map is made with
 * devmap_memremap_pages(): there is no struct device to tie it to, no struct resource and no percpu_ref), and
 * generic_dax_pagefree() (a claim wakes its waiters by itself); hmm_devmem_add(), hmm_devmem_add_resource() and
 * hmm_device_new() (they answer an ERR_PTR() there, and the driver's `fault` is given a vma and a pmd; see hmm.h).
 */
#ifndef DEVMAP_KERNEL_NAMES_H
#define DEVMAP_KERNEL_NAMES_H

#include <stdio.h>

#include <devmap/devmap.h>

#ifdef DEVMAP_CONFIG_FS_DAX
#define CONFIG_FS_DAX 1
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
#define CONFIG_DEVICE_PRIVATE 1
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
#define CONFIG_DEVICE_PUBLIC 1
#endif
#ifdef DEVMAP_CONFIG_HMM
#define CONFIG_HMM 1
#endif
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
#define CONFIG_DEV_PAGEMAP_OPS 1
#endif

/*
 * Where the kernel's function returns nothing and ours an error, the error is a bug of the caller; it changed nothing,
 * and is said on stderr, as the kernel's WARN() says it in the log.
 */
static inline void devmap_kernel_warn(int error, const char *function)
{
	if (devmap_unlikely(error != 0))
		fprintf(stderr, "devmap: %s: error %d\n", function, -error);
}

/* Static keys. Both of the kernel's types are the one type here, born false or true. */

#define DEFINE_STATIC_KEY_TRUE(name) DEVMAP_DEFINE_STATIC_KEY_TRUE(name)
#define DEFINE_STATIC_KEY_FALSE(name) DEVMAP_DEFINE_STATIC_KEY_FALSE(name)
#define DECLARE_STATIC_KEY_TRUE(name) DEVMAP_DECLARE_STATIC_KEY(name)
#define DECLARE_STATIC_KEY_FALSE(name) DEVMAP_DECLARE_STATIC_KEY(name)
#define static_branch_unlikely(key) devmap_static_branch_unlikely(key)
#define static_branch_likely(key) devmap_static_branch_likely(key)
#define static_branch_inc(key) devmap_kernel_warn(devmap_static_branch_inc(key), "static_branch_inc")
#define static_branch_dec(key) devmap_kernel_warn(devmap_static_branch_dec(key), "static_branch_dec")
#define static_branch_enable(key) devmap_kernel_warn(devmap_static_branch_enable(key), "static_branch_enable")
#define static_branch_disable(key) devmap_kernel_warn(devmap_static_branch_disable(key), "static_branch_disable")
#define static_key_enabled(key) devmap_static_key_enabled(key)
#define static_key_count(key) devmap_static_key_count(key)

/* The gate. Without CONFIG_DEV_PAGEMAP_OPS there is none, and nothing to say about it. */

static inline void dev_pagemap_get_ops(void)
{
	int error = devmap_pagemap_get_ops();

#ifdef CONFIG_DEV_PAGEMAP_OPS
	devmap_kernel_warn(error, "dev_pagemap_get_ops");
#else
	(void)error;
#endif
}

static inline void dev_pagemap_put_ops(void)
{
	int error = devmap_pagemap_put_ops();

#ifdef CONFIG_DEV_PAGEMAP_OPS
	devmap_kernel_warn(error, "dev_pagemap_put_ops");
#else
	(void)error;
#endif
}

/* Pages. */

typedef void (*dev_page_free_t)(devmap_page *page, void *data);

#define compound_head devmap_compound_head
#define page_count devmap_page_count
#define get_page devmap_get_page
#define put_page devmap_put_page
#define put_devmap_managed_page devmap_put_managed_page
#ifdef CONFIG_DEV_PAGEMAP_OPS
#define __put_devmap_managed_page devmap_put_page
#endif
#define is_zone_device_page devmap_is_zone_device_page
#define is_device_private_page devmap_is_device_private_page
#define is_device_public_page devmap_is_device_public_page
#define page_address devmap_page_address
#define virt_to_page devmap_virt_to_page

static inline bool get_page_unless_zero(devmap_page *page)
{
	return devmap_try_get_page(page) == 0;
}

static inline void release_pages(devmap_page **pages, int nr)
{
	if (nr > 0)
		devmap_release_pages(pages, (uint64_t)nr);
}

/* Pagemaps. A page frame number is an address in units of 4 KiB, whatever the page size of the map. */

static inline devmap_pagemap *get_dev_pagemap(unsigned long pfn, devmap_pagemap *pgmap)
{
	return devmap_get_pagemap((const void *)((uintptr_t)pfn * DEVMAP_ALTMAP_UNIT), pgmap);
}

#define put_dev_pagemap devmap_put_pagemap
#define vmem_altmap_free devmap_altmap_free
#define vmem_altmap_offset devmap_altmap_offset

static inline devmap_page *pfn_to_page(unsigned long pfn)
{
	return devmap_virt_to_page((const void *)((uintptr_t)pfn * DEVMAP_ALTMAP_UNIT));
}

static inline unsigned long page_to_pfn(devmap_page *page)
{
	return (unsigned long)((uintptr_t)devmap_page_address(page) / DEVMAP_ALTMAP_UNIT);
}

#define MEMORY_DEVICE_HOST DEVMAP_MEMORY_DEVICE_HOST
#define MEMORY_DEVICE_PRIVATE DEVMAP_MEMORY_DEVICE_PRIVATE
#define MEMORY_DEVICE_PUBLIC DEVMAP_MEMORY_DEVICE_PUBLIC
#define MEMORY_DEVICE_FS_DAX DEVMAP_MEMORY_DEVICE_FS_DAX

/* FS_DAX. The map stands for the block device, its DAX device and the mapping of what lies on it, all three. */

static inline devmap_pagemap *fs_dax_claim_bdev(devmap_pagemap *bdev, void *owner)
{
	return devmap_fs_dax_claim(bdev, owner, NULL) == 0 ? bdev : NULL;
}

static inline void fs_dax_release(devmap_pagemap *dax_dev, void *owner)
{
	if (dax_dev != NULL)
		devmap_kernel_warn(devmap_fs_dax_release(dax_dev, owner), "fs_dax_release");
}

static inline devmap_page *dax_layout_busy_page(devmap_pagemap *mapping)
{
	return devmap_fs_dax_busy_page(mapping, mapping->first_page, mapping->nr_pages - mapping->first_page);
}

/* Device memory. The resources' descriptions have the kernel's values. */

#define IORES_DESC_NONE DEVMAP_HMM_IORES_DESC_NONE
#define IORES_DESC_DEVICE_PRIVATE_MEMORY DEVMAP_HMM_IORES_DESC_DEVICE_PRIVATE_MEMORY
#define IORES_DESC_DEVICE_PUBLIC_MEMORY DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY

#define hmm_device_put devmap_hmm_device_put
#define hmm_devmem_page_set_drvdata devmap_hmm_devmem_page_set_drvdata
#define hmm_devmem_page_get_drvdata devmap_hmm_devmem_page_get_drvdata

/* As there, it returns when every page is free. */
static inline void hmm_devmem_remove(devmap_hmm_devmem *devmem)
{
	devmap_kernel_warn(devmap_hmm_devmem_remove(devmem, DEVMAP_WAIT_FOREVER, NULL, NULL), "hmm_devmem_remove");
}

/* Last, `struct page` and its fellows: the tags are macros, so that the kernel's spelling with `struct` works. */

#define page devmap_page
#define dev_pagemap devmap_pagemap
#define vmem_altmap devmap_altmap
#define memory_type devmap_memory_type
#define static_key devmap_static_key
#define static_key_true devmap_static_key
#define static_key_false devmap_static_key
#define block_device devmap_pagemap
#define dax_device devmap_pagemap
#define address_space devmap_pagemap
#define hmm_device devmap_hmm_device
#define hmm_devmem devmap_hmm_devmem
#define hmm_devmem_ops devmap_hmm_devmem_ops

#endif
