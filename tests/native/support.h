/* SPDX-License-Identifier: MIT */
/**
 * @file support.h
 * What the test files share: a clean world around each test, maps and a counting driver, the faults that were reported,
 * seeded randomness, and threads that start together.
 */
#ifndef DEVMAP_TESTS_SUPPORT_H
#define DEVMAP_TESTS_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <devmap/devmap.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define PAGE_BYTES 4096
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define assert_ok(expression) assert_int_equal((expression), 0)
#define assert_error(expression, error) assert_int_equal((expression), -(error))

/**
 * The assertion of threads and callbacks, which must not jump out: a failure is printed and noted, and fails
 * run_threads() or the end of the test.
 */
#define check(condition) check_at((condition), #condition, __FILE__, __LINE__)
bool check_at(bool condition, const char *text, const char *file, int line);

/**
 * A test whose world is clean at its end: no fault that it did not take, no failed check(), and the gate, the maps, the
 * ordinary pages, the claims and the layout breaks as they were before.
 */
#define contract(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)
int world_open(void **state);

/** One that reads or changes counts as they are stored, or takes pages as only those are that are not followed (track.h). */
#define contract_of_counts(function) cmocka_unit_test_setup_teardown(function, world_open_untracked, world_close)
int world_open_untracked(void **state);
int world_close(void **state);

/** @return whether this build or run is much slower: ThreadSanitizer, AddressSanitizer, valgrind. */
bool runs_slowly(void);
/** @return whether the address space is not all there for tests: ThreadSanitizer, valgrind. */
bool address_space_is_small(void);
/** @return @p rounds, or fewer where they are slow. */
uint32_t scaled(uint32_t rounds);

/** A xorshift generator. Each stream of a seed is a sequence of its own; DEVMAP_TEST_SEED repeats a run's seed. */
struct rng {
	uint64_t state;
};

uint64_t test_seed(void);
struct rng rng_stream(uint64_t stream);
uint32_t rng_next(struct rng *rng);
/** @return a number below @p bound, which is not 0. */
uint32_t rng_below(struct rng *rng, uint32_t bound);
/** Shakes the schedule: nothing, a short spin, or a yield. */
void perturb(struct rng *rng);

/** Runs @p body on @p nr_threads threads that start together, and waits for them. Fails where one failed a check. */
typedef void thread_body(void *shared, uint32_t index, struct rng *rng);
void run_threads(uint32_t nr_threads, thread_body *body, void *shared);

/** Runs @p body in a child whose exit status is what it returns. @return how it ended, as waitpid(2) tells. */
int status_of_child(int (*body)(void));
/** Leaves this process @p bytes more of address space; for a child. @return whether it could. */
bool limit_address_space(uint64_t bytes);

/** @return the number of faults of @p kind since the last call for it. The world is not clean of those nobody took. */
uint32_t take_faults(devmap_fault_kind kind);
/** @return the fault reported last. */
devmap_fault last_fault(void);

devmap_stats stats_now(void);

/** A driver that counts its callbacks, by page. */
struct counting_driver {
	uint64_t nr_pages;
	/** Callbacks of each page, through either callback. */
	_Atomic(uint32_t) *calls;
	_Atomic(uint64_t) single_calls;
	_Atomic(uint64_t) batch_calls;
	_Atomic(uint64_t) total;
};

struct counting_driver *counting_driver_new(uint64_t nr_pages);
void counting_driver_free(struct counting_driver *driver);
/** page_free alone. */
extern const devmap_pagemap_ops counting_ops;
/** page_free and pages_free. */
extern const devmap_pagemap_ops counting_batch_ops;

/** @return a map of 4 KiB pages over memory of the library's; the test fails where it is refused. */
devmap_pagemap *create_host_map(uint64_t nr_pages);

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
/** The managed types of this configuration. FS_DAX is a HOST map with a claim, whose owner is the driver's data. */
extern const int32_t managed_types[];
extern const uint32_t nr_managed_types;

devmap_pagemap *create_map_of_type(int32_t type, uint64_t nr_pages, const devmap_pagemap_ops *ops, void *data);
/** @return a map of the first of managed_types. @p data is not NULL. */
devmap_pagemap *create_managed_map(uint64_t nr_pages, const devmap_pagemap_ops *ops, void *data);
#endif

/** Tears an idle map down and frees its handle. */
void destroy_map(devmap_pagemap *map);

/** Takes one page through its map. */
devmap_page *take_page(devmap_pagemap *map, uint64_t index);

/** Writes the page's count word, to bring about or repair what no sequence of calls can. */
void set_refcount(devmap_page *page, int32_t refcount);
int32_t refcount_of(devmap_page *page);

/** The one test of a file that has nothing to say without idle callbacks: a managed map is refused with -EOPNOTSUPP. */
void managed_types_are_refused(void **state);

#endif
