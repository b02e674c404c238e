/* SPDX-License-Identifier: MIT */
/* Migration: what it answers for each page, what errors do and do not do to the data, and where pages can go. */
#include "hmm_fixture.h"

#ifdef DEVMAP_CONFIG_HMM

static void assert_results(const int32_t *results, const int32_t *expected, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		assert_int_equal(results[i], expected[i]);
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

static void a_migration_tells_what_it_did_with_each_page(void **state)
{
	static const int32_t out[6] = {1, 1, -EBUSY, 0, 1, 0};
	static const int32_t in[6] = {1, 1, 0, 1, 1, 0};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 7});
		devmap_hmm_migration summary;
		int32_t results[7];
		devmap_page *page;

		/* Page 3 is on the device already, page 5 a hole. */
		write_pages(&hmm, 0, 5, 1);
		send_out(&hmm, 3, 1);
		page = lease(&hmm, 2, 1, false);
		memset(results, 0x77, sizeof(results));
		memset(&summary, 0x77, sizeof(summary));
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 6, results, &summary), EBUSY);
		assert_results(results, out, 6);
		assert_int_equal(results[6], 0x77777777);
		assert_int_equal(summary.migrated, 3);
		assert_int_equal(summary.absent, 2);
		assert_int_equal(summary.in_use, 1);
		assert_int_equal(summary.failed, 0);
		assert_int_equal(summary.first_failed, 2);
		assert_int_equal(summary.error, -EBUSY);
		assert_int_equal(range_stats(hmm.range).refused_in_use, 1);
		assert_int_equal(range_stats(hmm.range).to_device, 4);
		assert_int_equal(range_stats(hmm.range).on_device, 4);
		assert_int_equal(range_stats(hmm.range).resident, 1);
		devmap_put_page(page);
		assert_ok(devmap_hmm_migrate_to_ram(hmm.range, 0, 6, results, &summary));
		assert_results(results, in, 6);
		assert_int_equal(summary.migrated, 4);
		assert_int_equal(summary.absent, 2);
		assert_int_equal(summary.in_use, 0);
		assert_int_equal(summary.error, 0);
		assert_int_equal(range_stats(hmm.range).to_ram, 4);
		assert_true(pages_are(&hmm, 0, 5, 1));
		/* No pages are no work. */
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 7, 0, NULL, &summary));
		assert_int_equal(summary.migrated + summary.absent + summary.in_use + summary.failed, 0);
		hmm_close(&hmm);
	}
}

static void a_page_in_use_stays(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 100});
	devmap_hmm_migration summary;
	devmap_page *page;

	(void)state;
	write_pages(&hmm, 0, 100, 1);
	page = lease(&hmm, 50, 5, true);
	devmap_get_page(&page[2]);
	assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 100, NULL, &summary), EBUSY);
	assert_int_equal(summary.migrated, 95);
	assert_int_equal(summary.in_use, 5);
	assert_int_equal(summary.first_failed, 50);
	devmap_put_pages(page, 5);
	/* One has another reference. */
	assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 100, NULL, &summary), EBUSY);
	assert_int_equal(summary.migrated, 4);
	assert_int_equal(summary.absent, 95);
	assert_int_equal(summary.first_failed, 52);
	devmap_put_page(&page[2]);
	assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 100, NULL, &summary));
	assert_int_equal(pages_used(hmm.memory), 100);
	assert_true(pages_are(&hmm, 0, 100, 1));
	hmm_close(&hmm);
}

/* ---- errors ----------------------------------------------------------------------------------------------------- */

static void a_page_that_cannot_be_copied_out_stays_and_its_neighbours_go(void **state)
{
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 40});
		devmap_hmm_migration summary;
		int32_t results[40];

		write_pages(&hmm, 0, 40, 2);
		hmm.memory->failing_writes = UINT64_C(1) << 3 | UINT64_C(1) << 4 | UINT64_C(1) << 39;
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 40, results, &summary), EIO);
		for (j = 0; j < 40; j++) {
			bool fails = j == 3 || j == 4 || j == 39;

			assert_int_equal(results[j], fails ? -EIO : 1);
			assert_int_equal(state_of(&hmm, j), fails ? STATE_RESIDENT : STATE_DEVICE);
			assert_int_equal(devmap_page_count(&devmap_hmm_range_pagemap(hmm.range)->pages[j]), fails);
		}
		assert_int_equal(summary.migrated, 37);
		assert_int_equal(summary.failed, 3);
		assert_int_equal(summary.first_failed, 3);
		assert_int_equal(pages_used(hmm.memory), 37);
		assert_int_equal(range_stats(hmm.range).failed, 3);
		/* What stayed is memory as before: no fault to write. */
		fill_page(bytes_of(&hmm, 3), PAGE_BYTES, 3, 4);
		assert_int_equal(nr_faults(&hmm), 0);
		hmm.memory->failing_writes = 0;
		send_out(&hmm, 0, 40);
		assert_true(pages_are(&hmm, 3, 1, 4));
		assert_true(pages_are(&hmm, 4, 36, 2));
		hmm_close(&hmm);
	}
}

static void a_page_that_cannot_be_copied_back_stays_and_its_neighbours_come(void **state)
{
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 40});
		devmap_hmm_migration summary;
		int32_t results[40];

		write_pages(&hmm, 0, 40, 2);
		send_out(&hmm, 0, 40);
		hmm.memory->failing_reads = UINT64_C(1) | UINT64_C(1) << 17;
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 40, results, &summary), EIO);
		for (j = 0; j < 40; j++) {
			bool fails = j == 0 || j == 17;

			assert_int_equal(results[j], fails ? -EIO : 1);
			assert_int_equal(state_of(&hmm, j), fails ? STATE_DEVICE : STATE_RESIDENT);
		}
		assert_int_equal(summary.failed, 2);
		assert_int_equal(summary.first_failed, 0);
		assert_int_equal(range_stats(hmm.range).resident, 38);
		assert_int_equal(range_stats(hmm.range).on_device, 2);
		assert_int_equal(pages_used(hmm.memory), 2);
		hmm.memory->failing_reads = 0;
		assert_true(pages_are(&hmm, 0, 40, 2));
		hmm_close(&hmm);
	}
}

static void what_a_driver_answers_is_what_the_caller_gets(void **state)
{
	static const int32_t no_errors[] = {5000, 1, -EBUSY, -4096, INT32_MIN};
	devmap_hmm_migration summary;
	uint32_t i;
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	devmap_page *page = NULL;

	(void)state;
	write_pages(&hmm, 0, 2, 1);
	hmm.memory->failing_writes = ALL_PAGES;
	hmm.memory->error = -ENOMEM;
	assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 2, NULL, NULL), ENOMEM);
	/* No errno values, and the one that says what the driver can't know. */
	for (i = 0; i < ARRAY_LENGTH(no_errors); i++) {
		hmm.memory->error = no_errors[i];
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 2, NULL, &summary), EIO);
		assert_int_equal(summary.in_use, 0);
		/* Nobody waits for what won't go. */
		assert_error(devmap_hmm_range_set_limit(hmm.range, PAGE_BYTES), EIO);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 2, 1, false, &page), EIO);
		assert_ok(devmap_hmm_range_set_limit(hmm.range, 0));
	}
	hmm.memory->failing_writes = 0;
	send_out(&hmm, 0, 2);
	hmm.memory->failing_reads = ALL_PAGES;
	for (i = 0; i < ARRAY_LENGTH(no_errors); i++) {
		hmm.memory->error = no_errors[i];
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 2, NULL, NULL), EIO);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &page), EIO);
	}
	hmm.memory->error = -EREMOTEIO;
	assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 2, false, &page), EREMOTEIO);
	hmm.memory->failing_reads = 0;
	assert_true(pages_are(&hmm, 0, 2, 1));
	hmm_close(&hmm);
}

static void a_full_device_takes_no_more(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 20, .nr_device_pages = 8});
		devmap_hmm_migration summary;
		int32_t results[20];
		devmap_page *page = NULL;
		uint32_t j;

		write_pages(&hmm, 0, 20, 1);
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 20, results, &summary), ENOSPC);
		assert_int_equal(summary.migrated, 8);
		assert_int_equal(summary.failed, 12);
		assert_int_equal(summary.first_failed, 8);
		for (j = 0; j < 20; j++)
			assert_int_equal(results[j], j < 8 ? 1 : -ENOSPC);
		assert_int_equal(pages_used(hmm.memory), 8);
		/* A limit that the device has no room for. */
		assert_error(devmap_hmm_range_set_limit(hmm.range, 10 * PAGE_BYTES), ENOSPC);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &page), ENOSPC);
		assert_ok(devmap_hmm_range_set_limit(hmm.range, 0));
		assert_true(pages_are(&hmm, 0, 20, 1));
		hmm_close(&hmm);
	}
}

/* ---- page sizes, ranges, devices -------------------------------------------------------------------------------- */

static void every_page_size_migrates(void **state)
{
	static const uint64_t page_sizes[] = {4 * KIB, 64 * KIB, 2 * MIB};
	uint32_t i, j, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++)
		for (j = 0; j < ARRAY_LENGTH(both_modes); j++)
			for (flags = 0; flags < 2; flags++) {
				struct hmm hmm = hmm_open((struct hmm_wish){
					.faults = both_modes[j],
					.nr_pages = 9,
					.page_size = page_sizes[i],
					.limit = 3,
					.flags = flags,
				});
				uint64_t k;

				assert_int_equal((uintptr_t)hmm.bytes % page_sizes[i], 0);
				assert_int_equal(1u << devmap_hmm_range_pagemap(hmm.range)->page_shift, page_sizes[i]);
				write_pages(&hmm, 0, 9, 5);
				assert_true(range_stats(hmm.range).resident <= 3);
				assert_true(pages_are(&hmm, 0, 9, 5));
				if (both_modes[j] == DEVMAP_HMM_FAULTS_ALL) {
					/* One fault brings a page in, whichever byte is touched. */
					send_out(&hmm, 0, 9);
					assert_int_equal(range_stats(hmm.range).faults_device, 0);
					for (k = 0; k < 9; k++)
						assert_true(page_is(bytes_of(&hmm, k), page_sizes[i], k, 5));
					assert_int_equal(range_stats(hmm.range).faults_device, 9);
					bytes_of(&hmm, 8)[page_sizes[i] - 1] = 1;
					assert_int_equal(range_stats(hmm.range).faults_write, flags);
				}
				hmm_close(&hmm);
			}
}

static void the_page_size_is_the_device_memorys_where_none_is_said(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 2, .page_size = 64 * KIB});
	devmap_hmm_range_config config = config_of(&hmm, (struct hmm_wish){0});
	struct device_memory *small = device_memory_new(hmm.device, 32, PAGE_BYTES);
	devmap_hmm_range *range = range_new(&config);

	(void)state;
	assert_int_equal(devmap_hmm_range_pagemap(range)->page_shift, 16);
	assert_error(devmap_hmm_migrate_to_device(range, small->devmem, 0, 1, NULL, NULL), EINVAL);
	range_end(range);
	config.devmem = NULL;
	range = range_new(&config);
	assert_int_equal(devmap_hmm_range_pagemap(range)->page_shift, 12);
	assert_ok(devmap_hmm_migrate_to_device(range, small->devmem, 0, 32, NULL, NULL));
	range_end(range);
	device_memory_end(small);
	hmm_close(&hmm);
}

static void ranges_share_a_device_and_its_memory(void **state)
{
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm ranges[3] = {
			hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 10, .nr_device_pages = 20}),
		};

		for (j = 1; j < 3; j++) {
			const devmap_hmm_range_config config = config_of(&ranges[0], (struct hmm_wish){.limit = 5});

			ranges[j] = ranges[0];
			ranges[j].range = range_new(&config);
			ranges[j].bytes = devmap_hmm_range_address(ranges[j].range);
		}
		for (j = 0; j < 3; j++)
			write_pages(&ranges[j], 0, 10, j);
		assert_int_equal(pages_used(ranges[0].memory), 10);
		send_out(&ranges[0], 0, 10);
		for (j = 0; j < 3; j++)
			assert_true(pages_are(&ranges[j], 0, 10, j));
		range_end(ranges[1].range);
		if (both_modes[i] == DEVMAP_HMM_FAULTS_ALL) {
			send_out(&ranges[0], 0, 10);
			assert_true(page_is(bytes_of(&ranges[0], 4), PAGE_BYTES, 4, 0));
			assert_true(page_is(bytes_of(&ranges[2], 4), PAGE_BYTES, 4, 2));
		}
		range_end(ranges[2].range);
		assert_true(pages_are(&ranges[0], 0, 10, 0));
		hmm_close(&ranges[0]);
	}
}

static void pages_move_between_devices_through_memory(void **state)
{
	uint32_t i, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++)
		for (flags = 0; flags < 2; flags++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = both_modes[i],
				.nr_pages = 40,
				.flags = flags,
			});
			devmap_hmm_device *device = device_new(DEVMAP_HMM_FAULTS_NONE, 0);
			struct device_memory *other = device_memory_new(device, 40, PAGE_BYTES);
			devmap_hmm_migration summary;

			write_pages(&hmm, 0, 40, 1);
			send_out(&hmm, 0, 20);
			assert_ok(devmap_hmm_migrate_to_device(hmm.range, other->devmem, 0, 40, NULL, &summary));
			assert_int_equal(summary.migrated, 40);
			assert_int_equal(pages_used(hmm.memory), 0);
			assert_int_equal(pages_used(other), 40);
			/* A copy that one device keeps is none for the other. */
			assert_true(pages_are(&hmm, 0, 10, 1));
			assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 10, NULL, &summary));
			assert_int_equal(summary.migrated, 10);
			assert_int_equal(pages_used(hmm.memory), 10);
			assert_int_equal(pages_used(other), 30);
			/* A range of pages of both comes back, and one that cannot leave stays where it is. */
			hmm.memory->failing_reads = UINT64_C(1) << 2;
			assert_error(devmap_hmm_migrate_to_device(hmm.range, other->devmem, 0, 40, NULL, &summary), EIO);
			assert_int_equal(summary.first_failed, 2);
			assert_int_equal(summary.migrated, 9);
			assert_int_equal(summary.absent, 30);
			assert_int_equal(pages_used(hmm.memory), 1);
			hmm.memory->failing_reads = 0;
			assert_true(pages_are(&hmm, 0, 40, 1));
			assert_int_equal(range_stats(hmm.range).resident, 40);
			range_end(hmm.range);
			device_memory_end(other);
			devmap_hmm_device_put(device);
			hmm_close_rest(&hmm);
		}
}

static void device_memory_outlives_nobodys_pages(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	devmap_busy_report busy = {.pages = NULL};

	(void)state;
	write_pages(&hmm, 0, 4, 1);
	send_out(&hmm, 1, 2);
	assert_error(devmap_hmm_devmem_remove(hmm.memory->devmem, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 2);
	/* It takes no more, and gives back what it has. */
	assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 1, NULL, NULL), ENODEV);
	assert_true(pages_are(&hmm, 0, 4, 1));
	assert_int_equal(pages_used(hmm.memory), 0);
	hmm_close(&hmm);
}

/* ---- the other kinds of device memory --------------------------------------------------------------------------- */

#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC

static void nothing_hears_of_it(devmap_hmm_devmem *devmem, devmap_page *page)
{
	(void)devmem;
	(void)page;
}

static void memory_that_the_cpu_can_address_is_copied_by_the_library(void **state)
{
	static const devmap_hmm_devmem_ops ops = {.free = nothing_hears_of_it, .fault = devmap_hmm_fault_to_ram};
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4});
	char *memory = map_anonymous(4 * PAGE_BYTES);
	const devmap_hmm_resource resource = {
		.start = memory,
		.length = 4 * PAGE_BYTES,
		.desc = DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY,
	};
	devmap_hmm_devmem *devmem = NULL;
	devmap_hmm_migration summary;

	(void)state;
	assert_ok(devmap_hmm_devmem_add_resource(&ops, hmm.device, &resource, PAGE_BYTES, NULL, &devmem));
	write_pages(&hmm, 0, 4, 3);
	assert_ok(devmap_hmm_migrate_to_device(hmm.range, devmem, 2, 1, NULL, &summary));
	assert_int_equal(summary.migrated, 1);
	assert_int_equal(state_of(&hmm, 2), DEVMAP_HMM_PAGE_DEVICE | DEVMAP_HMM_PAGE_PUBLIC);
	assert_int_equal(devmap_hmm_devmem_pages_used(devmem), 1);
	/* The CPU can look at it there. */
	assert_true(page_is(memory, PAGE_BYTES, 2, 3));
	assert_true(pages_are(&hmm, 0, 4, 3));
	assert_int_equal(devmap_hmm_devmem_pages_used(devmem), 0);
	assert_ok(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL));
	assert_ok(munmap(memory, 4 * PAGE_BYTES));
	hmm_close(&hmm);
}

#endif

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE

enum { NR_SLOTS = 16 };

struct slots {
	devmap_store store;
	bool closed;
	uint32_t discarded;
	char bytes[NR_SLOTS][PAGE_BYTES];
};

static void slots_write(devmap_store *store, devmap_store_io *ios, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		check(ios[i].slot < NR_SLOTS && ios[i].result == 0);
		copy_page(((struct slots *)(void *)store)->bytes[ios[i].slot], ios[i].memory, PAGE_BYTES);
	}
}

static void slots_read(devmap_store *store, devmap_store_io *ios, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		char *slot = ((struct slots *)(void *)store)->bytes[ios[i].slot];

		copy_page(ios[i].memory, slot, PAGE_BYTES);
		/* One page fails. */
		ios[i].result = page_is(slot, PAGE_BYTES, 5, 1) ? -EBADMSG : 0;
	}
}

static void slots_discard(devmap_store *store, uint64_t slot)
{
	check(slot < NR_SLOTS);
	((struct slots *)(void *)store)->discarded++;
}

static uint64_t slots_bytes_used(devmap_store *store)
{
	(void)store;
	return NR_SLOTS * PAGE_BYTES;
}

static void slots_close(devmap_store *store)
{
	((struct slots *)(void *)store)->closed = true;
}

static void a_range_over_a_store_works(void **state)
{
	static const devmap_store_ops ops = {slots_write, slots_read, slots_discard, slots_bytes_used, slots_close};
	struct slots *slots = calloc(1, sizeof(*slots));
	struct hmm hmm = {.nr_pages = 12, .page_size = PAGE_BYTES};
	struct device_memory memory = {.devmem = NULL};
	devmap_hmm_range_config config;
	devmap_page *page = NULL;

	(void)state;
	assert_non_null(slots);
	slots->store = (devmap_store){.ops = &ops, .page_size = PAGE_BYTES, .nr_slots = NR_SLOTS};
	hmm.device = device_new(DEVMAP_HMM_FAULTS_NONE, 0);
	hmm.memory = &memory;
	assert_ok(devmap_hmm_devmem_add_store(hmm.device, &slots->store, &memory.devmem));
	config = config_of(&hmm, (struct hmm_wish){.limit = 4});
	hmm.range = range_new(&config);
	hmm.bytes = devmap_hmm_range_address(hmm.range);
	write_pages(&hmm, 0, 12, 1);
	assert_true(pages_are(&hmm, 0, 5, 1));
	assert_true(pages_are(&hmm, 6, 6, 1));
	send_out(&hmm, 0, 12);
	assert_error(devmap_hmm_range_get_pages(hmm.range, 5, 1, true, &page), EBADMSG);
	assert_int_equal(pages_used(&memory), 12);
	range_end(hmm.range);
	assert_int_equal(pages_used(&memory), 0);
	assert_false(slots->closed);
	assert_ok(devmap_hmm_devmem_remove(memory.devmem, 0, NULL, NULL));
	assert_true(slots->closed);
	assert_true(slots->discarded >= 12);
	devmap_hmm_device_put(hmm.device);
	free(slots);
}

#endif

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_HMM
		contract(a_migration_tells_what_it_did_with_each_page),
		contract(a_page_in_use_stays),
		contract(a_page_that_cannot_be_copied_out_stays_and_its_neighbours_go),
		contract(a_page_that_cannot_be_copied_back_stays_and_its_neighbours_come),
		contract(what_a_driver_answers_is_what_the_caller_gets),
		contract(a_full_device_takes_no_more),
		contract(every_page_size_migrates),
		contract(the_page_size_is_the_device_memorys_where_none_is_said),
		contract(ranges_share_a_device_and_its_memory),
		contract(pages_move_between_devices_through_memory),
		contract(device_memory_outlives_nobodys_pages),
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
		contract(memory_that_the_cpu_can_address_is_copied_by_the_library),
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
		contract(a_range_over_a_store_works),
#endif
#else
		contract(hmm_is_absent),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
