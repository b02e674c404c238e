/* SPDX-License-Identifier: MIT */
#include "internal.h"

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

/* On a cache line of its own, which only holds and their ends write: who reads it nearly always has it. */
__attribute__((aligned(CACHE_LINE))) DEVMAP_DEFINE_STATIC_KEY_FALSE(devmap_managed_key);

/*
 * How many of the key's holds are users'. The key alone is the gate; this only keeps a user's unbalanced put from
 * ending the hold of a map or a claim. It never exceeds the holds that it counts.
 */
static __attribute__((aligned(CACHE_LINE))) devmap_static_key user_holds;

/*
 * What became of the gate. A change and its entry are made under the lock, so that entries are in the order of the changes
 * and none is missing. Who may not wait for the lock, as in a signal handler, reads them nevertheless: an entry's number,
 * one more than how many changes there were before it, is gone while it is being written, so that who finds it there before
 * and after reading has it whole.
 */
struct entry {
	_Atomic(uint64_t) number;
	_Atomic(uint64_t) time_ns;
	_Atomic(int32_t) holders;
	_Atomic(uint32_t) thread;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry history[DEVMAP_GATE_HISTORY];
static _Atomic(uint64_t) nr_changes;

static void note_locked(void)
{
	uint64_t before = atomic_load_explicit(&nr_changes, memory_order_relaxed);
	struct entry *entry = &history[before % DEVMAP_GATE_HISTORY];

	/* Release, each: who finds anything of the new entry finds the number gone, or new. */
	atomic_store_explicit(&entry->number, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->time_ns, (uint64_t)os_now(), memory_order_release);
	atomic_store_explicit(&entry->holders, devmap_static_key_count(&devmap_managed_key), memory_order_release);
	atomic_store_explicit(&entry->thread, os_thread_id(), memory_order_release);
	atomic_store_explicit(&entry->number, before + 1, memory_order_release);
	atomic_store_explicit(&nr_changes, before + 1, memory_order_release);
}

static int hold_locked(void)
{
	int result = devmap_static_branch_inc(&devmap_managed_key);

	if (result == 0)
		note_locked();
	return result;
}

static void end_hold_locked(void)
{
	if (devmap_static_branch_dec(&devmap_managed_key) == 0)
		note_locked();
}

int gate_hold(void)
{
	int result;

	pthread_mutex_lock(&lock);
	result = hold_locked();
	pthread_mutex_unlock(&lock);
	return result;
}

void gate_end_hold(void)
{
	pthread_mutex_lock(&lock);
	end_hold_locked();
	pthread_mutex_unlock(&lock);
}

int devmap_pagemap_get_ops(void)
{
	int result;

	pthread_mutex_lock(&lock);
	result = hold_locked();
	/* Cannot overflow: it is at most the key. */
	if (result == 0)
		result = devmap_static_branch_inc(&user_holds);
	pthread_mutex_unlock(&lock);
	return result;
}

int devmap_pagemap_put_ops(void)
{
	int result;

	pthread_mutex_lock(&lock);
	result = devmap_static_branch_dec(&user_holds);
	if (result == 0)
		end_hold_locked();
	pthread_mutex_unlock(&lock);
	return result;
}

void gate_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}

static bool entry_read(uint64_t number, devmap_gate_change *change)
{
	struct entry *entry = &history[(number - 1) % DEVMAP_GATE_HISTORY];

	if (atomic_load_explicit(&entry->number, memory_order_acquire) != number)
		return false;
	change->time_ns = atomic_load_explicit(&entry->time_ns, memory_order_acquire);
	change->holders = atomic_load_explicit(&entry->holders, memory_order_acquire);
	change->thread = atomic_load_explicit(&entry->thread, memory_order_acquire);
	return atomic_load_explicit(&entry->number, memory_order_relaxed) == number;
}

void gate_peek(devmap_snapshot *snapshot)
{
	uint64_t last = atomic_load_explicit(&nr_changes, memory_order_acquire);
	uint64_t first = last > DEVMAP_GATE_HISTORY ? last - DEVMAP_GATE_HISTORY : 0;
	size_t n = 0;

	snapshot->gate_user_holders = devmap_static_key_count(&user_holds);
	snapshot->gate_holders = devmap_static_key_count(&devmap_managed_key);
	if (snapshot->gate_user_holders > snapshot->gate_holders)
		snapshot->gate_user_holders = snapshot->gate_holders;
	snapshot->gate_changes = last;
	for (uint64_t number = first + 1; number <= last; number++)
		if (entry_read(number, &snapshot->gate_history[n]))
			n++;
	memset(&snapshot->gate_history[n], 0, (DEVMAP_GATE_HISTORY - n) * sizeof(snapshot->gate_history[0]));
}

void gate_capture(devmap_snapshot *snapshot)
{
	pthread_mutex_lock(&lock);
	gate_peek(snapshot);
	pthread_mutex_unlock(&lock);
}

int32_t devmap_pagemap_ops_count(void)
{
	return devmap_static_key_count(&devmap_managed_key);
}

#else

void gate_after_fork(void)
{
}

int gate_hold(void)
{
	return -EOPNOTSUPP;
}

void gate_end_hold(void)
{
}

int devmap_pagemap_get_ops(void)
{
	return -EOPNOTSUPP;
}

int devmap_pagemap_put_ops(void)
{
	return -EOPNOTSUPP;
}

int32_t devmap_pagemap_ops_count(void)
{
	return 0;
}

void gate_peek(devmap_snapshot *snapshot)
{
	snapshot->gate_holders = 0;
	snapshot->gate_user_holders = 0;
	snapshot->gate_changes = 0;
	memset(snapshot->gate_history, 0, sizeof(snapshot->gate_history));
}

void gate_capture(devmap_snapshot *snapshot)
{
	gate_peek(snapshot);
}

#endif
