/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Address -> map: a radix tree over 4 KiB units, as the kernel's pgmap_array. An entry stands for all addresses below it:
 * it is 0, a map, or a node (bit 0 set), so that a map of any length and alignment takes few entries, and a look-up takes
 * at most as many steps as there are levels, however many maps there are.
 *
 *     root       2^21 entries of 64 GiB: all of the 57 bits of an address that a process may have
 *     nodes      16 entries each: two cache lines; of 4 GiB, 256 MiB, 16 MiB, 1 MiB, 64 KiB, 4 KiB
 *
 * Readers take no lock and are never held up: each step is one load. Nodes are type-stable: one that became empty is used
 * again, maybe elsewhere in the tree, but never returned. A reader that is still in it then sees entries of other
 * addresses, at worst another map, and devmap_get_pagemap() asks what it found whether it covers the address. No reader
 * misses a live map by that: the nodes above a map are not empty while it is there.
 */
#define ROOT_SHIFT 36
#define ROOT_ENTRIES (UINT64_C(1) << (57 - ROOT_SHIFT))
#define NODE_SHIFT 4
#define NODE_ENTRIES (1 << NODE_SHIFT)
#define UNIT_SHIFT 12
/* Nodes that memory is reserved for at a time: 2 MiB, taken as it is used. */
#define NODES_RESERVED 16384

typedef _Atomic(uintptr_t) entry;

/* A free node is empty but for entry 0, which is the next free node: to a reader that is still in it, a node like others. */
struct node {
	entry entries[NODE_ENTRIES];
};

/* Guards changes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node *free_nodes;
/* Reserved with the first map; only what is used of it takes memory. */
static _Atomic(entry *) root;

static bool is_node(uintptr_t value)
{
	return value & 1;
}

static struct node *node_of(uintptr_t value)
{
	return (struct node *)(value - 1);
}

struct map *lookup_find(uintptr_t address)
{
	entry *table = atomic_load_explicit(&root, memory_order_acquire);
	uint32_t shift = ROOT_SHIFT;
	uintptr_t value;

	if (!table || address >> ROOT_SHIFT >= ROOT_ENTRIES)
		return NULL;
	/* Acquire: who sees a node sees it empty or with what was entered there. */
	value = atomic_load_explicit(&table[address >> ROOT_SHIFT], memory_order_acquire);
	while (is_node(value)) {
		/* Only in a node that is used elsewhere meanwhile. */
		if (shift == UNIT_SHIFT)
			return NULL;
		shift -= NODE_SHIFT;
		value = atomic_load_explicit(&node_of(value)->entries[address >> shift & (NODE_ENTRIES - 1)],
					     memory_order_acquire);
	}
	return (struct map *)value;
}

/* ---- changes, under the lock ------------------------------------------------------------------------------------ */

/* The entries of one node, or the root, that a range of addresses meets. */
struct span {
	entry *entries;
	/* Logarithm to base 2 of the bytes of one entry. */
	uint32_t shift;
	/* The address that the first of the entries stands for. */
	uintptr_t base;
	uintptr_t start;
	uintptr_t last;
};

static size_t span_first(const struct span *span)
{
	return (span->start - span->base) >> span->shift;
}

static size_t span_last(const struct span *span)
{
	return (span->last - span->base) >> span->shift;
}

/* Whether the range has all addresses of entry @i. */
static bool span_has_all(const struct span *span, size_t i)
{
	uintptr_t first = span->base + ((uintptr_t)i << span->shift);

	return span->start <= first && first + ((UINT64_C(1) << span->shift) - 1) <= span->last;
}

/* The part of the range that lies in the node at entry @i. */
static struct span span_below(const struct span *span, size_t i, struct node *node)
{
	uintptr_t first = span->base + ((uintptr_t)i << span->shift);
	uintptr_t last = first + ((UINT64_C(1) << span->shift) - 1);

	return (struct span){
		.entries = node->entries,
		.shift = span->shift - NODE_SHIFT,
		.base = first,
		.start = span->start > first ? span->start : first,
		.last = span->last < last ? span->last : last,
	};
}

static bool is_vacant(const struct span *span)
{
	for (size_t i = span_first(span); i <= span_last(span); i++) {
		uintptr_t value = atomic_load_explicit(&span->entries[i], memory_order_relaxed);
		struct span below;

		if (value == 0)
			continue;
		if (!is_node(value))
			return false;
		below = span_below(span, i, node_of(value));
		if (!is_vacant(&below))
			return false;
	}
	return true;
}

/* A node that was never used, side by side with others; zero-filled, as its entries are to be. */
static struct node *node_alloc_new(void)
{
	static struct node *nodes;
	static size_t nr_left;

	if (nr_left == 0) {
		void *memory;

		if (os_reserve(NODES_RESERVED * sizeof(struct node), sizeof(struct node), OS_READ_WRITE, &memory) != 0)
			return NULL;
		nodes = memory;
		nr_left = NODES_RESERVED;
	}
	nr_left--;
	return nodes++;
}

static struct node *node_alloc(void)
{
	struct node *node = free_nodes;

	if (node) {
		uintptr_t next = atomic_load_explicit(&node->entries[0], memory_order_relaxed);

		free_nodes = next ? node_of(next) : NULL;
		atomic_store_explicit(&node->entries[0], 0, memory_order_relaxed);
		return node;
	}
	return node_alloc_new();
}

static void node_free(struct node *node)
{
	atomic_store_explicit(&node->entries[0], free_nodes ? (uintptr_t)free_nodes | 1 : 0, memory_order_release);
	free_nodes = node;
}

static bool node_is_empty(struct node *node)
{
	for (size_t i = 0; i < NODE_ENTRIES; i++)
		if (atomic_load_explicit(&node->entries[i], memory_order_relaxed) != 0)
			return false;
	return true;
}

/* Takes the map's entries out, as far as they are there, and nodes that become empty with them. */
static void clear(const struct span *span, struct map *map)
{
	for (size_t i = span_first(span); i <= span_last(span); i++) {
		uintptr_t value = atomic_load_explicit(&span->entries[i], memory_order_relaxed);

		if (is_node(value)) {
			struct node *node = node_of(value);
			struct span below = span_below(span, i, node);

			clear(&below, map);
			if (!node_is_empty(node))
				continue;
			atomic_store_explicit(&span->entries[i], 0, memory_order_release);
			node_free(node);
		} else if (value == (uintptr_t)map) {
			atomic_store_explicit(&span->entries[i], 0, memory_order_release);
		}
	}
}

/* Enters the map in a vacant range: -ENOMEM with part of it entered. */
static int fill(const struct span *span, struct map *map)
{
	for (size_t i = span_first(span); i <= span_last(span); i++) {
		uintptr_t value = atomic_load_explicit(&span->entries[i], memory_order_relaxed);
		struct span below;
		int result;

		if (span_has_all(span, i)) {
			atomic_store_explicit(&span->entries[i], (uintptr_t)map, memory_order_release);
			continue;
		}
		if (value == 0) {
			struct node *node = node_alloc();

			if (!node)
				return -ENOMEM;
			value = (uintptr_t)node | 1;
			atomic_store_explicit(&span->entries[i], value, memory_order_release);
		}
		below = span_below(span, i, node_of(value));
		result = fill(&below, map);
		if (result != 0)
			return result;
	}
	return 0;
}

static int root_reserve(void)
{
	void *table;
	int result;

	if (atomic_load_explicit(&root, memory_order_relaxed))
		return 0;
	result = os_reserve(ROOT_ENTRIES * sizeof(entry), CACHE_LINE, OS_READ_WRITE, &table);
	if (result == 0)
		atomic_store_explicit(&root, table, memory_order_release);
	return result;
}

static struct span whole(uintptr_t start, uint64_t length)
{
	return (struct span){
		.entries = atomic_load_explicit(&root, memory_order_relaxed),
		.shift = ROOT_SHIFT,
		.start = start,
		.last = start + (length - 1),
	};
}

int lookup_insert(struct map *map, uintptr_t start, uint64_t length)
{
	struct span span;
	int result;

	if ((start + (length - 1)) >> ROOT_SHIFT >= ROOT_ENTRIES)
		return -EINVAL;
	pthread_mutex_lock(&lock);
	result = root_reserve();
	if (result == 0) {
		span = whole(start, length);
		result = is_vacant(&span) ? fill(&span, map) : -EEXIST;
		if (result == -ENOMEM)
			clear(&span, map);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

void lookup_remove(struct map *map)
{
	struct span span;

	pthread_mutex_lock(&lock);
	span = whole(map->public.start, map->length);
	clear(&span, map);
	pthread_mutex_unlock(&lock);
}
