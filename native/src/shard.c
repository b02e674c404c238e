/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Which shard of every counter a thread raises; see internal.h. Of the owned shards each belongs to one thread at a
 * time, from its first use of the library to its end. Threads that find none free, and all threads where the system
 * lacks what fence_heavy() needs, share the others in turn.
 */
_Static_assert(NR_OWNED_SHARDS <= 64, "a bit each");
#define ALL_OWNED (UINT64_MAX >> (64 - NR_OWNED_SHARDS))

_Thread_local uint32_t this_shard_plus_one __attribute__((tls_model("initial-exec")));

/* Written once, before any shard is owned. */
bool shards_are_owned;

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Its destructor runs when a thread with an owned shard ends. */
static pthread_key_t thread_end;
/* A bit for each owned shard that is some thread's. */
static _Atomic(uint64_t) owned = ALL_OWNED;

static uint32_t next_common_shard(void)
{
	static _Atomic(uint32_t) next;

	return NR_OWNED_SHARDS + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % NR_COMMON_SHARDS;
}

static void give_back(void *shard_plus_one)
{
	/* What else runs at the thread's end may use the library again; it need not look for an owned shard. */
	this_shard_plus_one = next_common_shard() + 1;
	/* Release: the next owner goes on from the counts that this one left. */
	atomic_fetch_and_explicit(&owned, ~(UINT64_C(1) << ((uintptr_t)shard_plus_one - 1)), memory_order_release);
}

/* In a child of fork(2), whose only thread is the one that forked. */
static void after_fork(void)
{
	uint32_t shard = this_shard_plus_one - 1;

	if (shards_are_owned)
		atomic_store(&owned, shard < NR_OWNED_SHARDS ? UINT64_C(1) << shard : 0);
	gate_after_fork();
	fault_after_fork();
	track_after_fork();
}

static void set_up(void)
{
	/* Without the barrier, or a way to learn of threads' ends and of forks, no shard is ever owned. */
	if (pthread_atfork(NULL, NULL, after_fork) != 0 || os_membarrier_register() != 0 ||
	    pthread_key_create(&thread_end, give_back) != 0)
		return;
	shards_are_owned = true;
	atomic_store(&owned, 0);
}

/* When a plugin that contains the library is unloaded: threads that end later have nothing to give back to. */
__attribute__((destructor)) static void tear_down(void)
{
	if (!shards_are_owned)
		return;
	atomic_store(&owned, ALL_OWNED);
	(void)pthread_key_delete(thread_end);
}

/* The number of a shard that is this thread's from now on, or NR_OWNED_SHARDS. */
static uint32_t take_owned_shard(void)
{
	uint64_t taken = atomic_load_explicit(&owned, memory_order_relaxed);

	while (taken != ALL_OWNED) {
		uint32_t shard = (uint32_t)__builtin_ctzll(~taken);

		if (!atomic_compare_exchange_weak_explicit(&owned, &taken, taken | UINT64_C(1) << shard,
							   memory_order_acquire, memory_order_relaxed))
			continue;
		if (pthread_setspecific(thread_end, (void *)((uintptr_t)shard + 1)) == 0)
			return shard;
		atomic_fetch_and_explicit(&owned, ~(UINT64_C(1) << shard), memory_order_release);
		break;
	}
	return NR_OWNED_SHARDS;
}

uint32_t this_shard_slow(void)
{
	uint32_t shard;

	pthread_once(&once, set_up);
	track_thread_begin();
	shard = take_owned_shard();
	if (shard == NR_OWNED_SHARDS)
		shard = next_common_shard();
	this_shard_plus_one = shard + 1;
	return shard;
}
