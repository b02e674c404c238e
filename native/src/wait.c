/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Waiters and wakers meet in a table that outlives every map, so that a waker touches nothing of what it just let go.
 *
 * No wake-up is lost: a waiter raises `waiters` and then reads the condition, with a heavy fence between; a waker changes
 * the condition and then reads `waiters`, with a light one between; so one of the two sees the other. A waker that sees a
 * waiter moves `sequence`, which the waiter read before the condition: the waiter either sees the new condition or does
 * not sleep.
 */
struct wait_queue wait_queues[1 << NR_WAIT_QUEUES_SHIFT];

void wait_queue_wake(struct wait_queue *queue)
{
	atomic_fetch_add(&queue->sequence, 1);
	os_wake_all(&queue->sequence);
}

static int64_t deadline_of(int64_t timeout_ns)
{
	int64_t now = os_now();

	if (timeout_ns < 0)
		return -1;
	return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

int wait_until(const void *key, bool (*done)(void *context), void *context, int64_t timeout_ns,
	       const devmap_cancel *cancel)
{
	struct wait_queue *queue = wait_queue_of(key);
	int64_t deadline;
	int result;

	if (done(context))
		return 0;
	if (timeout_ns == 0)
		return cancel && atomic_load(&cancel->cancelled) ? -ECANCELED : -ETIMEDOUT;
	deadline = deadline_of(timeout_ns);
	atomic_fetch_add(&queue->waiters, 1);
	fence_heavy();
	for (bool expired = false;;) {
		uint32_t sequence = atomic_load(&queue->sequence);

		result = 0;
		if (done(context))
			break;
		result = -ECANCELED;
		if (cancel && atomic_load(&cancel->cancelled))
			break;
		result = -ETIMEDOUT;
		if (expired)
			break;
		expired = !os_wait(&queue->sequence, sequence, deadline);
	}
	atomic_fetch_sub(&queue->waiters, 1);
	return result;
}

void devmap_cancel_waits(devmap_cancel *cancel)
{
	if (!cancel)
		return;
	atomic_store(&cancel->cancelled, 1);
	for (size_t i = 0; i < sizeof(wait_queues) / sizeof(wait_queues[0]); i++)
		if (atomic_load(&wait_queues[i].waiters) != 0)
			wait_queue_wake(&wait_queues[i]);
}
