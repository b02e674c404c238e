/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>

/*
 * Address -> map: an array sorted by address, kept twice, as the kernel's seqcount_latch: the writer changes one copy
 * while readers use the other, then the second. A reader starts again only when a writer made progress under it, so it
 * is lock-free, and takes the logarithm of the number of maps in steps. A replaced array is kept, as readers may still
 * be in it; as arrays double, all replaced ones together are smaller than the one in use.
 */
struct entry {
	_Atomic(uintptr_t) start;
	_Atomic(uintptr_t) last;
	_Atomic(struct map *) map;
};

struct table {
	_Atomic(size_t) n;
	size_t capacity;
	/* The table this one replaced. */
	struct table *replaced;
	struct entry entries[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Even: readers use copy 0. Odd: copy 1. */
static _Atomic(uint64_t) sequence;
static _Atomic(struct table *) tables[2];

/* Index of the first entry in @table whose start is above @address. */
static size_t upper_bound(struct table *table, uintptr_t address)
{
	size_t low = 0, high = atomic_load_explicit(&table->n, memory_order_acquire);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		/*
		 * Acquire, here and below: a reader that sees an entry of a change under way sees the sequence move
		 * that stood before it, and starts again.
		 */
		if (atomic_load_explicit(&table->entries[middle].start, memory_order_acquire) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct map *lookup_find(uintptr_t address)
{
	uint64_t before;
	struct map *map;

	do {
		struct table *table;
		size_t above;

		before = atomic_load_explicit(&sequence, memory_order_acquire);
		table = atomic_load_explicit(&tables[before & 1], memory_order_acquire);
		above = table ? upper_bound(table, address) : 0;
		map = above ? atomic_load_explicit(&table->entries[above - 1].map, memory_order_acquire) : NULL;
	} while (devmap_unlikely(atomic_load_explicit(&sequence, memory_order_relaxed) != before));
	return map;
}

static void entry_set(struct entry *entry, uintptr_t start, uintptr_t last, struct map *map)
{
	/* Release: not before the move of the sequence that sends readers away. */
	atomic_store_explicit(&entry->start, start, memory_order_release);
	atomic_store_explicit(&entry->last, last, memory_order_release);
	atomic_store_explicit(&entry->map, map, memory_order_release);
}

static void entry_copy(struct entry *to, const struct entry *from)
{
	entry_set(to, atomic_load_explicit(&from->start, memory_order_relaxed),
		  atomic_load_explicit(&from->last, memory_order_relaxed),
		  atomic_load_explicit(&from->map, memory_order_relaxed));
}

static void table_insert(struct table *table, size_t at, uintptr_t start, uintptr_t last, struct map *map)
{
	size_t n = atomic_load_explicit(&table->n, memory_order_relaxed);

	atomic_store_explicit(&table->n, n + 1, memory_order_release);
	for (size_t i = n; i > at; i--)
		entry_copy(&table->entries[i], &table->entries[i - 1]);
	entry_set(&table->entries[at], start, last, map);
}

static void table_remove(struct table *table, size_t at)
{
	size_t n = atomic_load_explicit(&table->n, memory_order_relaxed);

	for (size_t i = at; i + 1 < n; i++)
		entry_copy(&table->entries[i], &table->entries[i + 1]);
	atomic_store_explicit(&table->n, n - 1, memory_order_release);
}

/* Sends readers to the other copy. Acquire-release: their old copy changes only after this is visible. */
static void sequence_move(void)
{
	atomic_fetch_add_explicit(&sequence, 1, memory_order_acq_rel);
}

static struct table *table_grown(struct table *table)
{
	size_t n = table ? atomic_load_explicit(&table->n, memory_order_relaxed) : 0;
	size_t capacity = table ? 2 * table->capacity : 16;
	struct table *grown = malloc(sizeof(*grown) + capacity * sizeof(grown->entries[0]));

	if (!grown)
		return NULL;
	atomic_init(&grown->n, n);
	grown->capacity = capacity;
	grown->replaced = table;
	for (size_t i = 0; i < n; i++)
		entry_copy(&grown->entries[i], &table->entries[i]);
	return grown;
}

/* Makes room for one more entry in both copies. */
static int tables_reserve_locked(void)
{
	struct table *table = atomic_load_explicit(&tables[0], memory_order_relaxed);
	struct table *grown[2];

	if (table && atomic_load_explicit(&table->n, memory_order_relaxed) < table->capacity)
		return 0;
	grown[0] = table_grown(table);
	grown[1] = table_grown(atomic_load_explicit(&tables[1], memory_order_relaxed));
	if (!grown[0] || !grown[1]) {
		free(grown[0]);
		free(grown[1]);
		return -ENOMEM;
	}
	/* The grown copies say the same as those they replace, so readers may meet either. */
	atomic_store_explicit(&tables[0], grown[0], memory_order_release);
	atomic_store_explicit(&tables[1], grown[1], memory_order_release);
	return 0;
}

/* Whether [start, last] meets the range of the entry before or at @at. */
static bool overlaps(struct table *table, size_t at, uintptr_t start, uintptr_t last)
{
	if (at > 0 && atomic_load_explicit(&table->entries[at - 1].last, memory_order_relaxed) >= start)
		return true;
	return at < atomic_load_explicit(&table->n, memory_order_relaxed) &&
	       atomic_load_explicit(&table->entries[at].start, memory_order_relaxed) <= last;
}

int lookup_insert(struct map *map, uintptr_t start, uint64_t length)
{
	uintptr_t last = start + (length - 1);
	struct table *table;
	int result;
	size_t at;

	pthread_mutex_lock(&lock);
	result = tables_reserve_locked();
	if (result == 0) {
		table = atomic_load_explicit(&tables[0], memory_order_relaxed);
		at = upper_bound(table, start);
		if (overlaps(table, at, start, last))
			result = -EEXIST;
	}
	for (int copy = 0; result == 0 && copy < 2; copy++) {
		sequence_move();
		table_insert(atomic_load_explicit(&tables[copy], memory_order_relaxed), at, start, last, map);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

void lookup_remove(struct map *map)
{
	struct table *table;
	size_t at;

	pthread_mutex_lock(&lock);
	table = atomic_load_explicit(&tables[0], memory_order_relaxed);
	at = upper_bound(table, map->public.start) - 1;
	for (int copy = 0; copy < 2; copy++) {
		sequence_move();
		table_remove(atomic_load_explicit(&tables[copy], memory_order_relaxed), at);
	}
	pthread_mutex_unlock(&lock);
}
