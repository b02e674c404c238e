/* SPDX-License-Identifier: MIT */
/* Ordinary pages: pages of no map, allocated with one reference and freed on the last put. */
#include "support.h"

#include <sys/wait.h>

static uint64_t pages_now(void)
{
	return stats_now().ordinary_pages.current;
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

static void an_allocation_is_one_compound_page_of_zeros_with_one_reference(void **state)
{
	uint32_t order;
	uint64_t i;

	(void)state;
	for (order = 0; order <= 10; order++) {
		const uint64_t nr_pages = UINT64_C(1) << order;
		const uint64_t before = pages_now();
		devmap_page *page = NULL;
		unsigned char *address;

		assert_ok(devmap_alloc_pages(order, &page));
		assert_int_equal(pages_now(), before + 1);
		assert_int_equal(devmap_page_count(page), 1);
		assert_int_equal(page->order, order);
		assert_ptr_equal(devmap_compound_head(page), page);
		assert_false(devmap_is_zone_device_page(page));
		assert_int_equal(devmap_page_index(page), 0);
		address = devmap_page_address(page);
		assert_non_null(address);
		assert_int_equal((uintptr_t)address % PAGE_BYTES, 0);
		assert_true(is_zero(address, nr_pages * PAGE_BYTES));
		for (i = 1; i < nr_pages; i++) {
			assert_ptr_equal(devmap_compound_head(page + i), page);
			assert_ptr_equal(devmap_page_address(page + i), address + i * PAGE_BYTES);
		}
		memset(address, 0xa5, nr_pages * PAGE_BYTES);
		devmap_put_page(page);
		assert_int_equal(pages_now(), before);
	}
}

static void a_reused_page_is_zero_filled_again(void **state)
{
	devmap_page *page = NULL;
	uint32_t i;

	(void)state;
	for (i = 0; i < 64; i++) {
		assert_ok(devmap_alloc_pages(1, &page));
		assert_int_equal(devmap_page_count(page), 1);
		assert_int_equal(page->zone_device_data, 0);
		assert_true(is_zero(devmap_page_address(page), 2 * PAGE_BYTES));
		memset(devmap_page_address(page), 0x5a, 2 * PAGE_BYTES);
		page->zone_device_data = 7;
		devmap_put_page(page);
	}
}

static void a_page_is_freed_on_its_last_put_and_not_before(void **state)
{
	const uint64_t before = pages_now();
	devmap_page *page = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(2, &page));
	devmap_get_page(page);
	devmap_get_page_refs(page + 3, 2);
	devmap_put_page(page);
	devmap_put_page_refs(page + 1, 2);
	assert_int_equal(pages_now(), before + 1);
	assert_int_equal(devmap_page_count(page), 1);
	devmap_put_page(page);
	assert_int_equal(pages_now(), before);
}

static void putting_all_references_at_once_frees(void **state)
{
	const uint64_t before = pages_now();
	devmap_page *page = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &page));
	devmap_get_page_refs(page, 9);
	devmap_put_page_refs(page, 10);
	assert_int_equal(pages_now(), before);
}

static void live_pages_do_not_share_memory(void **state)
{
	devmap_page *pages[32];
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(pages); i++) {
		assert_ok(devmap_alloc_pages(i % 4, &pages[i]));
		memset(devmap_page_address(pages[i]), (int)i + 1, (size_t)PAGE_BYTES << (i % 4));
	}
	for (i = 0; i < ARRAY_LENGTH(pages); i++) {
		const unsigned char *address = devmap_page_address(pages[i]);
		const size_t length = (size_t)PAGE_BYTES << (i % 4);

		assert_int_equal(address[0], i + 1);
		assert_memory_equal(address, address + 1, length - 1);
		devmap_put_page(pages[i]);
	}
}

static void the_largest_order_is_allocated_and_one_above_is_refused(void **state)
{
	devmap_page *untouched = (devmap_page *)&state;
	devmap_page *page = untouched;

	assert_error(devmap_alloc_pages(DEVMAP_MAX_ORDER + 1, &page), EINVAL);
	assert_error(devmap_alloc_pages(UINT32_MAX, &page), EINVAL);
	assert_error(devmap_alloc_pages(0, NULL), EINVAL);
	assert_ptr_equal(page, untouched);
	assert_ok(devmap_alloc_pages(DEVMAP_MAX_ORDER, &page));
	assert_ptr_equal(devmap_compound_head(page + (1 << DEVMAP_MAX_ORDER) - 1), page);
	devmap_put_page(page + 12345);
}

/** Runs in a child, whose address space it limits. @return 0 where the contract held. */
static int allocate_without_address_space(void)
{
	devmap_page *page = NULL;

	if (!limit_address_space(256 * MIB))
		return 2;
	if (devmap_alloc_pages(DEVMAP_MAX_ORDER, &page) != -ENOMEM || page != NULL)
		return 3;
	if (devmap_alloc_pages(0, &page) != 0)
		return 4;
	devmap_put_page(page);
	return 0;
}

static void an_allocation_without_address_space_is_refused(void **state)
{
	int status = status_of_child(allocate_without_address_space);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_double_put_is_caught(void **state)
{
	devmap_page *page = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(2, &page));
	devmap_put_page(page);
	devmap_put_page(page + 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 1);
	assert_ptr_equal(last_fault().page, page);
	assert_null(last_fault().pgmap);
}

static void share_and_put(void *shared, uint32_t index, struct rng *rng)
{
	devmap_page **pages = shared;
	uint32_t round;

	/* Each thread holds one reference on each page from the start. */
	for (round = 0; round < 1000; round++) {
		if (rng_below(rng, 2) == 0) {
			devmap_get_page(pages[round]);
			perturb(rng);
			devmap_put_page(pages[round]);
		}
		if (index == round % 4)
			check(*(uint32_t *)devmap_page_address(pages[round]) == round);
		devmap_put_page(pages[round]);
	}
}

static void a_page_is_freed_once_by_the_last_of_many_threads(void **state)
{
	const uint64_t before = pages_now();
	devmap_page *pages[1000];
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_ok(devmap_alloc_pages(i % 3, &pages[i]));
		devmap_get_page_refs(pages[i], 3);
		*(uint32_t *)devmap_page_address(pages[i]) = i;
	}
	run_threads(4, share_and_put, pages);
	assert_int_equal(pages_now(), before);
}

static void allocate_and_put(void *shared, uint32_t index, struct rng *rng)
{
	devmap_page *page;
	uint32_t rounds;
	uint32_t order;
	unsigned char *address;

	(void)shared;
	for (rounds = scaled(3000); rounds > 0; rounds--) {
		order = rng_below(rng, 3);
		if (!check(devmap_alloc_pages(order, &page) == 0))
			return;
		address = devmap_page_address(page);
		check(is_zero(address, (size_t)PAGE_BYTES << order));
		memset(address, (int)index + 1, (size_t)PAGE_BYTES << order);
		perturb(rng);
		check(memcmp(address, address + 1, ((size_t)PAGE_BYTES << order) - 1) == 0 && address[0] == index + 1);
		devmap_put_page(page);
	}
}

static void many_threads_allocate_and_free(void **state)
{
	const uint64_t before = pages_now();

	(void)state;
	run_threads(4, allocate_and_put, NULL);
	assert_int_equal(pages_now(), before);
}

struct stale_pointer {
	devmap_page *_Atomic page;
	_Atomic(bool) over;
};

static void take_by_a_stale_pointer(void *shared, uint32_t index, struct rng *rng)
{
	struct stale_pointer *stale = shared;
	devmap_page *page;
	uint32_t rounds;
	int result;

	if (index == 0) {
		for (rounds = scaled(5000); rounds > 0; rounds--) {
			if (!check(devmap_alloc_pages(0, &page) == 0))
				break;
			atomic_store(&stale->page, page);
			perturb(rng);
			devmap_put_page(page);
		}
		atomic_store(&stale->over, true);
		return;
	}
	while (!atomic_load(&stale->over)) {
		page = atomic_load(&stale->page);
		if (page == NULL)
			continue;
		result = devmap_try_get_page(page);
		check(result == 0 || result == -ENODEV);
		if (result == 0) {
			check(*(unsigned char *)devmap_page_address(page) == 0);
			devmap_put_page(page);
		}
	}
}

static void taking_by_a_stale_pointer_either_holds_a_page_or_is_refused(void **state)
{
	const uint64_t before = pages_now();
	struct stale_pointer stale = {.page = NULL};

	(void)state;
	run_threads(3, take_by_a_stale_pointer, &stale);
	assert_int_equal(pages_now(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(an_allocation_is_one_compound_page_of_zeros_with_one_reference),
		contract(a_reused_page_is_zero_filled_again),
		contract(a_page_is_freed_on_its_last_put_and_not_before),
		contract(putting_all_references_at_once_frees),
		contract(live_pages_do_not_share_memory),
		contract(the_largest_order_is_allocated_and_one_above_is_refused),
		contract(an_allocation_without_address_space_is_refused),
		contract(a_double_put_is_caught),
		contract(a_page_is_freed_once_by_the_last_of_many_threads),
		contract(many_threads_allocate_and_free),
		contract(taking_by_a_stale_pointer_either_holds_a_page_or_is_refused),
	};

	return cmocka_run_group_tests_name("ordinary", tests, NULL, NULL);
}
