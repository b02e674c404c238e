/* SPDX-License-Identifier: MIT */
#include "hmm_internal.h"

#include <stdio.h>
#include <unistd.h>

_Thread_local bool serving_faults;
_Thread_local uint32_t nr_locked_pages;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static devmap_fault_handler current_handler;
static void *current_data;
static bool printed[DEVMAP_FAULT_KINDS];

static const enum stat_counter counters[DEVMAP_FAULT_KINDS] = {
	[DEVMAP_FAULT_OVERFLOW] = STAT_faults_overflow,
	[DEVMAP_FAULT_UNDERFLOW] = STAT_faults_underflow,
	[DEVMAP_FAULT_USE_AFTER_FREE] = STAT_faults_use_after_free,
	[DEVMAP_FAULT_ACTIVATION] = STAT_faults_activation,
	[DEVMAP_FAULT_DRIVER] = STAT_faults_driver,
};

void devmap_set_fault_handler(devmap_fault_handler handler, void *data)
{
	pthread_mutex_lock(&lock);
	current_handler = handler;
	current_data = data;
	pthread_mutex_unlock(&lock);
}

void fault_report(devmap_fault_kind kind, devmap_page *page, int32_t count, const char *message)
{
	devmap_fault fault = {.kind = (int32_t)kind, .count = count, .page = page, .message = message};
	devmap_fault_handler handler;
	bool print;
	void *data;

	stat_add(counters[kind], 1);
	if (page) {
		fault.pgmap = devmap_page_pagemap(page);
		fault.index = devmap_page_index(page);
	}
	pthread_mutex_lock(&lock);
	/*
	 * Not on a thread that serves page faults, or has a page locked that such a thread may want: the handler may be
	 * managed code, which a garbage collection stops until it is over, and that waits for the managed thread whose
	 * fault is to be served.
	 */
	handler = serving_faults || nr_locked_pages ? NULL : current_handler;
	data = current_data;
	print = !handler && !printed[kind];
	printed[kind] = printed[kind] || print;
	pthread_mutex_unlock(&lock);

	if (handler)
		handler(&fault, data);
	else if (print)
		/* Past the lock of stderr, which a thread that prints from memory of a range holds while it faults. */
		dprintf(STDERR_FILENO,
			"devmap: page %llu of map %p, count %d: %s (the first of its kind; others are only counted)\n",
			(unsigned long long)fault.index, (void *)fault.pgmap, count, message);
}

void devmap_report_driver_fault(devmap_page *page, const char *message)
{
	fault_report(DEVMAP_FAULT_DRIVER, page, page ? devmap_page_count(page) : 0,
		     message ? message : "the driver's callback failed");
}
