/* SPDX-License-Identifier: MIT */
/*
 * A driver in the kernel's own style and names, of 2018: a small allocator of device pages, one of HMM's device memory, and
 * a file system's claim on a pagemap. Above the line it knows nothing of devmap but the header of kernel names; below it,
 * main() plays the kernel that probes it.
 */
#include <stdlib.h>
#include <string.h>

#include <devmap/kernel_names.h>

#define NR_PAGES 16

struct toy_device {
	struct dev_pagemap *pgmap;
	struct page *free[NR_PAGES];
	int nr_free;
	int nr_idle;
};

static DEFINE_STATIC_KEY_FALSE(toy_debug_key);
static DEFINE_STATIC_KEY_TRUE(toy_enabled_key);

#if defined(CONFIG_DEVICE_PRIVATE) || defined(CONFIG_DEVICE_PUBLIC)

static void toy_page_free(struct page *page, void *data)
{
	struct toy_device *toy = data;

	toy->free[toy->nr_free++] = page;
	toy->nr_idle++;
}

static const dev_page_free_t toy_free = toy_page_free;

static struct page *toy_alloc_page(struct toy_device *toy)
{
	struct page *page;

	if (!toy->nr_free)
		return NULL;
	page = toy->free[--toy->nr_free];
	get_page(page);
	return page;
}

static const char *toy_page_kind(const struct page *page)
{
	if (is_device_private_page(page))
		return "private";
	if (is_device_public_page(page))
		return "public";
	return is_zone_device_page(page) ? "device" : "ordinary";
}

#endif

#ifdef CONFIG_HMM

/* A driver of device memory, which finds what a page is to it by the page's own word. */
struct toy_chunk {
	struct hmm_devmem *devmem;
	int nr_freed;
};

static void toy_devmem_free(struct hmm_devmem *devmem, struct page *page)
{
	struct toy_chunk *chunk = (struct toy_chunk *)hmm_devmem_page_get_drvdata(page);

	if (chunk->devmem == devmem)
		chunk->nr_freed++;
	hmm_devmem_page_set_drvdata(page, 0);
}

static int toy_devmem_fault(struct hmm_devmem *devmem, uintptr_t address, struct page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return -1;
}

static const struct hmm_devmem_ops toy_devmem_ops = {
	.free = toy_devmem_free,
	.fault = toy_devmem_fault,
};

static void toy_devmem_use(struct toy_chunk *chunk, struct page *page)
{
	hmm_devmem_page_set_drvdata(page, (unsigned long)chunk);
	get_page(page);
	put_page(page);
}

static void toy_devmem_exit(struct toy_chunk *chunk, struct hmm_device *hmm_device)
{
	hmm_devmem_remove(chunk->devmem);
	hmm_device_put(hmm_device);
}

#endif

/* The patch's put_page(), written out. */
static void toy_put_page(struct page *page)
{
	page = compound_head(page);
	if (put_devmap_managed_page(page))
		return;
	put_page(page);
}

static bool toy_covers(struct dev_pagemap *pgmap, unsigned long pfn)
{
	struct dev_pagemap *found = get_dev_pagemap(pfn, NULL);
	bool covers = found == pgmap;

	put_dev_pagemap(found);
	return covers;
}

static unsigned long toy_metadata_start(struct vmem_altmap *altmap)
{
	return (unsigned long)vmem_altmap_offset(altmap);
}

#ifdef CONFIG_FS_DAX

struct toy_super {
	struct block_device *s_bdev;
	struct dax_device *s_daxdev;
	struct address_space *s_mapping;
};

static int toy_mount(struct toy_super *sb, struct block_device *bdev)
{
	sb->s_daxdev = fs_dax_claim_bdev(bdev, sb);
	if (!sb->s_daxdev)
		return -1;
	sb->s_bdev = bdev;
	sb->s_mapping = bdev;
	return 0;
}

static void toy_unmount(struct toy_super *sb)
{
	fs_dax_release(sb->s_daxdev, sb);
	sb->s_daxdev = NULL;
}

static bool toy_layouts_busy(struct toy_super *sb)
{
	return dax_layout_busy_page(sb->s_mapping) != NULL;
}

#endif

/* ------------------------------------------------------------------------------------------------------------------ */

#undef page

static int failures;

static void check_at(bool condition, const char *text, int line)
{
	if (!condition) {
		fprintf(stderr, "line %d: %s\n", line, text);
		failures++;
	}
}

#define check(condition) check_at(condition, #condition, __LINE__)

static devmap_pagemap *create(enum memory_type type, struct toy_device *toy)
{
	devmap_pagemap_ops ops;
	devmap_pagemap_config config;
	devmap_pagemap *map = NULL;

	memset(&ops, 0, sizeof(ops));
	memset(&config, 0, sizeof(config));
	config.size = sizeof(config);
	config.type = (int32_t)type;
	config.backing = type == MEMORY_DEVICE_PRIVATE ? DEVMAP_BACKING_INACCESSIBLE : DEVMAP_BACKING_RESERVED;
	config.length = NR_PAGES * (uint64_t)DEVMAP_ALTMAP_UNIT;
#if defined(CONFIG_DEVICE_PRIVATE) || defined(CONFIG_DEVICE_PUBLIC)
	ops.page_free = toy_free;
#endif
	if (type != MEMORY_DEVICE_HOST)
		config.ops = &ops;
	config.data = toy;
	check(devmap_memremap_pages(&config, &map) == 0);
	if (map == NULL)
		exit(EXIT_FAILURE);
	return map;
}

static void destroy(devmap_pagemap *map)
{
	check(devmap_memunmap_pages(map, 0, NULL, NULL) == 0);
	check(devmap_pagemap_free(map) == 0);
}

#if defined(CONFIG_DEVICE_PRIVATE) || defined(CONFIG_DEVICE_PUBLIC)
static void probe_device(enum memory_type type, const char *kind)
{
	struct toy_device toy;
	devmap_page *pages[3];
	unsigned long pfn;
	int32_t holders;
	int i;

	memset(&toy, 0, sizeof(toy));
	holders = static_key_count(&devmap_managed_key);
	toy.pgmap = create(type, &toy);
	check(static_branch_unlikely(&devmap_managed_key));
	check(static_key_count(&devmap_managed_key) == holders + 1);
	for (i = 0; i < NR_PAGES; i++)
		toy.free[toy.nr_free++] = devmap_pagemap_page(toy.pgmap, (uint64_t)i);

	for (i = 0; i < 3; i++)
		pages[i] = toy_alloc_page(&toy);
	check(toy.nr_free == NR_PAGES - 3);
	check(strcmp(toy_page_kind(pages[0]), kind) == 0);
	check(pages[0]->pgmap->type == (int32_t)type);
	pfn = page_to_pfn(pages[0]);
	check(pfn_to_page(pfn) == pages[0]);
	check(virt_to_page(page_address(pages[0])) == pages[0]);
	check(toy_covers(toy.pgmap, pfn));

	get_page(pages[0]);
	check(page_count(pages[0]) == 3);
	toy_put_page(pages[0]);
	check(toy.nr_idle == 0);
	toy_put_page(pages[0]);
	check(toy.nr_idle == 1);
	check(get_page_unless_zero(pages[0]));
	__put_devmap_managed_page(pages[0]);
	check(toy.nr_idle == 2);
	/* What the driver handed out outside its free list came back to it twice. */
	toy.nr_free--;
	release_pages(pages + 1, 2);
	check(toy.nr_idle == 4);
	check(toy.nr_free == NR_PAGES);

	destroy(toy.pgmap);
	check(static_key_count(&devmap_managed_key) == holders);
}
#endif

#ifdef CONFIG_HMM
static void probe_device_memory(int desc)
{
	devmap_hmm_device_config config;
	devmap_hmm_device *device = NULL;
	devmap_hmm_resource resource;
	struct toy_chunk chunk;
	devmap_page *pages[2];
	int i, result;

	memset(&config, 0, sizeof(config));
	memset(&resource, 0, sizeof(resource));
	memset(&chunk, 0, sizeof(chunk));
	config.size = sizeof(config);
	check(devmap_hmm_device_new(&config, &device) == 0);
	resource.length = NR_PAGES * (uint64_t)DEVMAP_ALTMAP_UNIT;
	resource.desc = desc;
	check(posix_memalign(&resource.start, DEVMAP_ALTMAP_UNIT, resource.length) == 0);
	if (desc == IORES_DESC_DEVICE_PUBLIC_MEMORY)
		result = devmap_hmm_devmem_add_resource(&toy_devmem_ops, device, &resource, 0, &chunk, &chunk.devmem);
	else
		result = devmap_hmm_devmem_add(&toy_devmem_ops, device, resource.length, 0, &chunk, &chunk.devmem);
	check(result == 0);
	if (result != 0)
		exit(EXIT_FAILURE);

	for (i = 0; i < 2; i++) {
		check(devmap_hmm_devmem_alloc_page(chunk.devmem, &pages[i]) == 0);
		toy_devmem_use(&chunk, pages[i]);
		check(strcmp(toy_page_kind(pages[i]),
			      desc == IORES_DESC_DEVICE_PUBLIC_MEMORY ? "public" : "private") == 0);
	}
	check(chunk.nr_freed == 0);
	toy_put_page(pages[0]);
	check(chunk.nr_freed == 1);
	check(hmm_devmem_page_get_drvdata(pages[0]) == 0);
	put_page(pages[1]);
	check(chunk.nr_freed == 2);
	toy_devmem_exit(&chunk, device);
	free(resource.start);
}
#endif

#ifdef CONFIG_FS_DAX
static void probe_file_system(void)
{
	struct toy_super first, second;
	devmap_pagemap *map = create(MEMORY_DEVICE_HOST, NULL);
	devmap_page *held = NULL;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	check(toy_mount(&first, map) == 0);
	check(map->type == MEMORY_DEVICE_FS_DAX);
	check(toy_mount(&second, map) != 0);
	check(!toy_layouts_busy(&first));
	check(devmap_pagemap_get_pages(map, 3, 1, &held) == 0);
	check(toy_layouts_busy(&first));
	toy_put_page(held);
	check(!toy_layouts_busy(&first));
	toy_unmount(&first);
	check(map->type == MEMORY_DEVICE_HOST);
	destroy(map);
}
#endif

int main(void)
{
	struct vmem_altmap altmap;
	devmap_pagemap *map = create(MEMORY_DEVICE_HOST, NULL);
	devmap_page *ordinary = NULL;

	check(toy_covers(map, (unsigned long)(map->start / DEVMAP_ALTMAP_UNIT)));
	check(!toy_covers(map, (unsigned long)((map->start - 1) / DEVMAP_ALTMAP_UNIT)));
	destroy(map);

	check(devmap_alloc_pages(1, &ordinary) == 0);
	get_page(ordinary + 1);
	check(page_count(ordinary) == 2);
	toy_put_page(ordinary + 1);
	toy_put_page(ordinary);

	memset(&altmap, 0, sizeof(altmap));
	altmap.reserve = 2;
	altmap.free = 3;
	check(toy_metadata_start(&altmap) == 5);

	check(!static_branch_unlikely(&toy_debug_key));
	static_branch_inc(&toy_debug_key);
	check(static_branch_unlikely(&toy_debug_key));
	static_branch_dec(&toy_debug_key);
	check(!static_key_enabled(&toy_debug_key));
	check(static_branch_likely(&toy_enabled_key));
	static_branch_disable(&toy_enabled_key);
	check(!static_branch_likely(&toy_enabled_key));
	static_branch_enable(&toy_enabled_key);
	check(static_key_count(&toy_enabled_key) == 1);

	dev_pagemap_get_ops();
#ifdef CONFIG_DEV_PAGEMAP_OPS
	check(static_branch_unlikely(&devmap_managed_key));
#endif
	dev_pagemap_put_ops();

#ifdef CONFIG_DEVICE_PRIVATE
	probe_device(MEMORY_DEVICE_PRIVATE, "private");
	probe_device_memory(IORES_DESC_DEVICE_PRIVATE_MEMORY);
#endif
#ifdef CONFIG_DEVICE_PUBLIC
	probe_device(MEMORY_DEVICE_PUBLIC, "public");
	probe_device_memory(IORES_DESC_DEVICE_PUBLIC_MEMORY);
#endif
#ifdef CONFIG_FS_DAX
	probe_file_system();
#endif
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
