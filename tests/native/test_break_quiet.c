/* SPDX-License-Identifier: MIT */
/* What a layout break that succeeded means: nobody has a page of the range, and no callback of one runs, until its end. */
#include "support.h"

#ifdef DEVMAP_CONFIG_FS_DAX

struct quiet {
	devmap_pagemap *map;
	uint32_t breaks;
	/* Whether a break holds the page now. */
	_Atomic(bool) broken;
	_Atomic(bool) done;
};

static void page_free_outside_of_breaks(devmap_page *page, void *data)
{
	struct quiet *quiet = data;

	(void)page;
	check(!atomic_load(&quiet->broken));
}

static void take(struct quiet *quiet, bool through_page)
{
	devmap_page *page = devmap_pagemap_page(quiet->map, 0);
	int result = through_page ? devmap_try_get_page(page) : devmap_pagemap_get_pages(quiet->map, 0, 1, &page);

	check(result == 0 || result == -EAGAIN);
	if (result != 0)
		return;
	check(!atomic_load(&quiet->broken));
	devmap_put_page(page);
}

static void take_or_break(void *shared, uint32_t index, struct rng *rng)
{
	struct quiet *quiet = shared;
	devmap_layout_break layout_break;

	while (index != 0 && !atomic_load(&quiet->done))
		take(quiet, index % 2 == 0);
	for (uint32_t i = 0; index == 0 && i < quiet->breaks; i++) {
		check(devmap_fs_dax_break_layouts(quiet->map, quiet, 0, 1, DEVMAP_WAIT_FOREVER, NULL, &layout_break) == 0);
		atomic_store(&quiet->broken, true);
		for (uint32_t spin = rng_below(rng, 2000); spin > 0; spin--)
			__asm__ volatile("");
		atomic_store(&quiet->broken, false);
		devmap_fs_dax_end_break(&layout_break);
		for (uint32_t spin = rng_below(rng, 1000); spin > 0; spin--)
			__asm__ volatile("");
	}
	if (index == 0)
		atomic_store(&quiet->done, true);
}

static void quiet_under(uint32_t nr_takers, uint32_t breaks)
{
	const devmap_pagemap_ops ops = {.page_free = page_free_outside_of_breaks};
	struct quiet quiet = {.map = create_host_map(1), .breaks = breaks};

	assert_ok(devmap_fs_dax_claim(quiet.map, &quiet, &ops));
	run_threads(nr_takers + 1, take_or_break, &quiet);
	assert_ok(devmap_fs_dax_release(quiet.map, &quiet));
	destroy_map(quiet.map);
}

static void a_broken_range_is_quiet_under_one_taker(void **state)
{
	(void)state;
	quiet_under(1, scaled(200000));
}

static void a_broken_range_is_quiet_under_takers_that_meet(void **state)
{
	(void)state;
	quiet_under(4, scaled(50000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(a_broken_range_is_quiet_under_one_taker),
		contract(a_broken_range_is_quiet_under_takers_that_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void claims_are_refused(void **state)
{
	devmap_pagemap *map = create_host_map(1);

	(void)state;
	assert_error(devmap_fs_dax_claim(map, map, NULL), EOPNOTSUPP);
	destroy_map(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(claims_are_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
