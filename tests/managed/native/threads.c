/* SPDX-License-Identifier: MIT */
/*
 * Threads that the .NET runtime never saw. All threads of one crowd start at once; testthreads_join() waits for them.
 * What a test cannot go on without ends the process.
 */
#include <devmap/devmap.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TESTTHREADS_API __attribute__((visibility("default")))

/* Ranges of pages that a churning thread holds at a time, and the most pages in one. */
#define NR_SLOTS 8
#define MAX_PAGES 4

typedef struct testthreads testthreads;

struct member {
	testthreads *crowd;
	pthread_t thread;
	uint64_t random;
};

struct testthreads {
	void (*work)(struct member *member);
	uint32_t nr_threads;
	pthread_barrier_t start;
	devmap_pagemap *map;
	devmap_page *pages;
	uint64_t nr_pages;
	uint32_t rounds;
	/* References that members of the crowd took. */
	_Atomic(uint64_t) taken;
	struct member members[];
};

/** Starts threads that each drop @p puts references of each of @p nr_pages adjacent pages, one at a time. */
TESTTHREADS_API testthreads *testthreads_put(devmap_page *pages, uint64_t nr_pages, uint32_t nr_threads, uint32_t puts);

/**
 * Starts threads that each take and give back references on the first @p nr_pages pages of @p map, @p rounds times, by
 * chance and in every way that the headers offer, and hold none in the end. What the map refuses is passed over.
 */
TESTTHREADS_API testthreads *testthreads_churn(devmap_pagemap *map, uint64_t nr_pages, uint32_t nr_threads, uint32_t rounds,
	uint64_t seed);

/** Waits for the threads and forgets them. @return the references on pages that they took, all of which they gave back. */
TESTTHREADS_API uint64_t testthreads_join(testthreads *crowd);

static void require(bool held)
{
	if (!held)
		abort();
}

static void *run(void *argument)
{
	struct member *member = argument;

	pthread_barrier_wait(&member->crowd->start);
	member->crowd->work(member);
	return NULL;
}

static testthreads *crowd_of(uint32_t nr_threads, void (*work)(struct member *member))
{
	testthreads *crowd = calloc(1, sizeof(*crowd) + nr_threads * sizeof(crowd->members[0]));

	require(crowd && nr_threads > 0);
	crowd->work = work;
	crowd->nr_threads = nr_threads;
	require(pthread_barrier_init(&crowd->start, NULL, nr_threads) == 0);
	return crowd;
}

static testthreads *start(testthreads *crowd, uint64_t seed)
{
	for (uint32_t i = 0; i < crowd->nr_threads; i++) {
		struct member *member = &crowd->members[i];

		member->crowd = crowd;
		member->random = seed + i;
		require(pthread_create(&member->thread, NULL, run, member) == 0);
	}
	return crowd;
}

uint64_t testthreads_join(testthreads *crowd)
{
	uint64_t taken;

	for (uint32_t i = 0; i < crowd->nr_threads; i++)
		require(pthread_join(crowd->members[i].thread, NULL) == 0);
	taken = atomic_load(&crowd->taken);
	pthread_barrier_destroy(&crowd->start);
	free(crowd);
	return taken;
}

/* ---- dropping --------------------------------------------------------------------------------------------------- */

static void put(struct member *member)
{
	testthreads *crowd = member->crowd;

	for (uint32_t i = 0; i < crowd->rounds; i++)
		for (uint64_t page = 0; page < crowd->nr_pages; page++)
			devmap_put_page(&crowd->pages[page]);
}

testthreads *testthreads_put(devmap_page *pages, uint64_t nr_pages, uint32_t nr_threads, uint32_t puts)
{
	testthreads *crowd = crowd_of(nr_threads, put);

	crowd->pages = pages;
	crowd->nr_pages = nr_pages;
	crowd->rounds = puts;
	return start(crowd, 0);
}

/* ---- taking and giving back ------------------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t random_below(struct member *member, uint64_t limit)
{
	uint64_t z = member->random += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (z ^ (z >> 31)) % limit;
}

struct slot {
	devmap_page *page;
	uint64_t nr_pages;
};

static void take(struct member *member, struct slot *slot)
{
	testthreads *crowd = member->crowd;
	uint64_t n = 1 + random_below(member, crowd->nr_pages < MAX_PAGES ? crowd->nr_pages : MAX_PAGES);
	uint64_t first = random_below(member, crowd->nr_pages - n + 1);

	if (devmap_pagemap_get_pages(crowd->map, first, n, &slot->page) != 0)
		return;
	slot->nr_pages = n;
	atomic_fetch_add(&crowd->taken, n);
}

static void give_back_one_by_one(struct member *member, const struct slot *slot)
{
	for (uint64_t i = 0; i < slot->nr_pages; i++) {
		devmap_page *page = &slot->page[i];
		uint32_t extra = (uint32_t)random_below(member, 3);

		if (extra != 0) {
			devmap_get_page_refs(page, extra);
			devmap_put_page_refs(page, 1 + extra);
		} else if (!devmap_put_managed_page(page)) {
			devmap_put_page(page);
		}
	}
}

static void give_back_by_release(const struct slot *slot)
{
	devmap_page *pages[MAX_PAGES + 1] = {NULL};

	for (uint64_t i = 0; i < slot->nr_pages; i++)
		pages[i + 1] = &slot->page[i];
	devmap_release_pages(pages, slot->nr_pages + 1);
}

static void give_back(struct member *member, struct slot *slot)
{
	switch (random_below(member, 3)) {
	case 0:
		devmap_put_pages(slot->page, slot->nr_pages);
		break;
	case 1:
		give_back_by_release(slot);
		break;
	default:
		give_back_one_by_one(member, slot);
	}
	memset(slot, 0, sizeof(*slot));
}

static void churn(struct member *member)
{
	struct slot slots[NR_SLOTS] = {{NULL, 0}};

	for (uint32_t round = 0; round < member->crowd->rounds; round++) {
		struct slot *slot = &slots[random_below(member, NR_SLOTS)];

		if (slot->page)
			give_back(member, slot);
		else
			take(member, slot);
	}
	for (uint32_t i = 0; i < NR_SLOTS; i++)
		if (slots[i].page)
			give_back(member, &slots[i]);
}

testthreads *testthreads_churn(devmap_pagemap *map, uint64_t nr_pages, uint32_t nr_threads, uint32_t rounds, uint64_t seed)
{
	testthreads *crowd = crowd_of(nr_threads, churn);

	crowd->map = map;
	crowd->nr_pages = nr_pages;
	crowd->rounds = rounds;
	return start(crowd, seed);
}
