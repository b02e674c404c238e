/* SPDX-License-Identifier: MIT */
/* Faults: contracts broken where no return value tells. Counted; told to the handler, or printed once a kind. */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct hearing {
	uint32_t calls;
	devmap_fault fault;
};

static void hear(const devmap_fault *fault, void *data)
{
	struct hearing *hearing = data;

	hearing->calls++;
	hearing->fault = *fault;
}

static devmap_page *put_twice(devmap_pagemap *map, uint64_t index)
{
	devmap_page *page;

	if (devmap_pagemap_get_pages(map, index, 1, &page) != 0)
		return NULL;
	devmap_put_page(page);
	devmap_put_page(page);
	return page;
}

static void the_handler_hears_of_the_page_its_map_and_what_happened(void **state)
{
	devmap_pagemap *map = create_host_map(8);
	struct hearing hearing = {.calls = 0};
	devmap_page *page;

	(void)state;
	devmap_set_fault_handler(hear, &hearing);
	page = put_twice(map, 5);
	assert_int_equal(hearing.calls, 1);
	assert_int_equal(hearing.fault.kind, DEVMAP_FAULT_UNDERFLOW);
	assert_ptr_equal(hearing.fault.page, page);
	assert_ptr_equal(hearing.fault.pgmap, map);
	assert_int_equal(hearing.fault.index, 5);
	assert_int_equal(hearing.fault.count, 0);
	assert_non_null(hearing.fault.message);
	assert_true(strlen(hearing.fault.message) > 0);
	set_refcount(page, 0);
	destroy_map(map);
}

static void the_handler_hears_of_ordinary_pages_without_a_map(void **state)
{
	struct hearing hearing = {.calls = 0};
	devmap_page *page = NULL;

	(void)state;
	devmap_set_fault_handler(hear, &hearing);
	assert_ok(devmap_alloc_pages(0, &page));
	devmap_put_page(page);
	devmap_put_page(page);
	assert_int_equal(hearing.calls, 1);
	assert_ptr_equal(hearing.fault.page, page);
	assert_null(hearing.fault.pgmap);
	assert_int_equal(hearing.fault.index, 0);
}

static void another_handler_takes_over(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	struct hearing first = {.calls = 0};
	struct hearing second = {.calls = 0};

	(void)state;
	devmap_set_fault_handler(hear, &first);
	set_refcount(put_twice(map, 0), 0);
	devmap_set_fault_handler(hear, &second);
	set_refcount(put_twice(map, 1), 0);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 1);
	destroy_map(map);
}

static void a_driver_fault_is_reported_with_its_message(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 3);
	struct hearing hearing = {.calls = 0};
	const char *message = "the driver threw";

	(void)state;
	devmap_set_fault_handler(hear, &hearing);
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, page, message);
	assert_int_equal(hearing.calls, 1);
	assert_int_equal(hearing.fault.kind, DEVMAP_FAULT_DRIVER);
	assert_ptr_equal(hearing.fault.page, page);
	assert_ptr_equal(hearing.fault.pgmap, map);
	assert_int_equal(hearing.fault.index, 3);
	assert_int_equal(hearing.fault.count, 2);
	assert_string_equal(hearing.fault.message, message);
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, page, NULL);
	assert_int_equal(hearing.calls, 2);
	assert_non_null(hearing.fault.message);
	assert_true(strlen(hearing.fault.message) > 0);
	/* The page is as usable as before. */
	assert_int_equal(devmap_page_count(page), 2);
	devmap_put_page(page);
	destroy_map(map);
}

static devmap_page *page_to_put;

static void put_a_page_on_fault(const devmap_fault *fault, void *data)
{
	(void)fault;
	(*(uint32_t *)data)++;
	if (page_to_put != NULL) {
		devmap_page *page = page_to_put;

		page_to_put = NULL;
		devmap_put_page(page);
	}
}

static void a_handler_may_put_pages_and_meet_another_fault(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *idle = devmap_pagemap_page(map, 1);
	devmap_page *page;
	uint32_t calls = 0;

	(void)state;
	devmap_set_fault_handler(put_a_page_on_fault, &calls);
	page_to_put = idle;
	page = put_twice(map, 0);
	assert_int_equal(calls, 2);
	set_refcount(page, 0);
	set_refcount(idle, 0);
	destroy_map(map);
}

/** The child's streams: what it prints to stderr comes out of a pipe, in sections that it ends with '|'. */
static int captured;

static int report_without_a_handler(void)
{
	devmap_pagemap *map = create_host_map(4);
	struct hearing hearing = {.calls = 0};
	const devmap_stats before = stats_now();
	devmap_page *page;

	if (dup2(captured, STDERR_FILENO) < 0)
		return 2;
	devmap_set_fault_handler(hear, &hearing);
	(void)put_twice(map, 0);
	(void)fputs("|", stderr);
	devmap_set_fault_handler(NULL, NULL);
	(void)put_twice(map, 1);
	(void)fputs("|", stderr);
	(void)put_twice(map, 2);
	(void)fputs("|", stderr);
	if (devmap_pagemap_get_pages(map, 3, 1, &page) != 0)
		return 3;
	set_refcount(page, INT32_MAX);
	devmap_get_page(page);
	(void)fputs("|", stderr);
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, page, "thrown");
	(void)fputs("|", stderr);
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, page, "thrown again");
	(void)fputs("|", stderr);
	if (stats_now().faults_underflow != before.faults_underflow + 3 ||
		stats_now().faults_overflow != before.faults_overflow + 1 ||
		stats_now().faults_driver != before.faults_driver + 2)
		return 4;
	return hearing.calls == 1 ? 0 : 5;
}

static void without_a_handler_the_first_of_each_kind_is_printed_and_all_are_counted(void **state)
{
	char text[8192];
	size_t length = 0;
	ssize_t n;
	int ends[2];
	int status;
	int section = 0;
	const char *begin = text;
	const char *end;
	/* By section: with a handler; the first underflow; the second; an overflow; a driver's; a second driver's. */
	static const bool printed[] = {false, true, false, true, true, false};

	(void)state;
	assert_ok(pipe(ends));
	captured = ends[1];
	status = status_of_child(report_without_a_handler);
	assert_ok(close(ends[1]));
	while ((n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	assert_ok(close(ends[0]));
	text[length] = '\0';
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (end = strchr(begin, '|'); end != NULL; end = strchr(begin, '|')) {
		assert_true(section < (int)ARRAY_LENGTH(printed));
		assert_int_equal(end > begin, printed[section]);
		/* One line. */
		if (end > begin)
			assert_ptr_equal(memchr(begin, '\n', (size_t)(end - begin)), end - 1);
		begin = end + 1;
		section++;
	}
	assert_int_equal(section, ARRAY_LENGTH(printed));
}

static void say_heard(const devmap_fault *fault, void *data)
{
	(void)fault;
	(void)!write(captured, data, strlen(data));
}

/* Of a fatal kind, with the handler or none; another kind before it, which is not. */
static int die_of_a_fault(devmap_fault_handler handler)
{
	static char heard[] = "heard|";
	const struct rlimit no_core = {0, 0};

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 || dup2(captured, STDERR_FILENO) < 0 ||
		devmap_set_fatal_faults(1u << DEVMAP_FAULT_DRIVER) != 0)
		return 2;
	devmap_set_fault_handler(handler, heard);
	(void)devmap_report_fault(DEVMAP_FAULT_LEAK_LOST, NULL, "alive");
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, NULL, "deadly");
	return 3;
}

static int die_heard(void)
{
	return die_of_a_fault(say_heard);
}

static int die_alone(void)
{
	return die_of_a_fault(NULL);
}

static void a_fatal_fault_ends_the_process_when_the_handler_has_heard_of_it(void **state)
{
	static int (*const bodies[])(void) = {die_heard, die_alone};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		char text[4096] = "";
		size_t length = 0;
		ssize_t n;
		int ends[2], status;
		const char *deadly;

		assert_ok(pipe(ends));
		captured = ends[1];
		status = status_of_child(bodies[i]);
		assert_ok(close(ends[1]));
		while ((n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
			length += (size_t)n;
		assert_ok(close(ends[0]));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		deadly = strstr(text, "deadly");
		assert_non_null(deadly);
		/* Once. */
		assert_null(strstr(deadly + 1, "deadly"));
		assert_non_null(strstr(deadly, "fatal"));
		if (bodies[i] == die_heard)
			assert_ptr_equal(strstr(text, "heard|heard|"), text);
		else
			assert_null(strstr(text, "heard|"));
	}
}

static void faults_of_no_kind_are_refused(void **state)
{
	(void)state;
	assert_error(devmap_set_fatal_faults(1u << DEVMAP_FAULT_KINDS), EINVAL);
	assert_error(devmap_set_fatal_faults(UINT32_MAX), EINVAL);
	assert_ok(devmap_set_fatal_faults((1u << DEVMAP_FAULT_KINDS) - 1));
	assert_ok(devmap_set_fatal_faults(0));
	assert_int_equal(devmap_report_fault(DEVMAP_FAULT_LEAK_OPS, NULL, NULL), 0);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_OPS), 1);
}

static void a_language_layer_reports_its_own_kinds_only(void **state)
{
	(void)state;
	for (int32_t kind = -1; kind <= DEVMAP_FAULT_KINDS; kind++) {
		bool its_own = kind == DEVMAP_FAULT_DRIVER || kind == DEVMAP_FAULT_USE_AFTER_DISPOSE ||
			       kind == DEVMAP_FAULT_LEAK_LOST || kind == DEVMAP_FAULT_LEAK_OPS;

		assert_int_equal(devmap_report_fault(kind, NULL, NULL), its_own ? 0 : -EINVAL);
		if (!its_own)
			continue;
		assert_int_equal(take_faults((devmap_fault_kind)kind), 1);
		assert_int_equal(last_fault().kind, kind);
		assert_null(last_fault().page);
		assert_int_equal(last_fault().duration_ns, 0);
		assert_int_equal(last_fault().reference, 0);
	}
}

static void report_faults(void *shared, uint32_t index, struct rng *rng)
{
	devmap_pagemap *map = shared;
	uint32_t i;

	(void)rng;
	for (i = 0; i < 100; i++)
		(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, devmap_pagemap_page(map, index), "at once");
}

static void faults_of_many_threads_are_all_heard_and_counted(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	const uint64_t before = stats_now().faults_driver;

	(void)state;
	run_threads(4, report_faults, map);
	assert_int_equal(stats_now().faults_driver - before, 400);
	assert_int_equal(take_faults(DEVMAP_FAULT_DRIVER), 400);
	destroy_map(map);
}

static void put_at_once(void *shared, uint32_t index, struct rng *rng)
{
	devmap_page *page = shared;

	(void)index;
	perturb(rng);
	devmap_put_page(page);
}

static void puts_beyond_the_last_by_many_threads_are_one_edge_and_faults(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_stats before;
	devmap_stats after;
	devmap_page *page;
	uint32_t round;

	(void)state;
	for (round = 0; round < scaled(200); round++) {
		page = take_page(map, 0);
		before = stats_now();
		run_threads(4, put_at_once, page);
		after = stats_now();
		assert_int_equal(after.idle_edges - before.idle_edges, 1);
		assert_in_range(take_faults(DEVMAP_FAULT_UNDERFLOW), 1, 3);
		assert_true(devmap_page_count(page) < 0);
		set_refcount(page, 0);
	}
	destroy_map(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(the_handler_hears_of_the_page_its_map_and_what_happened),
		contract(the_handler_hears_of_ordinary_pages_without_a_map),
		contract(another_handler_takes_over),
		contract(a_driver_fault_is_reported_with_its_message),
		contract(a_handler_may_put_pages_and_meet_another_fault),
		contract(without_a_handler_the_first_of_each_kind_is_printed_and_all_are_counted),
		contract(a_fatal_fault_ends_the_process_when_the_handler_has_heard_of_it),
		contract(faults_of_no_kind_are_refused),
		contract(a_language_layer_reports_its_own_kinds_only),
		contract(faults_of_many_threads_are_all_heard_and_counted),
		contract(puts_beyond_the_last_by_many_threads_are_one_edge_and_faults),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
