/* SPDX-License-Identifier: MIT */
/*
 * Counters by thread: some threads own a shard, the others share. Whichever a thread has, sums are exact and a teardown
 * sees what every thread took. All of it runs again in a process where the system refuses membarrier(2) from the start, so
 * that every thread shares, and in one where it begins to refuse when shards are owned.
 */
#include "support.h"

#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_PAGES 8

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

/* More than own a shard. */
#define MANY_THREADS 80

/* Where every barrier takes 10 ms. */
static bool barriers_are_slow;

struct crowd {
	devmap_pagemap *map;
	uint32_t rounds;
	/* Whether the memory that callbacks use is there. */
	_Atomic(bool) alive;
	_Atomic(uint64_t) calls;
};

static void crowd_page_free(devmap_page *page, void *data)
{
	struct crowd *crowd = data;

	(void)page;
	check(atomic_load(&crowd->alive));
	atomic_fetch_add(&crowd->calls, 1);
}

static const devmap_pagemap_ops crowd_ops = {.page_free = crowd_page_free};

static void crowd_open(struct crowd *crowd, int32_t type, uint32_t rounds)
{
	atomic_store(&crowd->alive, true);
	atomic_store(&crowd->calls, 0);
	crowd->rounds = rounds;
	crowd->map = create_map_of_type(type, NR_PAGES, &crowd_ops, crowd);
}

/* Takes and drops pages, its own by itself and those of others too; ends where the map takes no new users. */
static void take_and_drop(void *shared, uint32_t index, struct rng *rng)
{
	struct crowd *crowd = shared;

	for (uint32_t i = 0; i < crowd->rounds; i++) {
		devmap_page *page;
		int result = devmap_pagemap_get_pages(crowd->map, (index + rng_below(rng, 2)) % NR_PAGES, 1, &page);

		if (result == -ENODEV)
			return;
		check(result == 0);
		if (rng_below(rng, 8) == 0)
			perturb(rng);
		devmap_put_page(page);
	}
}

/* Every activation has its edge and its callback, whichever threads counted them, and the map's references are all back. */
static void sums_are_exact_for_more_threads_than_own_a_shard(void **state)
{
	(void)state;
	for (uint32_t t = 0; t < nr_managed_types; t++) {
		struct crowd crowd;
		devmap_stats before = stats_now(), after;

		crowd_open(&crowd, managed_types[t], scaled(2000));
		run_threads(MANY_THREADS, take_and_drop, &crowd);
		after = stats_now();
		assert_int_equal(after.activations - before.activations, atomic_load(&crowd.calls));
		assert_int_equal(after.idle_edges - before.idle_edges, atomic_load(&crowd.calls));
		assert_int_equal(after.idle_edges_managed - before.idle_edges_managed, atomic_load(&crowd.calls));
		assert_ok(devmap_memunmap_pages(crowd.map, 0, NULL, NULL));
		assert_ok(devmap_pagemap_free(crowd.map));
	}
}

/* A thread that ends leaves its shard's counts to the next one that gets it. */
static void threads_that_come_and_go_lose_no_count(void **state)
{
	struct crowd crowd;
	uint64_t before = stats_now().idle_edges;

	(void)state;
	crowd_open(&crowd, managed_types[0], 5);
	for (uint32_t wave = 0; wave < scaled(200); wave++)
		run_threads(10, take_and_drop, &crowd);
	assert_int_equal(stats_now().idle_edges - before, atomic_load(&crowd.calls));
	assert_ok(devmap_memunmap_pages(crowd.map, 0, NULL, NULL));
	assert_ok(devmap_pagemap_free(crowd.map));
}

static void take_drop_or_tear_down(void *shared, uint32_t index, struct rng *rng)
{
	struct crowd *crowd = shared;

	if (index != 0) {
		take_and_drop(shared, index, rng);
		return;
	}
	for (uint32_t i = 0; i < 20; i++)
		perturb(rng);
	check(devmap_memunmap_pages(crowd->map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
	atomic_store(&crowd->alive, false);
}

/* A takers' raise and a teardown's mark: whoever got a page in time is waited for, whoever did not is refused. */
static void a_teardown_under_takers_waits_for_each_of_them(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < (barriers_are_slow ? 20 : scaled(300)); round++) {
		struct crowd crowd;

		crowd_open(&crowd, managed_types[round % nr_managed_types], UINT32_MAX);
		run_threads(round % 16 == 0 ? MANY_THREADS : 4, take_drop_or_tear_down, &crowd);
		assert_ok(devmap_pagemap_free(crowd.map));
	}
}

#ifdef DEVMAP_CONFIG_FS_DAX
static void take_drop_or_release(void *shared, uint32_t index, struct rng *rng)
{
	struct crowd *crowd = shared;

	if (index != 0) {
		take_and_drop(shared, index, rng);
		return;
	}
	for (uint32_t i = 0; i < 20; i++)
		perturb(rng);
	check(devmap_fs_dax_release(crowd->map, crowd) == 0);
	atomic_store(&crowd->alive, false);
}

/* A callback's raise and a release's taking away of the driver. */
static void a_release_under_takers_waits_for_each_callback(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < (barriers_are_slow ? 20 : scaled(300)); round++) {
		struct crowd crowd;

		crowd_open(&crowd, DEVMAP_MEMORY_DEVICE_FS_DAX, 200);
		run_threads(round % 16 == 0 ? MANY_THREADS : 4, take_drop_or_release, &crowd);
		destroy_map(crowd.map);
	}
}
#endif

static pthread_key_t late_key;

static void take_and_drop_late(void *map)
{
	devmap_page *page;

	check(devmap_pagemap_get_pages(map, 0, 1, &page) == 0);
	devmap_put_page(page);
	/* Again, in the next round of destructors. */
	if (pthread_getspecific(late_key) == NULL && stats_now().idle_edges % 3 != 0)
		check(pthread_setspecific(late_key, map) == 0);
}

static void *use_late(void *map)
{
	check(pthread_setspecific(late_key, map) == 0);
	take_and_drop_late(map);
	return NULL;
}

/* A thread may still use the library in what runs at its end, before and after its shard was given back. */
static void a_thread_may_use_the_library_in_its_destructors(void **state)
{
	struct counting_driver *driver = counting_driver_new(NR_PAGES);
	devmap_pagemap *map = create_managed_map(NR_PAGES, &counting_ops, driver);
	uint64_t before = stats_now().idle_edges;

	(void)state;
	assert_ok(pthread_key_create(&late_key, take_and_drop_late));
	for (uint32_t i = 0; i < 100; i++) {
		pthread_t thread;

		assert_ok(pthread_create(&thread, NULL, use_late, map));
		assert_ok(pthread_join(thread, NULL));
	}
	assert_ok(pthread_key_delete(late_key));
	assert_int_equal(stats_now().idle_edges - before, atomic_load(&driver->total));
	assert_true(atomic_load(&driver->total) >= 200);
	destroy_map(map);
	counting_driver_free(driver);
}

static const struct CMUnitTest contracts[] = {
	contract(sums_are_exact_for_more_threads_than_own_a_shard),
	contract(threads_that_come_and_go_lose_no_count),
	contract(a_teardown_under_takers_waits_for_each_of_them),
#ifdef DEVMAP_CONFIG_FS_DAX
	contract(a_release_under_takers_waits_for_each_callback),
#endif
	contract(a_thread_may_use_the_library_in_its_destructors),
};

/* Has the system answer membarrier(2) with ENOSYS from here on, as one that lacks it. */
static bool refuse_membarrier(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_LENGTH(filter), .filter = filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
	       syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) == -1 && errno == ENOSYS;
}

static int run_without_membarrier(void)
{
	if (!refuse_membarrier()) {
		perror("membarrier can't be refused");
		return 1;
	}
	return cmocka_run_group_tests_name("without membarrier", contracts, NULL, NULL);
}

static int run_with_membarrier_refused_later(void)
{
	devmap_page *page;

	/* Owns a shard from here on. */
	if (devmap_alloc_pages(0, &page) != 0)
		return 1;
	devmap_put_page(page);
	destroy_map(create_host_map(1));
	barriers_are_slow = true;
	if (!refuse_membarrier()) {
		perror("membarrier can't be refused");
		return 1;
	}
	return cmocka_run_group_tests_name("membarrier refused later", contracts, NULL, NULL);
}

/* A child of a process that owns shards: those of threads that it does not have are free in it. */
static int run_after_fork(void)
{
	return cmocka_run_group_tests_name("after fork", contracts, NULL, NULL);
}

static bool succeeded(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The children come first: in them the library has not been used before, and learns whether there is a membarrier. */
int main(void)
{
	bool without = succeeded(status_of_child(run_without_membarrier));
	bool later = succeeded(status_of_child(run_with_membarrier_refused_later));
	int failed = cmocka_run_group_tests(contracts, NULL, NULL);
	bool forked = succeeded(status_of_child(run_after_fork));

	return failed != 0 || !without || !later || !forked;
}

#else

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(managed_types_are_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
