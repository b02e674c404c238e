/* SPDX-License-Identifier: MIT */
#include "internal.h"

#ifdef DEVMAP_CONFIG_FS_DAX

#include <stdlib.h>

#define DEFAULT_PAGE_SIZE UINT64_C(4096)
#define MIN_PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT_MIN)
#define MAX_PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT_MAX)
#define DEFAULT_CAPACITY (UINT64_C(1) << 30)
#define DEFAULT_GROWTH 4

/*
 * In devmap_page.flags of a file's page, above PAGE_ORDINARY's bit: the claim under which its blocks were allocated,
 * and not given back since; 0 for none. Under another claim, or none, others may have given them back meanwhile.
 */
#define ALLOCATED_SHIFT 2

struct devmap_dax_file {
	devmap_pagemap *pgmap;
	int file;
	bool write;
	bool dax;
	void *base;
	uint64_t capacity;
	/* Bytes in the file, as this library left it. Lowered before a truncated range is opened to takers again. */
	_Atomic(uint64_t) length;
	/* Odd while a call changes the length or punches a hole; moves at the begin and the end of each. */
	_Atomic(uint64_t) changes;
	_Atomic(bool) closing;
	_Atomic(bool) closed;
};

/* ---- opening and closing ---------------------------------------------------------------------------------------- */

static int check_config(const devmap_dax_file_config *config)
{
	const uint32_t known = DEVMAP_DAX_FILE_WRITE | DEVMAP_DAX_FILE_CREATE;

	if (!config || config->size != sizeof(*config) || (config->flags & ~known))
		return -EINVAL;
	if ((config->flags & DEVMAP_DAX_FILE_CREATE) && !(config->flags & DEVMAP_DAX_FILE_WRITE))
		return -EINVAL;
	if (config->page_size == 0)
		return 0;
	return config->page_size & (config->page_size - 1) || config->page_size < MIN_PAGE_SIZE ||
			       config->page_size > MAX_PAGE_SIZE
		       ? -EINVAL
		       : 0;
}

/* The address space to reserve for a file of @length bytes. */
static int capacity_of(const devmap_dax_file_config *config, uint64_t length, uint64_t *capacity)
{
	uint64_t page_size = config->page_size ? config->page_size : DEFAULT_PAGE_SIZE;
	uint64_t wanted = config->capacity;

	if (!wanted) {
		wanted = length > UINT64_MAX / DEFAULT_GROWTH ? length : length * DEFAULT_GROWTH;
		wanted = wanted > DEFAULT_CAPACITY ? wanted : DEFAULT_CAPACITY;
	}
	if (wanted > UINT64_MAX - page_size)
		return -ENOMEM;
	*capacity = (wanted + page_size - 1) & ~(page_size - 1);
	return length > *capacity ? -EFBIG : 0;
}

/* Maps the open file over its whole capacity, so that growing moves nothing, and splits it into pages. */
static int file_map(devmap_dax_file *file, uint64_t page_size)
{
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
		.page_size = page_size,
		.length = file->capacity,
	};
	struct map_purpose purpose = {
		.file = {
			.file = file->file,
			.exclusive = file->write,
			.length = &file->length,
			.capacity = file->capacity,
		},
	};
	int result;

	result = os_file_map(file->file, file->capacity, page_size ? page_size : DEFAULT_PAGE_SIZE, file->write,
		&file->base, &file->dax);
	if (result != 0)
		return result;
	config.address = file->base;
	result = map_create(&config, &purpose, &file->pgmap);
	if (result != 0)
		os_unmap(file->base, file->capacity);
	return result;
}

static int file_open(devmap_dax_file *file, const char *path, const devmap_dax_file_config *config)
{
	os_file_info info;
	int result;

	file->write = config->flags & DEVMAP_DAX_FILE_WRITE;
	result = os_file_open(path, file->write, config->flags & DEVMAP_DAX_FILE_CREATE, &file->file);
	if (result != 0)
		return result;
	result = os_file_info_get(file->file, &info);
	if (result == 0)
		result = capacity_of(config, info.length, &file->capacity);
	if (result == 0) {
		atomic_init(&file->length, info.length);
		result = file_map(file, config->page_size);
	}
	if (result != 0)
		os_file_close(file->file);
	return result;
}

int devmap_dax_file_open(const char *path, const devmap_dax_file_config *config, devmap_dax_file **file)
{
	devmap_dax_file *opened;
	int result = check_config(config);

	if (result != 0)
		return result;
	if (!path || !file)
		return -EINVAL;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	result = file_open(opened, path, config);
	if (result != 0) {
		free(opened);
		return result;
	}
	stat_gauge_raise(STAT_GAUGE_dax_files);
	*file = opened;
	return 0;
}

int devmap_dax_file_close(devmap_dax_file *file, int64_t timeout_ns, const devmap_cancel *cancel,
			  devmap_busy_report *busy)
{
	int result;

	if (!file)
		return -EINVAL;
	result = devmap_memunmap_pages(file->pgmap, timeout_ns, cancel, busy);
	/* -ENODEV here: torn down before, by its own handle or by an earlier close. */
	if (result != 0 && result != -ENODEV)
		return result;
	if (atomic_exchange(&file->closing, true))
		return -ENODEV;
	os_unmap(file->base, file->capacity);
	os_file_close(file->file);
	stat_gauge_lower(STAT_GAUGE_dax_files);
	/* The last touch: the handle may be freed. */
	atomic_store(&file->closed, true);
	return 0;
}

int devmap_dax_file_free(devmap_dax_file *file)
{
	if (!file)
		return 0;
	if (!atomic_load(&file->closed))
		return -EBUSY;
	(void)map_free(map_of(file->pgmap));
	free(file);
	return 0;
}

devmap_pagemap *devmap_dax_file_pagemap(devmap_dax_file *file)
{
	return file ? file->pgmap : NULL;
}

uint64_t devmap_dax_file_length(const devmap_dax_file *file)
{
	return file ? atomic_load(&file->length) : 0;
}

uint64_t devmap_dax_file_capacity(const devmap_dax_file *file)
{
	return file ? file->capacity : 0;
}

bool devmap_dax_file_is_dax(const devmap_dax_file *file)
{
	return file && file->dax;
}

/* ---- leases ----------------------------------------------------------------------------------------------------- */

/* A range of bytes, and the pages that hold it. */
struct extent {
	uint64_t first_page;
	uint64_t nr_pages;
	uint64_t end;
};

static bool is_within(uint64_t offset, uint64_t length, uint64_t limit)
{
	return offset <= limit && length <= limit - offset;
}

static struct extent extent_of(const devmap_dax_file *file, uint64_t offset, uint64_t length)
{
	uint64_t first = offset >> file->pgmap->page_shift, end = offset + length;
	uint64_t last = (end - 1) >> file->pgmap->page_shift;

	return (struct extent){.first_page = first, .nr_pages = last - first + 1, .end = end};
}

static uint64_t page_offset(const devmap_dax_file *file, uint64_t index)
{
	return index << file->pgmap->page_shift;
}

/* What the flags of a page allocated now would be: 0 without a claim. */
static uint32_t allocated_under_claim(devmap_dax_file *file)
{
	struct map *map = map_of(file->pgmap);

	return atomic_load(&map->claim) == CLAIM_HELD ? atomic_load(&map->nr_claims) << ALLOCATED_SHIFT : 0;
}

static bool is_allocated(devmap_page *page, uint64_t n, uint32_t allocated)
{
	for (uint64_t i = 0; i < n; i++)
		if (allocated == 0 || atomic_load_explicit(&page[i].flags, memory_order_relaxed) != allocated)
			return false;
	return true;
}

/*
 * Allocates the blocks of pages that the caller holds. A page that lies in the file whole is remembered: nothing takes
 * its blocks away but a truncation or a hole, which wait for its holders and then forget it.
 */
static int allocate(devmap_dax_file *file, devmap_page *page, const struct extent *extent)
{
	uint64_t start = page_offset(file, extent->first_page);
	uint64_t end = page_offset(file, extent->first_page + extent->nr_pages);
	uint64_t length = atomic_load(&file->length);
	/* Asked for before allocating: what is released and claimed again in between counts as another claim. */
	uint32_t allocated = allocated_under_claim(file);
	os_file_info info;
	int result;

	result = os_file_info_get(file->file, &info);
	if (result != 0)
		return result;
	if (info.length < extent->end || length < extent->end)
		return -ESTALE;
	if (is_allocated(page, extent->nr_pages, allocated))
		return 0;
	if (end > length)
		end = length;
	result = os_file_allocate(file->file, start, end - start);
	if (result != 0)
		return result;
	for (uint64_t i = 0; i < extent->nr_pages && page_offset(file, extent->first_page + i + 1) <= length; i++)
		atomic_store_explicit(&page[i].flags, allocated, memory_order_relaxed);
	return 0;
}

static void forget_allocated(devmap_dax_file *file, uint64_t first_page, uint64_t nr_pages)
{
	struct map *map = map_of(file->pgmap);
	uint64_t end = first_page + nr_pages;

	for (uint64_t i = map_next_touched(map, first_page, end); i < end; i = map_next_touched(map, i + 1, end))
		atomic_store_explicit(&file->pgmap->pages[i].flags, 0, memory_order_relaxed);
}

static bool is_open(const devmap_dax_file *file)
{
	return atomic_load(&map_of(file->pgmap)->state) == MAP_LIVE;
}

int devmap_dax_file_get_pages(devmap_dax_file *file, uint64_t offset, uint64_t length, bool write, devmap_page **page,
			      uint64_t *nr_pages, void **address)
{
	struct extent extent;
	devmap_page *first;
	int result;

	if (!file || !page || !nr_pages || !address || length == 0)
		return -EINVAL;
	if (write && !file->write)
		return -EACCES;
	if (is_open(file) && !is_within(offset, length, atomic_load(&file->length)))
		return -ERANGE;
	extent = extent_of(file, offset, length);
	result = devmap_pagemap_get_pages(file->pgmap, extent.first_page, extent.nr_pages, &first);
	if (result != 0)
		return result;
	/*
	 * Again, now that a truncation would wait for these pages. One that came in between lowered the length before
	 * it opened the range, and the references taken since see what was done before it was opened.
	 */
	if (!is_within(offset, length, atomic_load(&file->length)))
		result = -ERANGE;
	else if (write)
		result = allocate(file, first, &extent);
	if (result != 0) {
		devmap_put_pages(first, extent.nr_pages);
		return result;
	}
	*page = first;
	*nr_pages = extent.nr_pages;
	*address = (char *)file->base + offset;
	return 0;
}

/* ---- changing the file ------------------------------------------------------------------------------------------ */

/* A change under way: what it holds, and until when it may wait. */
struct change {
	devmap_dax_file *file;
	const void *owner;
	const devmap_cancel *cancel;
	int64_t deadline;
	uint32_t shard;
	bool keeps_claim;
};

static bool change_is_mine(void *context)
{
	devmap_dax_file *file = context;
	uint64_t changes = atomic_load(&file->changes);

	return changes % 2 == 0 && atomic_compare_exchange_strong(&file->changes, &changes, changes + 1);
}

static int64_t time_left(const struct change *change)
{
	int64_t left;

	if (change->deadline < 0)
		return DEVMAP_WAIT_FOREVER;
	left = change->deadline - os_now();
	return left > 0 ? left : 0;
}

/* Keeps the owner's claim for the change: a release is refused until it ends. */
static bool claim_keep(struct map *map, const void *owner)
{
	bool held;

	pthread_mutex_lock(&map->lock);
	held = map->claim == CLAIM_HELD && map->owner == owner;
	map->nr_changes += held;
	pthread_mutex_unlock(&map->lock);
	return held;
}

static void claim_unkeep(struct map *map)
{
	pthread_mutex_lock(&map->lock);
	map->nr_changes--;
	pthread_mutex_unlock(&map->lock);
}

static void change_end(struct change *change)
{
	devmap_dax_file *file = change->file;
	struct map *map = map_of(file->pgmap);

	if (change->keeps_claim)
		claim_unkeep(map);
	atomic_fetch_add(&file->changes, 1);
	wake_waiters(file);
	map_exit(map, change->shard, 1);
}

/* Whether the file is as this library left it; asked by whoever is the only one to change it. */
static int check_unchanged(const devmap_dax_file *file)
{
	os_file_info info;
	int result = os_file_info_get(file->file, &info);

	if (result != 0)
		return result;
	return info.length == atomic_load(&file->length) ? 0 : -ESTALE;
}

/* Makes this call the only one that changes the file, which stays open until change_end(). */
static int change_begin(struct change *change, devmap_dax_file *file, const void *owner, int64_t timeout_ns,
			const devmap_cancel *cancel)
{
	struct map *map = map_of(file->pgmap);
	int64_t now = os_now();
	int result;

	*change = (struct change){.file = file, .owner = owner, .cancel = cancel, .shard = this_shard()};
	change->deadline = timeout_ns < 0 ? -1 : timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
	if (!file->write)
		return -EACCES;
	if (map_in_callback(map))
		return -EDEADLK;
	result = map_enter(map, change->shard, 1);
	if (result != 0)
		return result;
	result = wait_until(file, change_is_mine, file, timeout_ns, cancel);
	if (result != 0) {
		map_exit(map, change->shard, 1);
		return result;
	}
	change->keeps_claim = claim_keep(map, owner);
	result = change->keeps_claim ? check_unchanged(file) : -EPERM;
	if (result != 0)
		change_end(change);
	return result;
}

/* Breaks the layouts of whole pages for the change. */
static int change_break(
	struct change *change, uint64_t first_page, uint64_t nr_pages, devmap_layout_break *layout_break)
{
	return devmap_fs_dax_break_layouts(change->file->pgmap, change->owner, first_page, nr_pages, time_left(change),
					   change->cancel, layout_break);
}

static int grow(struct change *change, uint64_t length)
{
	int result = os_file_set_length(change->file->file, length);

	if (result == 0)
		atomic_store(&change->file->length, length);
	return result;
}

static int shrink(struct change *change, uint64_t length, uint64_t old_length)
{
	devmap_dax_file *file = change->file;
	struct extent tail = extent_of(file, length, old_length - length);
	devmap_layout_break layout_break;
	int result;

	result = change_break(change, tail.first_page, tail.nr_pages, &layout_break);
	if (result != 0)
		return result;
	forget_allocated(file, tail.first_page, tail.nr_pages);
	result = os_file_set_length(file->file, length);
	if (result == 0)
		atomic_store(&file->length, length);
	devmap_fs_dax_end_break(&layout_break);
	return result;
}

int devmap_dax_file_set_length(devmap_dax_file *file, const void *owner, uint64_t length, int64_t timeout_ns,
			       const devmap_cancel *cancel)
{
	struct change change;
	uint64_t old_length;
	int result;

	if (!file || !owner)
		return -EINVAL;
	if (length > file->capacity)
		return -EFBIG;
	result = change_begin(&change, file, owner, timeout_ns, cancel);
	if (result != 0)
		return result;
	old_length = atomic_load(&file->length);
	if (length > old_length)
		result = grow(&change, length);
	else if (length < old_length)
		result = shrink(&change, length, old_length);
	change_end(&change);
	return result;
}

int devmap_dax_file_punch_hole(devmap_dax_file *file, const void *owner, uint64_t offset, uint64_t length,
			       int64_t timeout_ns, const devmap_cancel *cancel)
{
	devmap_layout_break layout_break;
	struct change change;
	struct extent hole;
	int result;

	if (!file || !owner || length == 0)
		return -EINVAL;
	result = change_begin(&change, file, owner, timeout_ns, cancel);
	if (result != 0)
		return result;
	result = -ERANGE;
	if (!is_within(offset, length, atomic_load(&file->length)))
		goto end;
	hole = extent_of(file, offset, length);
	result = change_break(&change, hole.first_page, hole.nr_pages, &layout_break);
	if (result != 0)
		goto end;
	/* Before, since a hole that fails half-way has given blocks back too. */
	forget_allocated(file, hole.first_page, hole.nr_pages);
	result = os_file_punch_hole(file->file, offset, length);
	devmap_fs_dax_end_break(&layout_break);
end:
	change_end(&change);
	return result;
}

/* ---- flushing and checking -------------------------------------------------------------------------------------- */

int devmap_dax_file_flush(devmap_dax_file *file, uint64_t offset, uint64_t length)
{
	if (!file)
		return -EINVAL;
	/* Not only while the file takes new users: the caller's lease keeps it mapped, a closing one too. */
	if (map_is_dead(map_of(file->pgmap)))
		return -ENODEV;
	if (!is_within(offset, length, atomic_load(&file->length)))
		return -ERANGE;
	return length ? os_flush((char *)file->base + offset, length, file->dax) : 0;
}

int devmap_dax_file_check(devmap_dax_file *file)
{
	uint32_t shard = this_shard();
	uint64_t changes;
	struct map *map;
	int result;

	if (!file)
		return -EINVAL;
	map = map_of(file->pgmap);
	result = map_enter(map, shard, 1);
	if (result != 0)
		return result;
	do {
		changes = atomic_load(&file->changes);
		result = check_unchanged(file);
	} while (result == -ESTALE && changes != atomic_load(&file->changes));
	/* A change of ours under way explains a difference; it has asked by itself. */
	if (result == -ESTALE && changes % 2 != 0)
		result = 0;
	map_exit(map, shard, 1);
	return result;
}

#else /* !DEVMAP_CONFIG_FS_DAX */

int devmap_dax_file_open(const char *path, const devmap_dax_file_config *config, devmap_dax_file **file)
{
	(void)path;
	(void)config;
	(void)file;
	return -EOPNOTSUPP;
}

int devmap_dax_file_close(devmap_dax_file *file, int64_t timeout_ns, const devmap_cancel *cancel,
			  devmap_busy_report *busy)
{
	(void)file;
	(void)timeout_ns;
	(void)cancel;
	(void)busy;
	return -EOPNOTSUPP;
}

int devmap_dax_file_free(devmap_dax_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

devmap_pagemap *devmap_dax_file_pagemap(devmap_dax_file *file)
{
	(void)file;
	return NULL;
}

uint64_t devmap_dax_file_length(const devmap_dax_file *file)
{
	(void)file;
	return 0;
}

uint64_t devmap_dax_file_capacity(const devmap_dax_file *file)
{
	(void)file;
	return 0;
}

bool devmap_dax_file_is_dax(const devmap_dax_file *file)
{
	(void)file;
	return false;
}

int devmap_dax_file_get_pages(devmap_dax_file *file, uint64_t offset, uint64_t length, bool write, devmap_page **page,
			      uint64_t *nr_pages, void **address)
{
	(void)file;
	(void)offset;
	(void)length;
	(void)write;
	(void)page;
	(void)nr_pages;
	(void)address;
	return -EOPNOTSUPP;
}

int devmap_dax_file_set_length(devmap_dax_file *file, const void *owner, uint64_t length, int64_t timeout_ns,
			       const devmap_cancel *cancel)
{
	(void)file;
	(void)owner;
	(void)length;
	(void)timeout_ns;
	(void)cancel;
	return -EOPNOTSUPP;
}

int devmap_dax_file_punch_hole(devmap_dax_file *file, const void *owner, uint64_t offset, uint64_t length,
			       int64_t timeout_ns, const devmap_cancel *cancel)
{
	(void)file;
	(void)owner;
	(void)offset;
	(void)length;
	(void)timeout_ns;
	(void)cancel;
	return -EOPNOTSUPP;
}

int devmap_dax_file_flush(devmap_dax_file *file, uint64_t offset, uint64_t length)
{
	(void)file;
	(void)offset;
	(void)length;
	return -EOPNOTSUPP;
}

int devmap_dax_file_check(devmap_dax_file *file)
{
	(void)file;
	return -EOPNOTSUPP;
}

#endif
