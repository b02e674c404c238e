/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of everything that one thread can do to maps, pages, references, claims and layout breaks, against a
 * model in plain C that says what each call answers, which callbacks run, and how every count stands afterwards.
 */
#include "support.h"

enum { NR_MAPS = 4, NR_PAGES = 6, NR_BREAKS = 2, NR_ORDINARY = 4, NR_STEPS = 400 };

struct model_break {
	bool on;
	uint64_t first;
	uint64_t n;
	devmap_layout_break layout_break;
};

struct model_map {
	/** NULL where there is no map. */
	devmap_pagemap *map;
	int32_t created_as;
	bool dying;
	bool claimed;
	/** Whether idle pages of the map have somebody to tell. */
	bool has_driver;
	uint32_t references;
	uint32_t held[NR_PAGES];
	struct model_break breaks[NR_BREAKS];
	/** Callbacks that the model expects, and that ran. */
	uint64_t expected[NR_PAGES];
	uint64_t seen[NR_PAGES];
};

struct model_ordinary {
	/** NULL where there is none. */
	devmap_page *page;
	uint32_t nr_tails;
	uint32_t held;
};

struct model {
	struct rng rng;
	uint32_t sequence;
	uint32_t step;
	struct model_map maps[NR_MAPS];
	struct model_ordinary ordinary[NR_ORDINARY];
	uint32_t ops_held;
	devmap_stats before;
	uint64_t activations;
	uint64_t edges;
	uint64_t managed_edges;
};

static void expect_at(const struct model *model, int64_t actual, int64_t expected, const char *what, int line)
{
	if (actual == expected)
		return;
	print_error("line %d: %s is %lld, the model says %lld (DEVMAP_TEST_SEED=0x%llx, sequence %u, step %u)\n", line,
		what, (long long)actual, (long long)expected, (unsigned long long)test_seed(), model->sequence,
		model->step);
	fail();
}

#define expect(model, actual, expected) expect_at(model, (int64_t)(actual), (int64_t)(expected), #actual, __LINE__)

/* ---- the model's rules ---- */

static bool marked(const struct model_map *m, uint64_t index)
{
	size_t i;

	for (i = 0; i < NR_BREAKS; i++)
		if (m->breaks[i].on && index >= m->breaks[i].first && index - m->breaks[i].first < m->breaks[i].n)
			return true;
	return false;
}

static uint32_t breaks_of(const struct model_map *m)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < NR_BREAKS; i++)
		n += m->breaks[i].on;
	return n;
}

static uint64_t busy_pages_of(const struct model_map *m, uint64_t first, uint64_t n)
{
	uint64_t busy = 0;
	uint64_t i;

	for (i = first; i < first + n; i++)
		busy += m->held[i] > 0;
	return busy;
}

static void model_take(struct model *model, struct model_map *m, uint64_t index, uint32_t n)
{
	if (m->held[index] == 0)
		model->activations++;
	m->held[index] += n;
}

static void model_put(struct model *model, struct model_map *m, uint64_t index, uint32_t n)
{
	m->held[index] -= n;
	if (m->held[index] > 0)
		return;
	model->edges++;
	if (m->has_driver) {
		model->managed_edges++;
		m->expected[index]++;
	}
}

/** Where a taker through the map is refused, the answer; else 0. */
static int refusal(const struct model_map *m, uint64_t index)
{
	if (m->dying)
		return -ENODEV;
	return marked(m, index) ? -EAGAIN : 0;
}

/* ---- comparing ---- */

static void compare_map(struct model *model, struct model_map *m)
{
	uint64_t nr_busy = 0;
	uint64_t i;

	for (i = 0; i < NR_PAGES; i++) {
		expect(model, devmap_page_count(devmap_pagemap_page(m->map, i)), m->held[i] + 1);
		expect(model, m->seen[i], m->expected[i]);
	}
	expect(model, devmap_pagemap_busy_pages(m->map, 0, NR_PAGES, NULL, 0, &nr_busy), 0);
	expect(model, nr_busy, busy_pages_of(m, 0, NR_PAGES));
	expect(model, atomic_load(&m->map->type), m->claimed ? DEVMAP_MEMORY_DEVICE_FS_DAX : m->created_as);
}

static void compare(struct model *model)
{
	const devmap_stats *before = &model->before;
	devmap_stats now;
	int64_t holders = model->ops_held;
	uint32_t nr_maps = 0;
	uint32_t nr_claims = 0;
	uint32_t nr_breaks = 0;
	uint32_t nr_ordinary = 0;
	size_t i;

	for (i = 0; i < NR_MAPS; i++) {
		struct model_map *m = &model->maps[i];

		if (m->map == NULL)
			continue;
		compare_map(model, m);
		nr_maps++;
		nr_claims += m->claimed;
		nr_breaks += breaks_of(m);
		holders += m->claimed || m->created_as != DEVMAP_MEMORY_DEVICE_HOST;
	}
	for (i = 0; i < NR_ORDINARY; i++) {
		if (model->ordinary[i].page == NULL)
			continue;
		nr_ordinary++;
		expect(model, devmap_page_count(model->ordinary[i].page), model->ordinary[i].held);
	}
	now = stats_now();
	expect(model, devmap_pagemap_ops_count(), holders);
	expect(model, now.gate_holders, holders);
	expect(model, now.activations - before->activations, model->activations);
	expect(model, now.idle_edges - before->idle_edges, model->edges);
	expect(model, now.idle_edges_managed - before->idle_edges_managed, model->managed_edges);
	expect(model, now.pagemaps.current - before->pagemaps.current, nr_maps);
	expect(model, now.claims.current - before->claims.current, nr_claims);
	expect(model, now.layout_breaks.current - before->layout_breaks.current, nr_breaks);
	expect(model, now.ordinary_pages.current - before->ordinary_pages.current, nr_ordinary);
}

/* ---- the driver ---- */

static void see_page(devmap_page *page, void *data)
{
	struct model_map *m = data;

	if (check(devmap_page_pagemap(page) == m->map))
		m->seen[devmap_page_index(page)]++;
}

static void see_pages(devmap_page *const *pages, uint32_t nr_pages, void *data)
{
	uint32_t i;

	for (i = 0; i < nr_pages; i++)
		see_page(pages[i], data);
}

static const devmap_pagemap_ops driver_ops[] = {
	{.page_free = see_page},
	{.page_free = see_page, .pages_free = see_pages},
};

/* ---- steps ---- */

static uint32_t below(struct model *model, uint32_t bound)
{
	return rng_below(&model->rng, bound);
}

static struct model_map *any_slot(struct model *model)
{
	return &model->maps[below(model, NR_MAPS)];
}

static struct model_map *any_map(struct model *model)
{
	struct model_map *m = any_slot(model);

	return m->map != NULL ? m : NULL;
}

static void step_create(struct model *model)
{
	static const int32_t types[] = {
		DEVMAP_MEMORY_DEVICE_HOST,
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
		DEVMAP_MEMORY_DEVICE_PUBLIC,
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
		DEVMAP_MEMORY_DEVICE_PRIVATE,
#endif
	};
	struct model_map *m = any_slot(model);
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.backing = DEVMAP_BACKING_RESERVED,
		.length = NR_PAGES * PAGE_BYTES,
		.data = m,
	};

	if (m->map != NULL)
		return;
	memset(m, 0, sizeof(*m));
	m->created_as = types[below(model, ARRAY_LENGTH(types))];
	m->has_driver = m->created_as != DEVMAP_MEMORY_DEVICE_HOST;
	config.type = m->created_as;
	if (m->has_driver)
		config.ops = &driver_ops[below(model, ARRAY_LENGTH(driver_ops))];
	if (m->created_as == DEVMAP_MEMORY_DEVICE_PRIVATE)
		config.backing = DEVMAP_BACKING_INACCESSIBLE;
	expect(model, devmap_memremap_pages(&config, &m->map), 0);
}

/** A range is taken page by page up to the first refusal, which gives all of it back. */
static int model_take_range(struct model *model, struct model_map *m, uint64_t first, uint64_t n)
{
	uint64_t taken;
	int result = 0;

	if (n == 0)
		return -EINVAL;
	if (m->dying)
		return -ENODEV;
	if (first + n > NR_PAGES)
		return -ERANGE;
	for (taken = 0; taken < n; taken++) {
		result = refusal(m, first + taken);
		if (result != 0)
			break;
		model_take(model, m, first + taken, 1);
	}
	while (result != 0 && taken > 0) {
		taken--;
		model_put(model, m, first + taken, 1);
	}
	return result;
}

static void step_take_range(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t first = below(model, NR_PAGES + 1);
	uint64_t n = below(model, 4);
	devmap_page *page = NULL;
	int expected;

	if (m == NULL)
		return;
	expected = model_take_range(model, m, first, n);
	expect(model, devmap_pagemap_get_pages(m->map, first, n, &page), expected);
	expect(model, page == (expected == 0 ? devmap_pagemap_page(m->map, first) : NULL), true);
}

static void step_try_get(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t index = below(model, NR_PAGES);
	int expected;

	if (m == NULL)
		return;
	expected = refusal(m, index);
	if (expected == 0)
		model_take(model, m, index, 1);
	expect(model, devmap_try_get_page(devmap_pagemap_page(m->map, index)), expected);
}

/** A holder shares its page, or the driver takes an idle one that it may hand out. */
static void step_get(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t index = below(model, NR_PAGES);
	uint32_t n = 1 + below(model, 3);

	if (m == NULL || (m->held[index] == 0 && refusal(m, index) != 0))
		return;
	model_take(model, m, index, n);
	if (n == 1)
		devmap_get_page(devmap_pagemap_page(m->map, index));
	else
		devmap_get_page_refs(devmap_pagemap_page(m->map, index), n);
}

static void step_put(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t index = below(model, NR_PAGES);
	devmap_page *page;
	bool managed;
	uint32_t n;

	if (m == NULL || m->held[index] == 0)
		return;
	page = devmap_pagemap_page(m->map, index);
	managed = m->claimed || m->created_as != DEVMAP_MEMORY_DEVICE_HOST;
	switch (below(model, 4)) {
	case 0:
		n = 1 + below(model, m->held[index]);
		model_put(model, m, index, n);
		devmap_put_page_refs(page, n);
		break;
	case 1:
		model_put(model, m, index, 1);
		expect(model, devmap_put_managed_page(page), managed);
		if (!managed)
			devmap_put_page(page);
		break;
	case 2:
		model_put(model, m, index, 1);
		devmap_release_pages(&page, 1);
		break;
	default:
		model_put(model, m, index, 1);
		devmap_put_page(page);
		break;
	}
}

static void step_put_range(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t first = below(model, NR_PAGES);
	uint64_t n = 0;
	uint64_t i;

	if (m == NULL)
		return;
	while (first + n < NR_PAGES && m->held[first + n] > 0)
		n++;
	for (i = 0; i < n; i++)
		model_put(model, m, first + i, 1);
	if (n > 0)
		devmap_put_pages(devmap_pagemap_page(m->map, first), n);
}

static void ordinary_put(struct model_ordinary *o, uint32_t n)
{
	o->held -= n;
	if (o->held == 0)
		o->page = NULL;
}

/** Any mix of what is held, in any order, some of it more than once. */
static void step_release_many(struct model *model)
{
	devmap_page *pages[32];
	uint32_t wanted = below(model, ARRAY_LENGTH(pages));
	uint32_t n;

	for (n = 0; n < wanted; n++) {
		struct model_map *m = any_map(model);
		struct model_ordinary *o = &model->ordinary[below(model, NR_ORDINARY)];
		uint64_t index = below(model, NR_PAGES);

		pages[n] = NULL;
		if (below(model, 4) == 0) {
			if (o->page == NULL)
				continue;
			pages[n] = o->page + below(model, o->nr_tails + 1);
			ordinary_put(o, 1);
		} else if (m != NULL && m->held[index] > 0) {
			pages[n] = devmap_pagemap_page(m->map, index);
			model_put(model, m, index, 1);
		}
	}
	devmap_release_pages(pages, n);
}

static void step_ops(struct model *model)
{
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	if (below(model, 2) == 0) {
		model->ops_held++;
		expect(model, devmap_pagemap_get_ops(), 0);
	} else {
		/* The holds of maps and claims are theirs alone to end. */
		expect(model, devmap_pagemap_put_ops(), model->ops_held > 0 ? 0 : -EINVAL);
		model->ops_held -= model->ops_held > 0;
	}
#else
	expect(model, devmap_pagemap_get_ops(), -EOPNOTSUPP);
	expect(model, devmap_pagemap_put_ops(), -EOPNOTSUPP);
#endif
}

static void step_tear_down(struct model *model)
{
	struct model_map *m = any_map(model);
	devmap_busy_page named[NR_PAGES];
	devmap_busy_report busy = {.pages = named, .capacity = NR_PAGES};
	devmap_pagemap *map;
	uint64_t nr_busy;
	uint64_t i;

	if (m == NULL)
		return;
	map = m->map;
	nr_busy = busy_pages_of(m, 0, NR_PAGES);
	expect(model, devmap_pagemap_free(map), -EBUSY);
	if (nr_busy + m->references + breaks_of(m) == 0) {
		expect(model, devmap_memunmap_pages(map, 0, NULL, &busy), 0);
		expect(model, devmap_memunmap_pages(map, 0, NULL, &busy), -ENODEV);
		expect(model, devmap_pagemap_free(map), 0);
		m->map = NULL;
		return;
	}
	m->dying = true;
	expect(model, devmap_memunmap_pages(map, 0, NULL, &busy), -EBUSY);
	expect(model, busy.nr_pages, nr_busy);
	expect(model, busy.nr_references, m->references + breaks_of(m));
	for (i = 0; i < nr_busy; i++)
		expect(model, named[i].count, m->held[named[i].index] + 1);
}

static void step_resume(struct model *model)
{
	struct model_map *m = any_map(model);

	if (m == NULL)
		return;
	m->dying = false;
	expect(model, devmap_pagemap_resume(m->map), 0);
}

static void step_find(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t index = below(model, NR_PAGES);
	char *address;

	if (m == NULL)
		return;
	address = (char *)m->map->start + index * PAGE_BYTES + below(model, PAGE_BYTES);
	expect(model, devmap_virt_to_page(address) == (m->dying ? NULL : devmap_pagemap_page(m->map, index)), true);
	if (m->references > 0 && below(model, 2) == 0) {
		/* A cached map that covers the address is returned as it is, dying or not. */
		expect(model, devmap_get_pagemap(address, m->map) == m->map, true);
		m->references--;
		devmap_put_pagemap(m->map);
		return;
	}
	if (!m->dying)
		m->references++;
	expect(model, devmap_get_pagemap(address, NULL) == (m->dying ? NULL : m->map), true);
}

static void step_ordinary(struct model *model)
{
	struct model_ordinary *o = &model->ordinary[below(model, NR_ORDINARY)];
	uint32_t order = below(model, 3);
	uint32_t n;

	if (o->page == NULL) {
		expect(model, devmap_alloc_pages(order, &o->page), 0);
		o->nr_tails = (UINT32_C(1) << order) - 1;
		o->held = 1;
		return;
	}
	if (below(model, 2) == 0) {
		o->held += 2;
		expect(model, devmap_try_get_page(o->page + below(model, o->nr_tails + 1)), 0);
		devmap_get_page(o->page + below(model, o->nr_tails + 1));
		return;
	}
	n = 1 + below(model, o->held);
	devmap_put_page_refs(o->page + below(model, o->nr_tails + 1), n);
	ordinary_put(o, n);
}

#ifdef DEVMAP_CONFIG_FS_DAX

static void step_claim(struct model *model)
{
	struct model_map *m = any_map(model);
	bool with_driver = below(model, 3) > 0;
	int expected = 0;

	if (m == NULL)
		return;
	if (m->dying)
		expected = -ENODEV;
	else if (m->created_as != DEVMAP_MEMORY_DEVICE_HOST)
		expected = -EINVAL;
	else if (m->claimed)
		expected = -EBUSY;
	expect(model, devmap_fs_dax_claim(m->map, m, with_driver ? &driver_ops[below(model, 2)] : NULL), expected);
	if (expected == 0) {
		m->claimed = true;
		m->has_driver = with_driver;
	}
}

static void step_release(struct model *model)
{
	struct model_map *m = any_map(model);
	const void *owner = m;
	int expected = 0;

	if (m == NULL)
		return;
	if (below(model, 4) == 0)
		owner = model;
	if (!m->claimed)
		expected = -EINVAL;
	else if (owner != m)
		expected = -EPERM;
	else if (breaks_of(m) > 0)
		expected = -EBUSY;
	expect(model, devmap_fs_dax_release(m->map, owner), expected);
	if (expected == 0) {
		m->claimed = false;
		m->has_driver = false;
	}
}

static int model_break_layouts(const struct model_map *m, const void *owner, uint64_t first, uint64_t n)
{
	uint64_t i;

	if (m->dying)
		return -ENODEV;
	if (first + n > NR_PAGES)
		return -ERANGE;
	if (!m->claimed || owner != m)
		return -EPERM;
	for (i = first; i < first + n; i++)
		if (marked(m, i))
			return -EBUSY;
	return busy_pages_of(m, first, n) > 0 ? -ETIMEDOUT : 0;
}

static void step_break(struct model *model)
{
	struct model_map *m = any_map(model);
	struct model_break *b;
	const void *owner = m;
	uint64_t first = below(model, NR_PAGES);
	uint64_t n = 1 + below(model, 3);
	int expected;

	if (m == NULL)
		return;
	b = &m->breaks[below(model, NR_BREAKS)];
	if (b->on) {
		devmap_fs_dax_end_break(&b->layout_break);
		b->on = false;
		return;
	}
	if (below(model, 8) == 0)
		owner = model;
	expected = model_break_layouts(m, owner, first, n);
	expect(model, devmap_fs_dax_break_layouts(m->map, owner, first, n, 0, NULL, &b->layout_break), expected);
	if (expected == 0) {
		b->on = true;
		b->first = first;
		b->n = n;
	}
}

static void step_find_busy(struct model *model)
{
	struct model_map *m = any_map(model);
	uint64_t first = below(model, NR_PAGES);
	uint64_t index = first;
	devmap_page *found;

	if (m == NULL)
		return;
	while (index < NR_PAGES && m->held[index] == 0)
		index++;
	found = devmap_fs_dax_busy_page(m->map, first, NR_PAGES - first);
	expect(model, found == (index < NR_PAGES ? devmap_pagemap_page(m->map, index) : NULL), true);
	expect(model, devmap_fs_dax_busy_page(m->map, first, NR_PAGES + 1) == NULL, true);
}

#endif

/** Each step as often as it stands here. */
static void (*const steps[])(struct model *model) = {
	step_create,
	step_create,
	step_take_range,
	step_take_range,
	step_take_range,
	step_try_get,
	step_try_get,
	step_get,
	step_put,
	step_put,
	step_put,
	step_put,
	step_put,
	step_put_range,
	step_release_many,
	step_ops,
	step_tear_down,
	step_resume,
	step_find,
	step_ordinary,
	step_ordinary,
#ifdef DEVMAP_CONFIG_FS_DAX
	step_claim,
	step_release,
	step_break,
	step_break,
	step_find_busy,
#endif
};

/* ---- sequences ---- */

static void give_everything_back(struct model *model)
{
	size_t i;
	size_t j;

	for (i = 0; i < NR_MAPS; i++) {
		struct model_map *m = &model->maps[i];

		if (m->map == NULL)
			continue;
#ifdef DEVMAP_CONFIG_FS_DAX
		for (j = 0; j < NR_BREAKS; j++)
			if (m->breaks[j].on) {
				devmap_fs_dax_end_break(&m->breaks[j].layout_break);
				m->breaks[j].on = false;
			}
#endif
		for (; m->references > 0; m->references--)
			devmap_put_pagemap(m->map);
		for (j = 0; j < NR_PAGES; j++)
			if (m->held[j] > 0) {
				uint32_t n = m->held[j];

				model_put(model, m, j, n);
				devmap_put_page_refs(devmap_pagemap_page(m->map, j), n);
			}
	}
	for (i = 0; i < NR_ORDINARY; i++)
		if (model->ordinary[i].page != NULL) {
			devmap_put_page_refs(model->ordinary[i].page, model->ordinary[i].held);
			model->ordinary[i].page = NULL;
		}
	compare(model);
	for (i = 0; i < NR_MAPS; i++)
		if (model->maps[i].map != NULL) {
			destroy_map(model->maps[i].map);
			model->maps[i].map = NULL;
		}
	for (; model->ops_held > 0; model->ops_held--)
		assert_ok(devmap_pagemap_put_ops());
	compare(model);
}

static void run_sequence(uint32_t sequence)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	model->rng = rng_stream(sequence);
	model->sequence = sequence;
	model->before = stats_now();
	for (model->step = 0; model->step < NR_STEPS; model->step++) {
		steps[below(model, ARRAY_LENGTH(steps))](model);
		compare(model);
	}
	give_everything_back(model);
	free(model);
}

static void random_sequences_agree_with_the_model(void **state)
{
	uint32_t sequence;

	(void)state;
	for (sequence = 0; sequence < scaled(2000); sequence++)
		run_sequence(sequence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(random_sequences_agree_with_the_model),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
