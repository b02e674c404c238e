/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#else
#define UNDER_TSAN false
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN true
#else
#define UNDER_ASAN false
#endif

static _Atomic(uint32_t) failed_checks;
static _Atomic(uint32_t) fault_counts[DEVMAP_FAULT_KINDS];
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static devmap_fault latest_fault;
static devmap_stats opening_stats;

bool check_at(bool condition, const char *text, const char *file, int line)
{
	if (condition)
		return true;
	if (atomic_fetch_add(&failed_checks, 1) < 16)
		(void)fprintf(stderr, "%s:%d: check failed: %s\n", file, line, text);
	return false;
}

static void record_fault(const devmap_fault *fault, void *data)
{
	(void)data;
	if (!check(fault->kind >= 0 && fault->kind < DEVMAP_FAULT_KINDS) || !check(fault->message != NULL))
		return;
	(void)pthread_mutex_lock(&fault_lock);
	latest_fault = *fault;
	(void)pthread_mutex_unlock(&fault_lock);
	atomic_fetch_add(&fault_counts[fault->kind], 1);
}

uint32_t take_faults(devmap_fault_kind kind)
{
	return atomic_exchange(&fault_counts[kind], 0);
}

devmap_fault last_fault(void)
{
	devmap_fault fault;

	(void)pthread_mutex_lock(&fault_lock);
	fault = latest_fault;
	(void)pthread_mutex_unlock(&fault_lock);
	return fault;
}

devmap_stats stats_now(void)
{
	devmap_stats stats;

	memset(&stats, 0, sizeof(stats));
	assert_ok(devmap_stats_read(&stats, sizeof(stats)));
	return stats;
}

/* DEVMAP_TEST_LEVEL runs the contracts at another level: 0 to 3. */
static void set_level(void)
{
	const char *level = getenv("DEVMAP_TEST_LEVEL");

	if (level)
		assert_ok(devmap_set_level(atoi(level)));
}

int world_open(void **state)
{
	(void)state;
	set_level();
	devmap_set_fault_handler(record_fault, NULL);
	opening_stats = stats_now();
	return 0;
}

int world_open_untracked(void **state)
{
	assert_int_equal(world_open(state), 0);
	if (devmap_get_level() > DEVMAP_LEVEL_COUNTERS)
		assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	return 0;
}

static bool is_as_before(const char *what, uint64_t before, uint64_t now)
{
	if (before == now)
		return true;
	print_error("the test left %s: %llu before, %llu after\n", what, (unsigned long long)before,
		(unsigned long long)now);
	return false;
}

int world_close(void **state)
{
	const devmap_stats now = stats_now();
	bool clean = true;
	int kind;

	(void)state;
	for (kind = 0; kind < DEVMAP_FAULT_KINDS; kind++)
		clean &= is_as_before("faults", 0, take_faults((devmap_fault_kind)kind));
	clean &= is_as_before("failed checks", 0, atomic_exchange(&failed_checks, 0));
	clean &= is_as_before("the gate", (uint64_t)opening_stats.gate_holders, (uint64_t)now.gate_holders);
	clean &= is_as_before("maps", opening_stats.pagemaps.current, now.pagemaps.current);
	clean &= is_as_before("ordinary pages", opening_stats.ordinary_pages.current, now.ordinary_pages.current);
	clean &= is_as_before("claims", opening_stats.claims.current, now.claims.current);
	clean &= is_as_before("layout breaks", opening_stats.layout_breaks.current, now.layout_breaks.current);
	return clean ? 0 : -1;
}

bool runs_slowly(void)
{
	return UNDER_TSAN || UNDER_ASAN || RUNNING_ON_VALGRIND;
}

bool address_space_is_small(void)
{
	return UNDER_TSAN || RUNNING_ON_VALGRIND;
}

uint32_t scaled(uint32_t rounds)
{
	if (RUNNING_ON_VALGRIND)
		return rounds / 50 + 1;
	return runs_slowly() ? rounds / 4 + 1 : rounds;
}

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void choose_seed(void)
{
	const char *given = getenv("DEVMAP_TEST_SEED");
	struct timespec now;

	if (given != NULL) {
		seed = strtoull(given, NULL, 0);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	}
	print_message("DEVMAP_TEST_SEED=0x%llx repeats this run's random choices\n", (unsigned long long)seed);
}

uint64_t test_seed(void)
{
	(void)pthread_once(&seed_once, choose_seed);
	return seed;
}

struct rng rng_stream(uint64_t stream)
{
	/* splitmix64 spreads neighbouring streams apart; xorshift must not start at 0. */
	uint64_t mixed = test_seed() + (stream + 1) * 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	mixed ^= mixed >> 31;
	return (struct rng){.state = mixed != 0 ? mixed : 1};
}

uint32_t rng_next(struct rng *rng)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return (uint32_t)(rng->state >> 32);
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	return (uint32_t)(((uint64_t)rng_next(rng) * bound) >> 32);
}

void perturb(struct rng *rng)
{
	uint32_t choice = rng_below(rng, 32);
	volatile uint32_t spins;

	if (choice == 0)
		(void)sched_yield();
	else if (choice < 16)
		for (spins = rng_below(rng, 64); spins > 0; spins = spins - 1)
			;
}

struct thread {
	pthread_t id;
	pthread_barrier_t *start;
	thread_body *body;
	void *shared;
	uint32_t index;
	struct rng rng;
};

static void *thread_main(void *argument)
{
	struct thread *thread = argument;

	(void)pthread_barrier_wait(thread->start);
	thread->body(thread->shared, thread->index, &thread->rng);
	return NULL;
}

void run_threads(uint32_t nr_threads, thread_body *body, void *shared)
{
	static uint64_t next_stream = 1000;
	struct thread *threads = calloc(nr_threads, sizeof(*threads));
	pthread_barrier_t start;
	uint32_t failed_before = atomic_load(&failed_checks);
	uint32_t i;

	assert_non_null(threads);
	assert_ok(pthread_barrier_init(&start, NULL, nr_threads));
	for (i = 0; i < nr_threads; i++) {
		threads[i].start = &start;
		threads[i].body = body;
		threads[i].shared = shared;
		threads[i].index = i;
		threads[i].rng = rng_stream(next_stream++);
		assert_ok(pthread_create(&threads[i].id, NULL, thread_main, &threads[i]));
	}
	for (i = 0; i < nr_threads; i++)
		assert_ok(pthread_join(threads[i].id, NULL));
	assert_ok(pthread_barrier_destroy(&start));
	free(threads);
	assert_int_equal(atomic_load(&failed_checks), failed_before);
}

int status_of_child(int (*body)(void))
{
	pid_t child;
	int status = 0;

	/* What is buffered is the parent's to write. */
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(body());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

bool limit_address_space(uint64_t bytes)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;
	struct rlimit limit;

	if (file == NULL || fscanf(file, "%llu", &pages) != 1)
		return false;
	(void)fclose(file);
	limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + bytes;
	limit.rlim_max = limit.rlim_cur;
	return setrlimit(RLIMIT_AS, &limit) == 0;
}

struct counting_driver *counting_driver_new(uint64_t nr_pages)
{
	struct counting_driver *driver = calloc(1, sizeof(*driver));

	assert_non_null(driver);
	driver->nr_pages = nr_pages;
	driver->calls = calloc(nr_pages, sizeof(*driver->calls));
	assert_non_null(driver->calls);
	return driver;
}

void counting_driver_free(struct counting_driver *driver)
{
	free(driver->calls);
	free(driver);
}

static void count_page(struct counting_driver *driver, devmap_page *page)
{
	uint64_t index = devmap_page_index(page);

	if (!check(index < driver->nr_pages))
		return;
	atomic_fetch_add(&driver->calls[index], 1);
	atomic_fetch_add(&driver->total, 1);
}

static void count_page_free(devmap_page *page, void *data)
{
	struct counting_driver *driver = data;

	atomic_fetch_add(&driver->single_calls, 1);
	count_page(driver, page);
}

static void count_pages_free(devmap_page *const *pages, uint32_t nr_pages, void *data)
{
	struct counting_driver *driver = data;
	uint32_t i;

	check(nr_pages > 0 && nr_pages <= DEVMAP_IDLE_BATCH);
	atomic_fetch_add(&driver->batch_calls, 1);
	for (i = 0; i < nr_pages; i++)
		count_page(driver, pages[i]);
}

const devmap_pagemap_ops counting_ops = {.page_free = count_page_free};
const devmap_pagemap_ops counting_batch_ops = {.page_free = count_page_free, .pages_free = count_pages_free};

static devmap_pagemap *create_map(
	int32_t type, int32_t backing, uint64_t nr_pages, const devmap_pagemap_ops *ops, void *data)
{
	const devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = type,
		.backing = backing,
		.length = nr_pages * PAGE_BYTES,
		.ops = ops,
		.data = data,
	};
	devmap_pagemap *map = NULL;

	assert_ok(devmap_memremap_pages(&config, &map));
	assert_non_null(map);
	return map;
}

devmap_pagemap *create_host_map(uint64_t nr_pages)
{
	return create_map(DEVMAP_MEMORY_DEVICE_HOST, DEVMAP_BACKING_RESERVED, nr_pages, NULL, NULL);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

const int32_t managed_types[] = {
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
	DEVMAP_MEMORY_DEVICE_PUBLIC,
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	DEVMAP_MEMORY_DEVICE_PRIVATE,
#endif
#ifdef DEVMAP_CONFIG_FS_DAX
	DEVMAP_MEMORY_DEVICE_FS_DAX,
#endif
};
const uint32_t nr_managed_types = ARRAY_LENGTH(managed_types);

devmap_pagemap *create_map_of_type(int32_t type, uint64_t nr_pages, const devmap_pagemap_ops *ops, void *data)
{
	devmap_pagemap *map;

	if (type == DEVMAP_MEMORY_DEVICE_PRIVATE)
		return create_map(type, DEVMAP_BACKING_INACCESSIBLE, nr_pages, ops, data);
	if (type == DEVMAP_MEMORY_DEVICE_PUBLIC)
		return create_map(type, DEVMAP_BACKING_RESERVED, nr_pages, ops, data);
	map = create_host_map(nr_pages);
	if (type == DEVMAP_MEMORY_DEVICE_FS_DAX)
		assert_ok(devmap_fs_dax_claim(map, data, ops));
	return map;
}

devmap_pagemap *create_managed_map(uint64_t nr_pages, const devmap_pagemap_ops *ops, void *data)
{
	return create_map_of_type(managed_types[0], nr_pages, ops, data);
}

#endif

void destroy_map(devmap_pagemap *map)
{
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	assert_ok(devmap_pagemap_free(map));
}

devmap_page *take_page(devmap_pagemap *map, uint64_t index)
{
	devmap_page *page = NULL;

	assert_ok(devmap_pagemap_get_pages(map, index, 1, &page));
	assert_non_null(page);
	return page;
}

void set_refcount(devmap_page *page, int32_t refcount)
{
	atomic_store(&page->refcount, refcount);
}

int32_t refcount_of(devmap_page *page)
{
	return atomic_load(&page->refcount);
}

void managed_types_are_refused(void **state)
{
	static const int32_t types[] = {DEVMAP_MEMORY_DEVICE_PRIVATE, DEVMAP_MEMORY_DEVICE_PUBLIC};
	devmap_pagemap *map = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(types); i++) {
		const devmap_pagemap_config config = {
			.size = sizeof(config),
			.type = types[i],
			.backing = DEVMAP_BACKING_CALLER,
			.address = (void *)(uintptr_t)(64 * GIB),
			.length = PAGE_BYTES,
			.ops = &counting_ops,
		};

		assert_error(devmap_memremap_pages(&config, &map), EOPNOTSUPP);
		assert_null(map);
	}
}
