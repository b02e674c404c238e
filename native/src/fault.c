/* SPDX-License-Identifier: MIT */
#include "hmm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Thread_local bool serving_faults;
_Thread_local uint32_t nr_locked_pages;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static devmap_fault_handler current_handler;
static void *current_data;
static bool printed[DEVMAP_FAULT_KINDS];
/* Bits 1 << devmap_fault_kind. */
static _Atomic(uint32_t) fatal_kinds;

_Static_assert(DEVMAP_FAULT_KINDS < 32, "a bit each");

static const enum stat_counter counters[DEVMAP_FAULT_KINDS] = {
	[DEVMAP_FAULT_OVERFLOW] = STAT_faults_overflow,
	[DEVMAP_FAULT_UNDERFLOW] = STAT_faults_underflow,
	[DEVMAP_FAULT_USE_AFTER_FREE] = STAT_faults_use_after_free,
	[DEVMAP_FAULT_ACTIVATION] = STAT_faults_activation,
	[DEVMAP_FAULT_DRIVER] = STAT_faults_driver,
	[DEVMAP_FAULT_SLOW_CALLBACK] = STAT_faults_slow_callback,
	[DEVMAP_FAULT_BLOCKED_TEARDOWN] = STAT_faults_blocked_teardown,
	[DEVMAP_FAULT_USE_AFTER_DISPOSE] = STAT_faults_use_after_dispose,
	[DEVMAP_FAULT_LEAK_LOST] = STAT_leaks_lost,
	[DEVMAP_FAULT_LEAK_TEARDOWN] = STAT_leaks_teardown,
	[DEVMAP_FAULT_LEAK_OPS] = STAT_leaks_ops,
	[DEVMAP_FAULT_LEAK_HELD] = STAT_leaks_held,
};

void fault_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}

void devmap_set_fault_handler(devmap_fault_handler handler, void *data)
{
	pthread_mutex_lock(&lock);
	current_handler = handler;
	current_data = data;
	pthread_mutex_unlock(&lock);
}

/* Past the lock of stderr, which a thread that prints from memory of a range holds while it faults. */
static void print_fault(const devmap_fault *fault, const char *why)
{
	dprintf(STDERR_FILENO, "devmap: page %llu of map %p, count %d: %s (%s)\n", (unsigned long long)fault->index,
		(void *)fault->pgmap, fault->count, fault->message, why);
}

void fault_tell(const devmap_fault *fault)
{
	bool fatal = atomic_load(&fatal_kinds) >> fault->kind & 1;
	devmap_fault_handler handler;
	bool print;
	void *data;

	stat_add(counters[fault->kind], 1);
	pthread_mutex_lock(&lock);
	/*
	 * Not on a thread that serves page faults, or has a page locked that such a thread may want: the handler may be
	 * managed code, which a garbage collection stops until it is over, and that waits for the managed thread whose
	 * fault is to be served.
	 */
	handler = serving_faults || nr_locked_pages ? NULL : current_handler;
	data = current_data;
	print = !handler && !fatal && !printed[fault->kind];
	printed[fault->kind] = printed[fault->kind] || print;
	pthread_mutex_unlock(&lock);

	if (handler)
		handler(fault, data);
	if (print)
		print_fault(fault, "the first of its kind; others are only counted");
	if (fatal) {
		print_fault(fault, "fatal, as devmap_set_fatal_faults() asked");
		abort();
	}
}

void fault_report(devmap_fault_kind kind, devmap_page *page, int32_t count, const char *message)
{
	devmap_fault fault = {.kind = (int32_t)kind, .count = count, .page = page, .message = message};

	if (page) {
		fault.pgmap = devmap_page_pagemap(page);
		fault.index = devmap_page_index(page);
	}
	fault_tell(&fault);
}

void fault_report_slow_callback(devmap_pagemap *pgmap, uint64_t index, uint64_t duration_ns)
{
	char message[128];
	devmap_fault fault = {
		.kind = DEVMAP_FAULT_SLOW_CALLBACK,
		.pgmap = pgmap,
		.index = index,
		.message = message,
		.duration_ns = duration_ns,
	};

	(void)snprintf(message, sizeof(message),
		       "the driver's callback took %llu us, longer than devmap_set_callback_limit() allows",
		       (unsigned long long)(duration_ns / 1000));
	fault_tell(&fault);
}

void fault_report_held(const devmap_reference *reference, uint64_t duration_ns)
{
	char message[192];
	devmap_fault fault = {
		.kind = DEVMAP_FAULT_LEAK_HELD,
		.pgmap = reference->pgmap,
		.index = reference->index,
		.message = message,
		.duration_ns = duration_ns,
		.reference = reference->id,
	};

	(void)snprintf(message, sizeof(message), "a reference that thread %u (%.*s) took is held for %llu ms%s",
		       reference->thread, DEVMAP_THREAD_NAME, reference->thread_name,
		       (unsigned long long)(duration_ns / 1000000),
		       devmap_get_level() == DEVMAP_LEVEL_FULL ? "" : "; at the level FULL all references are followed");
	fault_tell(&fault);
}

int devmap_report_fault(int32_t kind, devmap_page *page, const char *message)
{
	static const char *const general[DEVMAP_FAULT_KINDS] = {
		[DEVMAP_FAULT_DRIVER] = "the driver's callback failed",
		[DEVMAP_FAULT_USE_AFTER_DISPOSE] = "a disposed owner of pages was used",
		[DEVMAP_FAULT_LEAK_LOST] = "an owner of references was lost without giving them back",
		[DEVMAP_FAULT_LEAK_OPS] = "a hold of the gate was never given back",
	};

	if (kind < 0 || kind >= DEVMAP_FAULT_KINDS || !general[kind])
		return -EINVAL;
	fault_report((devmap_fault_kind)kind, page, page ? devmap_page_count(page) : 0, message ? message : general[kind]);
	return 0;
}

int devmap_set_fatal_faults(uint32_t kinds)
{
	if (kinds >> DEVMAP_FAULT_KINDS)
		return -EINVAL;
	atomic_store(&fatal_kinds, kinds);
	return 0;
}
