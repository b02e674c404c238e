/* SPDX-License-Identifier: MIT */
/* Ranges: what may become one, where their pages are, who may lease them, and how many are resident. */
#include "hmm_fixture.h"

#ifdef DEVMAP_CONFIG_HMM

/* ---- what is refused -------------------------------------------------------------------------------------------- */

static void assert_refused(const devmap_hmm_range_config *config, int error)
{
	devmap_hmm_range *untouched = (devmap_hmm_range *)&untouched;
	devmap_hmm_range *range = untouched;

	assert_error(devmap_hmm_range_add(config, &range), error);
	assert_ptr_equal(range, untouched);
}

static int32_t never_asked(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data)
{
	(void)range;
	(void)address;
	(void)error;
	(void)data;
	check(false);
	return DEVMAP_HMM_ON_ERROR_SIGBUS;
}

static void a_bad_configuration_is_refused(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	const devmap_hmm_range_config good = config_of(&hmm, (struct hmm_wish){0});
	devmap_hmm_range_config config;
	devmap_hmm_range *range = NULL;

	(void)state;
#define REFUSED_WITH(field, value) \
	do { \
		config = good; \
		config.field = (value); \
		assert_refused(&config, EINVAL); \
	} while (0)
	assert_refused(NULL, EINVAL);
	assert_error(devmap_hmm_range_add(&good, NULL), EINVAL);
	REFUSED_WITH(size, 0);
	REFUSED_WITH(size, sizeof(config) - 1);
	REFUSED_WITH(size, sizeof(config) + 1);
	REFUSED_WITH(flags, 2);
	REFUSED_WITH(flags, 1u << 31);
	REFUSED_WITH(on_error, -1);
	REFUSED_WITH(on_error, 3);
	/* A handler exactly where it is to be asked. */
	REFUSED_WITH(on_error, DEVMAP_HMM_ON_ERROR_HANDLER);
	REFUSED_WITH(failed, never_asked);
	REFUSED_WITH(event_capacity, (1u << 20) + 1);
	REFUSED_WITH(device, NULL);
	/* A limit needs a place to migrate to. */
	config = good;
	config.devmem = NULL;
	config.resident_limit = PAGE_BYTES;
	assert_refused(&config, EINVAL);
	REFUSED_WITH(length, 0);
	REFUSED_WITH(length, PAGE_BYTES - 1);
	REFUSED_WITH(length, 4 * PAGE_BYTES + 1);
	REFUSED_WITH(resident_limit, 1);
	REFUSED_WITH(resident_limit, PAGE_BYTES + 512);
	/* That of the device memory is 4096. */
	REFUSED_WITH(page_size, 2 * PAGE_BYTES);
	config = good;
	config.devmem = NULL;
	config.page_size = 2048;
	assert_refused(&config, EINVAL);
	config.page_size = 3 * PAGE_BYTES;
	assert_refused(&config, EINVAL);
	config.page_size = 2 * GIB;
	config.length = 2 * GIB;
	assert_refused(&config, EINVAL);
	REFUSED_WITH(address, (void *)(uintptr_t)(64 * GIB + 1));
	REFUSED_WITH(address, (void *)(UINTPTR_MAX - PAGE_BYTES + 1));
	/* Nothing is mapped there. */
	REFUSED_WITH(address, (void *)(uintptr_t)PAGE_BYTES);
#undef REFUSED_WITH
	/* And what was good stays good. */
	assert_ok(devmap_hmm_range_add(&good, &range));
	range_end(range);
	hmm_close(&hmm);
}

static void device_memory_that_cannot_be_copied_to_is_refused(void **state)
{
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	static const devmap_hmm_devmem_ops ops = {.free = test_page_free, .fault = test_fault};
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	devmap_hmm_range_config config = config_of(&hmm, (struct hmm_wish){0});

	(void)state;
	assert_ok(devmap_hmm_devmem_add(&ops, hmm.device, PAGE_BYTES, PAGE_BYTES, NULL, &config.devmem));
	assert_refused(&config, EINVAL);
	write_pages(&hmm, 0, 1, 1);
	assert_error(devmap_hmm_migrate_to_device(hmm.range, config.devmem, 0, 1, NULL, NULL), EOPNOTSUPP);
	assert_ok(devmap_hmm_devmem_remove(config.devmem, 0, NULL, NULL));
	hmm_close(&hmm);
#else
	(void)state;
	skip();
#endif
}

static void assert_memory_is_refused(const struct hmm *hmm, void *memory, uint64_t length, int error)
{
	devmap_hmm_range_config config = config_of(hmm, (struct hmm_wish){.address = memory});

	config.length = length;
	assert_refused(&config, error);
}

static void memory_that_others_could_use_is_refused(void **state)
{
	const uint64_t length = 4 * PAGE_BYTES;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 4});
		FILE *file = tmpfile();
		void *memory;

		assert_non_null(file);
		assert_ok(ftruncate(fileno(file), (off_t)length));
		memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
		assert_ptr_not_equal(memory, MAP_FAILED);
		assert_memory_is_refused(&hmm, memory, length, EINVAL);
		assert_ok(munmap(memory, length));
		memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
		assert_ptr_not_equal(memory, MAP_FAILED);
		assert_memory_is_refused(&hmm, memory, length, EINVAL);
		assert_ok(munmap(memory, length));
		memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(memory, MAP_FAILED);
		assert_memory_is_refused(&hmm, memory, length, EINVAL);
		assert_ok(munmap(memory, length));
		/* A hole in the middle. */
		memory = map_anonymous(length);
		assert_ok(munmap((char *)memory + PAGE_BYTES, PAGE_BYTES));
		assert_memory_is_refused(&hmm, memory, length, EINVAL);
		assert_ok(munmap(memory, length));
		(void)fclose(file);
		hmm_close(&hmm);
	}
}

static char *child_memory;

static int child_reads_what_the_parent_wrote(void)
{
	let_signals_kill();
	return *(volatile char *)child_memory == 42 ? 0 : 1;
}

static void memory_that_was_refused_is_as_it_was(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	const uint64_t length = 4 * PAGE_BYTES;
	FILE *file = tmpfile();
	char *memory = map_anonymous(length);

	(void)state;
	assert_non_null(file);
	assert_ok(ftruncate(fileno(file), PAGE_BYTES));
	assert_ptr_equal(mmap(memory + 3 * PAGE_BYTES, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED, fileno(file), 0),
		memory + 3 * PAGE_BYTES);
	memory[0] = 42;
	assert_memory_is_refused(&hmm, memory, length, EINVAL);
	child_memory = memory;
	assert_int_equal(signal_of_child(child_reads_what_the_parent_wrote), 0);
	assert_ok(munmap(memory, length));
	(void)fclose(file);
	hmm_close(&hmm);
}

static int child_touches(void)
{
	let_signals_kill();
	return *(volatile char *)child_memory;
}

static void a_range_that_overlaps_another_map_is_refused(void **state)
{
	const uint64_t length = 4 * PAGE_BYTES;
	char *memory = map_anonymous(2 * length);
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4, .address = memory});
	devmap_pagemap *map = NULL;
	const devmap_pagemap_config map_config = {
		.size = sizeof(map_config),
		.backing = DEVMAP_BACKING_CALLER,
		.address = memory + length,
		.length = PAGE_BYTES,
	};
	devmap_pagemap_config inside = map_config;

	(void)state;
	memory[0] = 42;
	assert_ok(devmap_memremap_pages(&map_config, &map));
	assert_memory_is_refused(&hmm, memory, length, EEXIST);
	assert_memory_is_refused(&hmm, memory + 3 * PAGE_BYTES, length, EEXIST);
	assert_memory_is_refused(&hmm, memory + length, length, EEXIST);
	inside.address = memory + PAGE_BYTES;
	assert_error(devmap_memremap_pages(&inside, &map), EEXIST);
	/* The range was not harmed: a child does not have its memory, as ever. */
	child_memory = memory;
	assert_int_equal(signal_of_child(child_touches), SIGSEGV);
	destroy_map(map);
	hmm_close(&hmm);
	/* Now a child has it again. */
	assert_int_equal(signal_of_child(child_reads_what_the_parent_wrote), 0);
	assert_ok(munmap(memory, 2 * length));
}

static void calls_with_bad_arguments_are_refused(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	devmap_page *untouched = (devmap_page *)&untouched;
	devmap_page *page = untouched;
	devmap_hmm_range_stats stats;
	uint8_t states[5];

	(void)state;
	assert_error(devmap_hmm_range_get_pages(NULL, 0, 1, false, &page), EINVAL);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 0, false, &page), EINVAL);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, NULL), EINVAL);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 4, 1, false, &page), ERANGE);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 3, 2, false, &page), ERANGE);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 1, UINT64_MAX, false, &page), ERANGE);
	assert_error(devmap_hmm_range_get_pages(hmm.range, UINT64_MAX, 2, false, &page), ERANGE);
	assert_ptr_equal(page, untouched);
	assert_null(devmap_hmm_range_get_page_fast(NULL, 0, false));
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, 4, false));
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, UINT64_MAX, true));
	assert_error(devmap_hmm_migrate_to_device(NULL, NULL, 0, 1, NULL, NULL), EINVAL);
	assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 3, 2, NULL, NULL), ERANGE);
	assert_error(devmap_hmm_migrate_to_ram(NULL, 0, 1, NULL, NULL), EINVAL);
	assert_error(devmap_hmm_migrate_to_ram(hmm.range, 5, 0, NULL, NULL), ERANGE);
	assert_error(devmap_hmm_range_snapshot(NULL, 0, 1, states), EINVAL);
	assert_error(devmap_hmm_range_snapshot(hmm.range, 0, 1, NULL), EINVAL);
	assert_error(devmap_hmm_range_snapshot(hmm.range, 0, 5, states), ERANGE);
	assert_ok(devmap_hmm_range_snapshot(hmm.range, 4, 0, NULL));
	assert_error(devmap_hmm_range_stats_read(NULL, &stats, sizeof(stats)), EINVAL);
	assert_error(devmap_hmm_range_stats_read(hmm.range, NULL, sizeof(stats)), EINVAL);
	assert_error(devmap_hmm_range_set_limit(NULL, 0), EINVAL);
	assert_error(devmap_hmm_range_set_limit(hmm.range, 1), EINVAL);
	assert_error(devmap_hmm_range_remove(NULL, 0, NULL, NULL), EINVAL);
	assert_error(devmap_hmm_range_resume(NULL), EINVAL);
	assert_ok(devmap_hmm_range_free(NULL));
	assert_null(devmap_hmm_range_pagemap(NULL));
	assert_null(devmap_hmm_range_address(NULL));
	hmm_close(&hmm);
}

static void statistics_are_read_as_far_as_the_caller_knows_them(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4, .limit = 3});
	devmap_hmm_range_stats stats;

	(void)state;
	write_pages(&hmm, 0, 2, 1);
	memset(&stats, 0xee, sizeof(stats));
	assert_ok(devmap_hmm_range_stats_read(hmm.range, &stats, offsetof(devmap_hmm_range_stats, on_device)));
	assert_int_equal(stats.resident, 2);
	assert_int_equal(stats.copies, 0);
	assert_int_equal(stats.on_device, 0xeeeeeeeeeeeeeeee);
	assert_int_equal(range_stats(hmm.range).limit, 3);
	hmm_close(&hmm);
}

/* ---- a range is a map of its pages ------------------------------------------------------------------------------- */

static void a_ranges_pages_are_those_of_a_map_that_only_the_range_ends(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 4});
		devmap_pagemap *map = devmap_hmm_range_pagemap(hmm.range);
		devmap_page *page = NULL;

		assert_int_equal(atomic_load(&map->type), DEVMAP_MEMORY_DEVICE_HOST);
		assert_int_equal(map->nr_pages, 4);
		assert_int_equal(map->start, (uintptr_t)hmm.bytes);
		page = lease(&hmm, 2, 1, true);
		assert_ptr_equal(devmap_virt_to_page(bytes_of(&hmm, 2) + 100), page);
		assert_ptr_equal(devmap_page_address(page), bytes_of(&hmm, 2));
		assert_int_equal(devmap_page_count(page), 2);
		devmap_put_page(page);
		assert_int_equal(devmap_page_count(page), 1);
		assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EINVAL);
		assert_error(devmap_pagemap_free(map), EBUSY);
#ifdef DEVMAP_CONFIG_FS_DAX
		assert_int_not_equal(devmap_fs_dax_claim(map, &hmm, &counting_ops), 0);
#endif
		/* On the device the kernel's count is 0, and nobody can take the page through the map. */
		send_out(&hmm, 2, 1);
		assert_int_equal(devmap_page_count(page), 0);
		assert_error(devmap_try_get_page(page), EAGAIN);
		assert_error(devmap_pagemap_get_pages(map, 1, 2, &page), EAGAIN);
		assert_null(devmap_pagemap_get_page_fast(map, 2));
		bring_in(&hmm, 2, 1);
		assert_int_equal(devmap_page_count(page), 1);
		assert_ok(devmap_try_get_page(page));
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 2, 1, NULL, NULL), EBUSY);
		devmap_put_page(page);
		hmm_close(&hmm);
	}
}

static void a_ranges_handle_outlives_its_removal(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 4});
		devmap_page *page = NULL;
		uint8_t states[4];

		write_pages(&hmm, 0, 4, 1);
		send_out(&hmm, 0, 2);
		assert_error(devmap_hmm_range_free(hmm.range), EBUSY);
		assert_ok(devmap_hmm_range_resume(hmm.range));
		assert_ok(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL));
		assert_error(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL), ENODEV);
		assert_error(devmap_hmm_range_resume(hmm.range), ENODEV);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &page), ENODEV);
		assert_null(devmap_hmm_range_get_page_fast(hmm.range, 3, false));
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 1, NULL, NULL), ENODEV);
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 1, NULL, NULL), ENODEV);
		assert_error(devmap_hmm_range_snapshot(hmm.range, 0, 4, states), ENODEV);
		assert_error(devmap_hmm_range_set_limit(hmm.range, 0), ENODEV);
		assert_int_equal(pages_used(hmm.memory), 0);
		assert_ok(devmap_hmm_range_free(hmm.range));
		hmm_close_rest(&hmm);
	}
}

/* Nothing of it is looked at: not its device memory, and not what it counted. */
static void a_ranges_handle_outlives_its_device(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 4, .event_capacity = 4});
		devmap_hmm_migration summary;
		devmap_hmm_range_stats stats;
		devmap_page *page = NULL;
		devmap_hmm_event event;
		uint64_t lost = 0;
		uint8_t states[4];

		write_pages(&hmm, 0, 4, 1);
		send_out(&hmm, 0, 2);
		assert_ok(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL));
		hmm_close_rest(&hmm);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &page), ENODEV);
		assert_null(devmap_hmm_range_get_page_fast(hmm.range, 3, false));
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 4, NULL, &summary), ENODEV);
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 4, NULL, &summary), ENODEV);
		assert_error(devmap_hmm_range_set_limit(hmm.range, PAGE_BYTES), ENODEV);
		assert_error(devmap_hmm_range_snapshot(hmm.range, 0, 4, states), ENODEV);
		assert_error(devmap_hmm_range_stats_read(hmm.range, &stats, sizeof(stats)), ENODEV);
		/* One event that nobody took. */
		assert_int_equal(devmap_hmm_range_wait_events(hmm.range, &event, 1, 0, NULL, &lost), 1);
		assert_error(devmap_hmm_range_wait_events(hmm.range, &event, 1, 0, NULL, &lost), ENODEV);
		assert_error(
			devmap_hmm_range_wait_events(hmm.range, &event, 1, DEVMAP_WAIT_FOREVER, NULL, &lost), ENODEV);
		assert_error(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL), ENODEV);
		assert_ok(devmap_hmm_range_free(hmm.range));
	}
}

/* ---- where pages are -------------------------------------------------------------------------------------------- */

static void a_page_goes_through_its_states(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 3});
		devmap_page *page;

		assert_int_equal(state_of(&hmm, 1), STATE_HOLE);
		send_out(&hmm, 1, 1);
		bring_in(&hmm, 1, 1);
		assert_int_equal(state_of(&hmm, 1), STATE_HOLE);
		page = lease(&hmm, 1, 1, false);
		assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT | STATE_PINNED);
		assert_true(page_is_zero(bytes_of(&hmm, 1), PAGE_BYTES));
		devmap_put_page(page);
		assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT);
		write_pages(&hmm, 1, 1, 7);
		send_out(&hmm, 1, 1);
		assert_int_equal(state_of(&hmm, 1), STATE_DEVICE);
		assert_int_equal(pages_used(hmm.memory), 1);
		bring_in(&hmm, 1, 1);
		assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT);
		assert_int_equal(pages_used(hmm.memory), 0);
		assert_true(pages_are(&hmm, 1, 1, 7));
		assert_int_equal(state_of(&hmm, 0), STATE_HOLE);
		assert_int_equal(state_of(&hmm, 2), STATE_HOLE);
		hmm_close(&hmm);
	}
}

static void a_kept_copy_lasts_until_the_page_is_written(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 3,
		.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
	});
	devmap_page *page;

	(void)state;
	write_pages(&hmm, 0, 1, 1);
	send_out(&hmm, 0, 1);
	assert_true(pages_are(&hmm, 0, 1, 1));
	assert_int_equal(state_of(&hmm, 0), STATE_KEPT);
	assert_int_equal(range_stats(hmm.range).copies, 1);
	assert_int_equal(pages_used(hmm.memory), 1);
	/* Away again, and nothing is copied. */
	send_out(&hmm, 0, 1);
	assert_int_equal(state_of(&hmm, 0), STATE_DEVICE);
	assert_int_equal(hmm.memory->written, 1);
	assert_int_equal(range_stats(hmm.range).to_device, 2);
	assert_int_equal(range_stats(hmm.range).to_device_uncopied, 1);
	assert_int_equal(range_stats(hmm.range).copies, 0);
	bring_in(&hmm, 0, 1);
	assert_int_equal(state_of(&hmm, 0), STATE_KEPT);
	/* Leased for reading, then for writing as well: the lease ends the copy, not the write. */
	page = lease(&hmm, 0, 1, false);
	assert_int_equal(state_of(&hmm, 0), STATE_KEPT | STATE_PINNED);
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, 0, true));
	assert_ptr_equal(lease(&hmm, 0, 1, true), page);
	assert_int_equal(state_of(&hmm, 0), STATE_RESIDENT | STATE_PINNED);
	assert_int_equal(range_stats(hmm.range).copies, 0);
	assert_int_equal(pages_used(hmm.memory), 0);
	fill_page(bytes_of(&hmm, 0), PAGE_BYTES, 0, 2);
	devmap_put_page_refs(page, 2);
	send_out(&hmm, 0, 1);
	assert_int_equal(hmm.memory->written, 2);
	/* A lease for writing does not even begin with a copy. */
	page = lease(&hmm, 0, 1, true);
	assert_int_equal(state_of(&hmm, 0), STATE_RESIDENT | STATE_PINNED);
	assert_true(page_is(bytes_of(&hmm, 0), PAGE_BYTES, 0, 2));
	devmap_put_page(page);
	hmm_close(&hmm);
}

/* The handler may be managed code, which could wait for a thread whose fault waits for the page that is locked here. */
static void no_handler_is_called_while_a_page_is_locked(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 1});
	uint64_t before = stats_now().faults_overflow;
	devmap_page *page;

	(void)state;
	page = lease(&hmm, 0, 1, true);
	set_refcount(page, INT32_MAX);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, true, &page), EOVERFLOW);
	assert_int_equal(stats_now().faults_overflow, before + 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_OVERFLOW), 0);
	set_refcount(page, 1);
	devmap_put_page(page);
	hmm_close(&hmm);
}

/* Where no fault is served nothing is write-protected, and a copy could go stale unheard of. */
static void no_copy_is_kept_where_no_fault_is_served(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 1, .flags = DEVMAP_HMM_RANGE_KEEP_COPIES});
	devmap_page *page;

	(void)state;
	write_pages(&hmm, 0, 1, 1);
	send_out(&hmm, 0, 1);
	page = lease(&hmm, 0, 1, false);
	assert_int_equal(state_of(&hmm, 0), STATE_RESIDENT | STATE_PINNED);
	assert_int_equal(pages_used(hmm.memory), 0);
	fill_page(bytes_of(&hmm, 0), PAGE_BYTES, 0, 2);
	devmap_put_page(page);
	send_out(&hmm, 0, 1);
	assert_true(pages_are(&hmm, 0, 1, 2));
	hmm_close(&hmm);
}

static void a_snapshot_tells_every_page(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 200});
	uint8_t states[200];
	devmap_page *page;
	uint32_t i;

	(void)state;
	write_pages(&hmm, 70, 60, 1);
	send_out(&hmm, 90, 20);
	page = lease(&hmm, 71, 3, false);
	memset(states, 0xff, sizeof(states));
	assert_ok(devmap_hmm_range_snapshot(hmm.range, 0, 200, states));
	for (i = 0; i < 200; i++) {
		uint32_t expected = i < 70 || i >= 130 ? STATE_HOLE : i >= 90 && i < 110 ? STATE_DEVICE : STATE_RESIDENT;

		if (i >= 71 && i < 74)
			expected |= STATE_PINNED;
		assert_int_equal(states[i], expected);
	}
	devmap_put_pages(page, 3);
	hmm_close(&hmm);
}

/* ---- leases ----------------------------------------------------------------------------------------------------- */

static void pages_are_leased_all_or_none(void **state)
{
	uint32_t i, failing;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++)
		for (failing = 0; failing < 12; failing++) {
			struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 16});
			devmap_page *page = NULL;
			uint32_t j;

			write_pages(&hmm, 0, 12, 1);
			/* Some of each: resident, on the device, holes. */
			send_out(&hmm, 2, 10);
			hmm.memory->failing_reads = UINT64_C(1) << failing;
			if (failing < 2) {
				assert_ptr_equal(lease(&hmm, 0, 16, false), devmap_hmm_range_pagemap(hmm.range)->pages);
				devmap_put_pages(devmap_hmm_range_pagemap(hmm.range)->pages, 16);
			} else {
				assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 16, false, &page), EIO);
				assert_null(page);
				assert_int_equal(state_of(&hmm, failing), STATE_DEVICE);
			}
			for (j = 0; j < 16; j++)
				assert_false(state_of(&hmm, j) & STATE_PINNED);
			hmm.memory->failing_reads = 0;
			assert_true(pages_are(&hmm, 0, 12, 1));
			hmm_close(&hmm);
		}
}

static void a_leased_page_is_no_fault_to_touch(void **state)
{
	uint32_t flags;

	(void)state;
	for (flags = 0; flags <= DEVMAP_HMM_RANGE_KEEP_COPIES; flags++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.nr_pages = 40,
			.flags = flags,
		});
		devmap_page *page;
		uint32_t i;

		write_pages(&hmm, 0, 20, 3);
		send_out(&hmm, 0, 40);
		/* The other half is holes. */
		page = lease(&hmm, 0, 40, false);
		for (i = 0; i < 20; i++)
			assert_true(page_is(bytes_of(&hmm, i), PAGE_BYTES, i, 3));
		for (; i < 40; i++)
			assert_true(page_is_zero(bytes_of(&hmm, i), PAGE_BYTES));
		assert_int_equal(nr_faults(&hmm), 0);
		devmap_put_pages(page, 40);
		page = lease(&hmm, 0, 40, true);
		for (i = 0; i < 40; i++)
			fill_page(bytes_of(&hmm, i), PAGE_BYTES, i, 4);
		assert_int_equal(nr_faults(&hmm), 0);
		/* While it is leased, nobody can send it away. */
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 40, NULL, NULL), EBUSY);
		for (i = 0; i < 40; i++)
			assert_true(page_is(bytes_of(&hmm, i), PAGE_BYTES, i, 4));
		assert_int_equal(nr_faults(&hmm), 0);
		devmap_put_pages(page, 40);
		hmm_close(&hmm);
	}
}

static void the_fast_lease_takes_what_is_there(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 3,
		.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
	});
	devmap_page *page = &devmap_hmm_range_pagemap(hmm.range)->pages[1];

	(void)state;
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, 1, false));
	write_pages(&hmm, 1, 1, 1);
	assert_ptr_equal(devmap_hmm_range_get_page_fast(hmm.range, 1, true), page);
	assert_ptr_equal(devmap_hmm_range_get_page_fast(hmm.range, 1, false), page);
	devmap_put_page_refs(page, 2);
	send_out(&hmm, 1, 1);
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, 1, false));
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, 1, true));
	bring_in(&hmm, 1, 1);
	assert_null(devmap_hmm_range_get_page_fast(hmm.range, 1, true));
	assert_ptr_equal(devmap_hmm_range_get_page_fast(hmm.range, 1, false), page);
	devmap_put_page(page);
	assert_int_equal(state_of(&hmm, 1), STATE_KEPT);
	hmm_close(&hmm);
}

/* ---- the resident limit ------------------------------------------------------------------------------------------ */

static void the_limit_is_kept_by_leases(void **state)
{
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 64, .limit = 8});

		for (j = 0; j < 64; j++) {
			write_pages(&hmm, j, 1, 5);
			assert_true(range_stats(hmm.range).resident <= 8);
		}
		for (j = 0; j < 64; j++) {
			assert_true(pages_are(&hmm, (j * 29) % 64, 1, 5));
			assert_true(range_stats(hmm.range).resident <= 8);
		}
		assert_ok(devmap_hmm_migrate_to_ram(hmm.range, 0, 64, NULL, NULL));
		assert_true(range_stats(hmm.range).resident <= 8);
		assert_true(pages_are(&hmm, 0, 64, 5));
		assert_int_equal(range_stats(hmm.range).over_limit, 0);
		assert_int_equal(range_stats(hmm.range).resident + range_stats(hmm.range).on_device, 64);
		hmm_close(&hmm);
	}
}

static void a_lease_beyond_the_limit_takes_nothing(void **state)
{
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 64, .limit = 8});
		devmap_hmm_migration summary;
		devmap_page *page = NULL, *held;

		write_pages(&hmm, 0, 32, 5);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 9, true, &page), EBUSY);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 20, 40, true, &page), EBUSY);
		assert_null(page);
		for (j = 0; j < 64; j++)
			assert_false(state_of(&hmm, j) & STATE_PINNED);
		held = lease(&hmm, 0, 6, false);
		page = lease(&hmm, 10, 2, false);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 20, 1, false, &page), EBUSY);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 60, 1, false, &page), EBUSY);
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 20, 2, NULL, &summary), EBUSY);
		assert_int_equal(summary.in_use, 2);
		assert_int_equal(summary.first_failed, 20);
		devmap_put_pages(page, 2);
		devmap_put_page(lease(&hmm, 20, 1, false));
		devmap_put_pages(held, 6);
		held = lease(&hmm, 56, 8, true);
		devmap_put_pages(held, 8);
		assert_true(pages_are(&hmm, 0, 32, 5));
		assert_int_equal(range_stats(hmm.range).over_limit, 0);
		hmm_close(&hmm);
	}
}

static void a_fault_is_served_beyond_the_limit_where_all_else_is_in_use(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 16, .limit = 4});
	devmap_page *held;

	(void)state;
	write_pages(&hmm, 0, 16, 6);
	held = lease(&hmm, 4, 4, true);
	assert_int_equal(range_stats(hmm.range).over_limit, 0);
	assert_true(page_is(bytes_of(&hmm, 0), PAGE_BYTES, 0, 6));
	assert_int_equal(range_stats(hmm.range).over_limit, 1);
	assert_int_equal(range_stats(hmm.range).resident, 5);
	/* The page that is too many may go, so the next one is not. */
	assert_true(page_is(bytes_of(&hmm, 1), PAGE_BYTES, 1, 6));
	devmap_put_pages(held, 4);
	assert_true(page_is(bytes_of(&hmm, 2), PAGE_BYTES, 2, 6));
	assert_true(range_stats(hmm.range).resident <= 4);
	assert_true(pages_are(&hmm, 0, 16, 6));
	hmm_close(&hmm);
}

static void a_fault_is_served_beyond_the_limit_where_nothing_can_be_copied_out(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 8, .limit = 2});
	devmap_page *page = NULL;
	uint32_t i;

	(void)state;
	hmm.memory->failing_writes = ALL_PAGES;
	for (i = 0; i < 6; i++)
		fill_page(bytes_of(&hmm, i), PAGE_BYTES, i, 6);
	assert_int_equal(range_stats(hmm.range).resident, 6);
	assert_int_equal(range_stats(hmm.range).over_limit, 4);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 7, 1, false, &page), EIO);
	assert_int_equal(pages_used(hmm.memory), 0);
	hmm.memory->failing_writes = 0;
	devmap_put_page(lease(&hmm, 7, 1, false));
	assert_true(range_stats(hmm.range).resident <= 2);
	for (i = 0; i < 6; i++)
		assert_true(page_is(bytes_of(&hmm, i), PAGE_BYTES, i, 6));
	hmm_close(&hmm);
}

static void a_new_limit_is_kept_at_once_as_far_as_can_be(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 64});
		devmap_page *held;

		assert_int_equal(range_stats(hmm.range).limit, 64);
		write_pages(&hmm, 0, 64, 7);
		assert_int_equal(range_stats(hmm.range).resident, 64);
		assert_ok(devmap_hmm_range_set_limit(hmm.range, 10 * PAGE_BYTES));
		assert_true(range_stats(hmm.range).resident <= 10);
		assert_int_equal(range_stats(hmm.range).limit, 10);
		held = lease(&hmm, 0, 10, false);
		assert_error(devmap_hmm_range_set_limit(hmm.range, 4 * PAGE_BYTES), EBUSY);
		assert_int_equal(range_stats(hmm.range).resident, 10);
		assert_int_equal(range_stats(hmm.range).limit, 4);
		devmap_put_pages(held, 10);
		assert_ok(devmap_hmm_range_set_limit(hmm.range, 4 * PAGE_BYTES));
		assert_true(range_stats(hmm.range).resident <= 4);
		assert_ok(devmap_hmm_range_set_limit(hmm.range, 0));
		bring_in(&hmm, 0, 64);
		assert_int_equal(range_stats(hmm.range).resident, 64);
		assert_true(pages_are(&hmm, 0, 64, 7));
		hmm_close(&hmm);
	}
}

static void a_range_without_device_memory_has_no_limit(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	devmap_hmm_range_config config = config_of(&hmm, (struct hmm_wish){0});
	devmap_hmm_range *range;

	(void)state;
	config.devmem = NULL;
	range = range_new(&config);
	assert_error(devmap_hmm_range_set_limit(range, PAGE_BYTES), EINVAL);
	assert_ok(devmap_hmm_range_set_limit(range, 0));
	assert_error(devmap_hmm_migrate_to_device(range, NULL, 0, 1, NULL, NULL), EINVAL);
	assert_ok(devmap_hmm_migrate_to_device(range, hmm.memory->devmem, 0, 1, NULL, NULL));
	range_end(range);
	hmm_close(&hmm);
}

/* Of 40 resident pages the 20 of the first half have no copy, and the device is full: but the others can go. */
static void a_full_device_takes_what_it_has_a_copy_of(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 80,
		.nr_device_pages = 40,
		.limit = 40,
		.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
	});
	uint32_t i;

	(void)state;
	write_pages(&hmm, 0, 40, 1);
	send_out(&hmm, 0, 40);
	/* 20 kept copies, 20 on the device only, and 20 dirty ones. */
	bring_in(&hmm, 0, 20);
	for (i = 0; i < 20; i++)
		write_pages(&hmm, 40 + i, 1, 1);
	assert_int_equal(pages_used(hmm.memory), 40);
	assert_int_equal(range_stats(hmm.range).resident, 40);
	for (i = 20; i < 40; i++)
		assert_true(pages_are(&hmm, i, 1, 1));
	assert_true(pages_are(&hmm, 0, 60, 1));
	hmm_close(&hmm);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_HMM
		contract(a_bad_configuration_is_refused),
		contract(device_memory_that_cannot_be_copied_to_is_refused),
		contract(memory_that_others_could_use_is_refused),
		contract(memory_that_was_refused_is_as_it_was),
		contract(a_range_that_overlaps_another_map_is_refused),
		contract(calls_with_bad_arguments_are_refused),
		contract(statistics_are_read_as_far_as_the_caller_knows_them),
		contract(a_ranges_pages_are_those_of_a_map_that_only_the_range_ends),
		contract(a_ranges_handle_outlives_its_removal),
		contract(a_ranges_handle_outlives_its_device),
		contract(a_page_goes_through_its_states),
		contract(a_kept_copy_lasts_until_the_page_is_written),
		contract(no_copy_is_kept_where_no_fault_is_served),
		contract(no_handler_is_called_while_a_page_is_locked),
		contract(a_snapshot_tells_every_page),
		contract(pages_are_leased_all_or_none),
		contract(a_leased_page_is_no_fault_to_touch),
		contract_of_counts(the_fast_lease_takes_what_is_there),
		contract(the_limit_is_kept_by_leases),
		contract(a_lease_beyond_the_limit_takes_nothing),
		contract(a_fault_is_served_beyond_the_limit_where_all_else_is_in_use),
		contract(a_fault_is_served_beyond_the_limit_where_nothing_can_be_copied_out),
		contract(a_new_limit_is_kept_at_once_as_far_as_can_be),
		contract(a_range_without_device_memory_has_no_limit),
		contract(a_full_device_takes_what_it_has_a_copy_of),
#else
		contract(hmm_is_absent),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
