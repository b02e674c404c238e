/* SPDX-License-Identifier: MIT */
#include "hmm_internal.h"

/*
 * References that are followed. Nothing here lies in a page's metadata: after a drop that was not the last, the page may be
 * gone before the drop is noted, and all that is touched then is this table, whose memory never goes. A page is found by
 * its address. Should the map be torn down meanwhile, and another map's page lie there, the late note finds no reference of
 * this thread; at worst it takes another thread's for the one that was dropped, and a report lacks a holder.
 *
 * Two pools of records, by number: pages, in the buckets of a hash table, and references, in lists of their pages. Buckets,
 * and all that hangs on them, are guarded by the locks of their stripes. The fields are atomics all the same, for the reader
 * that takes no lock (track_next()): it sees a reference's id before and after, which is its own for ever.
 *
 * The locks are leaves: nothing is called back and nothing is waited for under them, so that threads may take them wherever
 * they take or drop pages, also while they serve page faults or hold a page locked.
 */
#define NR_PAGES (1u << 20)
#define NR_REFERENCES (1u << 20)
#define NR_BUCKETS (1u << 16)
#define NR_STRIPES 64

#define get(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define set(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

struct page_record {
	/* The next of its bucket, or of the free ones. */
	_Atomic(uint32_t) next;
	_Atomic(uint32_t) references;
	_Atomic(devmap_page *) page;
	_Atomic(devmap_pagemap *) pgmap;
	_Atomic(uint64_t) index;
	_Atomic(uint64_t) history;
};

#define NAME_WORDS (DEVMAP_THREAD_NAME / sizeof(uint64_t))

struct reference_record {
	/* The next, older one of its page, or of the free ones. */
	_Atomic(uint32_t) next;
	_Atomic(uint32_t) page_record;
	/* 0 while it is free. */
	_Atomic(uint64_t) id;
	_Atomic(uint64_t) owner;
	_Atomic(uint64_t) taken_ns;
	_Atomic(uint32_t) nr_refs;
	_Atomic(uint32_t) thread;
	_Atomic(uint32_t) stack;
	_Atomic(bool) activated;
	_Atomic(bool) reported;
	_Atomic(uint64_t) thread_name[NAME_WORDS];
};

/* Numbers of records that are free: those given back, and those never used. Number 0 is none. */
struct pool {
	/* NULL until it is set up. */
	_Atomic(char *) records;
	size_t record_size;
	uint32_t capacity;
	_Atomic(uint32_t) nr_used;
	/* The first one given back, in the low half; the high half counts the takes, so that no two states are alike. */
	_Atomic(uint64_t) free;
};

DEVMAP_DEFINE_STATIC_KEY_FALSE(devmap_track_key);

static struct pool pages = {.record_size = sizeof(struct page_record), .capacity = NR_PAGES};
static struct pool references = {.record_size = sizeof(struct reference_record), .capacity = NR_REFERENCES};
static _Atomic(uint32_t) buckets[NR_BUCKETS];

static struct stripe {
	_Alignas(CACHE_LINE) pthread_mutex_t lock;
	/* Ids given out, and references there are; changed under the lock. */
	_Atomic(uint64_t) nr_ids;
	_Atomic(uint64_t) nr_references;
} stripes[NR_STRIPES];

/* ---- levels ------------------------------------------------------------------------------------------------------ */

static pthread_mutex_t level_lock = PTHREAD_MUTEX_INITIALIZER;
_Atomic(int32_t) process_level = DEVMAP_LEVEL_COUNTERS;
static bool is_set_up;

_Thread_local uint32_t nr_turns __attribute__((tls_model("initial-exec")));
static _Thread_local uint32_t this_thread __attribute__((tls_model("initial-exec")));

static bool follows(int32_t level)
{
	return level >= DEVMAP_LEVEL_SAMPLED;
}

static int pool_set_up(struct pool *pool)
{
	void *memory;
	int result = os_reserve(((uint64_t)pool->capacity + 1) * pool->record_size, os_page_size(), OS_READ_WRITE, &memory);

	if (result == 0)
		atomic_store(&pool->records, memory);
	return result;
}

/* The tables take addresses when they are first wanted, and memory as they fill. */
static int set_up_locked(void)
{
	int result = stack_init();

	for (uint32_t i = 0; result == 0 && i < NR_STRIPES; i++)
		pthread_mutex_init(&stripes[i].lock, NULL);
	if (result == 0 && !get(pages.records))
		result = pool_set_up(&pages);
	if (result == 0 && !get(references.records))
		result = pool_set_up(&references);
	is_set_up = result == 0;
	return result;
}

/* Goes from one level to another, with a hold of the key for each one that follows. */
static int level_change_locked(_Atomic(int32_t) *level, int32_t to)
{
	int32_t from = atomic_load_explicit(level, memory_order_relaxed);
	int result = 0;

	if (follows(to) && !is_set_up)
		result = set_up_locked();
	if (result == 0 && follows(to) && !follows(from))
		result = devmap_static_branch_inc(&devmap_track_key);
	if (result != 0)
		return result;
	atomic_store_explicit(level, to, memory_order_relaxed);
	if (follows(from) && !follows(to))
		(void)!devmap_static_branch_dec(&devmap_track_key);
	return 0;
}

int devmap_set_level(int32_t level)
{
	int result;

	if (level < DEVMAP_LEVEL_OFF || level > DEVMAP_LEVEL_FULL)
		return -EINVAL;
	pthread_mutex_lock(&level_lock);
	result = level_change_locked(&process_level, level);
	if (result == 0)
		timing_set_level(level);
	pthread_mutex_unlock(&level_lock);
	return result;
}

int32_t devmap_get_level(void)
{
	return atomic_load_explicit(&process_level, memory_order_relaxed);
}

int devmap_pagemap_set_level(devmap_pagemap *pgmap, int32_t level)
{
	struct map *map = map_of(pgmap);
	int result = -ENODEV;

	if (!map || level < DEVMAP_LEVEL_INHERIT || level > DEVMAP_LEVEL_FULL)
		return -EINVAL;
	pthread_mutex_lock(&level_lock);
	/* A teardown takes the map's number away before it comes here for the level. */
	if (atomic_load(&map->id) != 0)
		result = level_change_locked(&map->level, level);
	pthread_mutex_unlock(&level_lock);
	return result;
}

int32_t devmap_pagemap_get_level(devmap_pagemap *pgmap)
{
	return pgmap ? atomic_load_explicit(&map_of(pgmap)->level, memory_order_relaxed) : DEVMAP_LEVEL_INHERIT;
}

static uint32_t thread_id(void)
{
	if (devmap_unlikely(this_thread == 0)) {
		this_thread = os_thread_id();
	}
	return this_thread;
}

void track_thread_begin(void)
{
	nr_turns = os_thread_id() * UINT32_C(0x9E3779B9) >> 16;
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */

static struct page_record *page_record(uint32_t number)
{
	return (struct page_record *)(get(pages.records) + number * sizeof(struct page_record));
}

static struct reference_record *reference_record(uint32_t number)
{
	return (struct reference_record *)(get(references.records) + number * sizeof(struct reference_record));
}

static uint32_t page_number(const struct page_record *record)
{
	return (uint32_t)(((const char *)record - get(pages.records)) / (ptrdiff_t)sizeof(*record));
}

/* A record's first field. */
static _Atomic(uint32_t) *link_of(const struct pool *pool, uint32_t number)
{
	return (_Atomic(uint32_t) *)(get(pool->records) + number * pool->record_size);
}

static uint32_t pool_take(struct pool *pool)
{
	uint64_t head = atomic_load_explicit(&pool->free, memory_order_acquire);
	uint32_t used;

	while ((uint32_t)head) {
		/* Another thread may have it by now, and what is read here be anything; then the count of takes differs. */
		uint64_t next = atomic_load_explicit(link_of(pool, (uint32_t)head), memory_order_relaxed);

		if (atomic_compare_exchange_weak_explicit(&pool->free, &head, ((head >> 32) + 1) << 32 | next,
							  memory_order_acquire, memory_order_acquire))
			return (uint32_t)head;
	}
	used = atomic_load_explicit(&pool->nr_used, memory_order_relaxed);
	do {
		if (used == pool->capacity)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&pool->nr_used, &used, used + 1, memory_order_relaxed,
							memory_order_relaxed));
	return used + 1;
}

static void pool_give(struct pool *pool, uint32_t number)
{
	uint64_t head = atomic_load_explicit(&pool->free, memory_order_relaxed);

	/* Release: who takes it finds it as it is left here. */
	do
		atomic_store_explicit(link_of(pool, number), (uint32_t)head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&pool->free, &head, (head >> 32) << 32 | number,
						      memory_order_release, memory_order_relaxed));
}

/* ---- pages that have a record ------------------------------------------------------------------------------------ */

static uint32_t bucket_of(const devmap_page *page)
{
	return (uint32_t)(((uintptr_t)page * UINT64_C(0x9E3779B97F4A7C15)) >> 48);
}

static pthread_mutex_t *stripe_lock(uint32_t bucket)
{
	pthread_mutex_t *lock = &stripes[bucket % NR_STRIPES].lock;

	pthread_mutex_lock(lock);
	return lock;
}

static struct page_record *page_find(const devmap_page *page)
{
	for (uint32_t number = get(buckets[bucket_of(page)]); number; number = get(page_record(number)->next))
		if (get(page_record(number)->page) == page)
			return page_record(number);
	return NULL;
}

static void history_add(struct page_record *record, devmap_page_event event)
{
	set(record->history, get(record->history) << 4 | (uint64_t)event);
}

/* Takes the first record out of the buckets of a stripe, from @bucket on, whose page has no references: its number, or 0. */
static uint32_t page_evict(uint32_t bucket)
{
	for (uint32_t i = 0; i < 16; i++, bucket = (bucket + NR_STRIPES) % NR_BUCKETS) {
		_Atomic(uint32_t) *link = &buckets[bucket];

		for (uint32_t number = get(*link); number; link = &page_record(number)->next, number = get(*link)) {
			if (get(page_record(number)->references))
				continue;
			set(*link, get(page_record(number)->next));
			return number;
		}
	}
	return 0;
}

/* The record of a page, made where there is none; NULL where there is no room. The page is there. */
static struct page_record *page_find_or_add(struct map *map, devmap_page *page)
{
	uint32_t bucket = bucket_of(page), number;
	struct page_record *record = page_find(page);

	if (record)
		return record;
	number = pool_take(&pages);
	if (!number)
		number = page_evict(bucket);
	if (!number)
		return NULL;
	record = page_record(number);
	set(record->references, 0);
	set(record->pgmap, &map->public);
	set(record->index, map_index(map, page));
	set(record->history, 0);
	set(record->page, page);
	set(record->next, get(buckets[bucket]));
	set(buckets[bucket], number);
	set(map->tracked, true);
	return record;
}

/* ---- references -------------------------------------------------------------------------------------------------- */

/* Asked of the system now and then, as a thread may be given another. */
static void name_of_thread(uint64_t name[NAME_WORDS])
{
	static _Thread_local uint64_t words[NAME_WORDS] __attribute__((tls_model("initial-exec")));
	static _Thread_local uint32_t age __attribute__((tls_model("initial-exec")));

	if (age++ % 64 == 0)
		os_thread_name((char *)words);
	memcpy(name, words, sizeof(words));
}

/* Unwinding takes the loader's locks in places, which a thread whose page fault is to be served may hold. */
static bool may_unwind(const struct map *map)
{
	return level_of(map) == DEVMAP_LEVEL_FULL && !serving_faults && nr_locked_pages == 0;
}

/* Numbers that no other reference has. */
static uint64_t next_id_locked(struct stripe *stripe)
{
	set(stripe->nr_ids, get(stripe->nr_ids) + 1);
	return get(stripe->nr_ids) * NR_STRIPES + (uint64_t)(stripe - stripes);
}

static struct stripe *stripe_of(const devmap_page *page)
{
	return &stripes[bucket_of(page) % NR_STRIPES];
}

/* Of a page whose stripe is locked. */
static void reference_free(uint32_t number, const devmap_page *page)
{
	struct stripe *stripe = stripe_of(page);

	set(reference_record(number)->id, 0);
	set(stripe->nr_references, get(stripe->nr_references) - 1);
	pool_give(&references, number);
}

bool track_reserve(struct track_ticket *ticket)
{
	ticket->record = pool_take(&references);
	if (!ticket->record)
		stat_add(STAT_references_untracked, 1);
	return ticket->record != 0;
}

void track_unreserve(struct track_ticket *ticket)
{
	pool_give(&references, ticket->record);
}

void track_get(struct map *map, devmap_page *page, uint32_t nr_refs, bool activated, const void *frame,
	       struct track_ticket *ticket)
{
	uint32_t stack = stack_note(frame, may_unwind(map)), number;
	struct stripe *stripe = stripe_of(page);
	uint64_t now = (uint64_t)os_now();
	struct reference_record *reference;
	struct page_record *record;
	uint64_t name[NAME_WORDS];
	pthread_mutex_t *lock;

	name_of_thread(name);
	lock = stripe_lock(bucket_of(page));
	record = page_find_or_add(map, page);
	number = ticket ? ticket->record : pool_take(&references);
	if (record && number) {
		reference = reference_record(number);
		for (size_t i = 0; i < NAME_WORDS; i++)
			set(reference->thread_name[i], name[i]);
		set(reference->owner, 0);
		set(reference->taken_ns, now);
		set(reference->nr_refs, nr_refs);
		set(reference->thread, thread_id());
		set(reference->stack, stack);
		set(reference->activated, activated);
		set(reference->reported, false);
		set(reference->page_record, page_number(record));
		set(reference->next, get(record->references));
		/* Release: who sees the id, without the lock, sees what came before. */
		atomic_store_explicit(&reference->id, next_id_locked(stripe), memory_order_release);
		set(record->references, number);
		set(stripe->nr_references, get(stripe->nr_references) + 1);
		history_add(record, activated ? DEVMAP_PAGE_EVENT_ACTIVATED : DEVMAP_PAGE_EVENT_SHARED);
	}
	pthread_mutex_unlock(lock);
	if (record && number)
		return;
	if (number)
		pool_give(&references, number);
	stat_add(STAT_references_untracked, 1);
}

/* The link to the reference that a drop ends: the owner's, else this thread's latest, else the oldest; NULL for none. */
static _Atomic(uint32_t) *reference_to_end(struct page_record *record, uint64_t owner)
{
	_Atomic(uint32_t) *oldest = NULL, *link = &record->references;
	uint32_t thread = thread_id();

	for (uint32_t number = get(*link); number; link = &reference_record(number)->next, number = get(*link)) {
		struct reference_record *reference = reference_record(number);

		if (get(reference->owner) != owner)
			continue;
		if (owner || get(reference->thread) == thread)
			return link;
		oldest = link;
	}
	return oldest;
}

void track_put(devmap_page *page, uint32_t nr_refs, bool last, uint64_t owner)
{
	pthread_mutex_t *lock = stripe_lock(bucket_of(page));
	struct page_record *record = page_find(page);

	if (record)
		history_add(record, last ? DEVMAP_PAGE_EVENT_IDLE : DEVMAP_PAGE_EVENT_DROPPED);
	while (record && nr_refs) {
		_Atomic(uint32_t) *link = reference_to_end(record, owner);
		uint32_t number = link ? get(*link) : 0;
		uint32_t held = number ? get(reference_record(number)->nr_refs) : 0;

		if (!number)
			break;
		if (held > nr_refs) {
			set(reference_record(number)->nr_refs, held - nr_refs);
			break;
		}
		nr_refs -= held;
		set(*link, get(reference_record(number)->next));
		reference_free(number, page);
	}
	pthread_mutex_unlock(lock);
}

static void own_reference(devmap_page *page, uint64_t owner, uint32_t stack)
{
	struct page_record *record = page_find(page);
	_Atomic(uint32_t) *link = record ? reference_to_end(record, 0) : NULL;
	struct reference_record *reference = link ? reference_record(get(*link)) : NULL;

	if (!reference || get(reference->thread) != thread_id())
		return;
	set(reference->owner, owner);
	if (stack)
		set(reference->stack, stack);
	history_add(record, DEVMAP_PAGE_EVENT_OWNED);
}

uint32_t devmap_own_references(devmap_page *page, uint64_t nr_pages, uint64_t owner)
{
	uint32_t stack = 0;

	if (!page || owner == 0)
		return 0;
	for (uint64_t i = 0; i < nr_pages; i++) {
		devmap_page *head = devmap_compound_head(&page[i]);
		pthread_mutex_t *lock;

		if (!is_tracked(atomic_load_explicit(&head->refcount, memory_order_relaxed)))
			continue;
		/* By frame pointers at any level: code that a runtime made has them, and the unwinder does not know it. */
		if (stack == 0)
			stack = stack_note(__builtin_frame_address(0), false);
		lock = stripe_lock(bucket_of(head));
		own_reference(head, owner, stack);
		pthread_mutex_unlock(lock);
	}
	return stack;
}

/* ---- histories --------------------------------------------------------------------------------------------------- */

void track_event(struct map *map, devmap_page *page, devmap_page_event event)
{
	struct page_record *record;
	pthread_mutex_t *lock;

	if (!get(pages.records))
		return;
	lock = stripe_lock(bucket_of(page));
	record = level_of(map) == DEVMAP_LEVEL_FULL ? page_find_or_add(map, page) : page_find(page);
	if (record)
		history_add(record, event);
	pthread_mutex_unlock(lock);
}

/*
 * Calls @visit for each record of a page of @map, or of any for NULL, with its lock held. Page by page where they are few,
 * which the caller then keeps there as addresses; else through the whole table.
 */
static void for_each_page(struct map *map, uint64_t first, uint64_t n,
			  void (*visit)(struct page_record *record, void *context), void *context)
{
	for (uint64_t i = 0; map && n <= NR_BUCKETS && i < n; i++) {
		devmap_page *page = &map->public.pages[first + i];
		pthread_mutex_t *lock = stripe_lock(bucket_of(page));
		struct page_record *record = page_find(page);

		if (record)
			visit(record, context);
		pthread_mutex_unlock(lock);
	}
	if (map && n <= NR_BUCKETS)
		return;
	for (uint32_t bucket = 0; bucket < NR_BUCKETS; bucket++) {
		pthread_mutex_t *lock;

		/* One that is filled in this moment is of a page that comes in this moment. */
		if (!get(buckets[bucket]))
			continue;
		lock = stripe_lock(bucket);
		for (uint32_t number = get(buckets[bucket]); number; number = get(page_record(number)->next)) {
			struct page_record *record = page_record(number);

			if (!map || (get(record->pgmap) == &map->public && get(record->index) - first < n))
				visit(record, context);
		}
		pthread_mutex_unlock(lock);
	}
}

static void visit_event(struct page_record *record, void *context)
{
	history_add(record, *(const devmap_page_event *)context);
}

void track_range_event(struct map *map, uint64_t first_page, uint64_t nr_pages, devmap_page_event event)
{
	if (get(map->tracked))
		for_each_page(map, first_page, nr_pages, visit_event, &event);
}

uint64_t devmap_page_history(devmap_pagemap *pgmap, uint64_t index)
{
	struct map *map = map_of(pgmap);
	struct page_record *record;
	pthread_mutex_t *lock;
	devmap_page *page;
	uint64_t history;

	if (!map || !get(map->tracked) || map_is_dead(map) || !map_contains(map, index, 1))
		return 0;
	page = &pgmap->pages[index];
	lock = stripe_lock(bucket_of(page));
	record = page_find(page);
	history = record ? get(record->history) : 0;
	pthread_mutex_unlock(lock);
	return history;
}

/* ---- forgetting -------------------------------------------------------------------------------------------------- */

static void references_free(struct page_record *record)
{
	for (uint32_t number = get(record->references), next; number; number = next) {
		next = get(reference_record(number)->next);
		reference_free(number, get(record->page));
	}
	set(record->references, 0);
}

void track_forget_page(devmap_page *page)
{
	pthread_mutex_t *lock = stripe_lock(bucket_of(page));
	struct page_record *record = page_find(page);

	if (record)
		references_free(record);
	pthread_mutex_unlock(lock);
}

static void page_remove(devmap_page *page)
{
	pthread_mutex_t *lock = stripe_lock(bucket_of(page));
	_Atomic(uint32_t) *link = &buckets[bucket_of(page)];
	uint32_t number = get(*link);

	while (number && get(page_record(number)->page) != page) {
		link = &page_record(number)->next;
		number = get(*link);
	}
	if (number) {
		references_free(page_record(number));
		set(*link, get(page_record(number)->next));
		set(page_record(number)->page, NULL);
		pool_give(&pages, number);
	}
	pthread_mutex_unlock(lock);
}

void track_forget_map(struct map *map)
{
	uint64_t end = map->public.nr_pages;

	if (get(map->tracked)) {
		for (uint64_t i = map_next_touched(map, 0, end); i < end; i = map_next_touched(map, i + 1, end))
			page_remove(&map->public.pages[i]);
		set(map->tracked, false);
	}
}

void track_forget_level(struct map *map)
{
	pthread_mutex_lock(&level_lock);
	/* To a level that follows nothing: cannot fail. */
	(void)!level_change_locked(&map->level, DEVMAP_LEVEL_INHERIT);
	pthread_mutex_unlock(&level_lock);
}

void track_after_fork(void)
{
	for (uint32_t i = 0; i < NR_STRIPES; i++)
		pthread_mutex_init(&stripes[i].lock, NULL);
	pthread_mutex_init(&level_lock, NULL);
	this_thread = 0;
	stack_after_fork();
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* What a record says, of which the first two may not belong together where no lock is held. */
static void reference_copy(const struct reference_record *from, const struct page_record *record, devmap_reference *to)
{
	uint64_t name[NAME_WORDS];

	*to = (devmap_reference){
		.id = atomic_load_explicit(&from->id, memory_order_acquire),
		.pgmap = get(record->pgmap),
		.index = get(record->index),
		.owner = get(from->owner),
		.taken_ns = get(from->taken_ns),
		.history = get(record->history),
		.nr_refs = get(from->nr_refs),
		.thread = get(from->thread),
		.stack = get(from->stack),
		.activated = get(from->activated),
	};
	for (size_t i = 0; i < NAME_WORDS; i++)
		name[i] = get(from->thread_name[i]);
	memcpy(to->thread_name, name, sizeof(name));
}

uint64_t track_references(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < NR_STRIPES; i++)
		sum += get(stripes[i].nr_references);
	return sum;
}

uint32_t track_next(uint32_t from, devmap_reference *to)
{
	uint32_t used = get(references.records) ? atomic_load_explicit(&references.nr_used, memory_order_relaxed) : 0;

	for (uint32_t number = from + 1; number <= used; number++) {
		const struct reference_record *reference = reference_record(number);

		if (atomic_load_explicit(&reference->id, memory_order_acquire) == 0)
			continue;
		reference_copy(reference, page_record(get(reference->page_record)), to);
		/* An id is never used again: the same one before and after says that what lies between was its own. */
		atomic_thread_fence(memory_order_acquire);
		if (to->id != 0 && get(reference->id) == to->id)
			return number;
	}
	return 0;
}

struct reading {
	uint64_t now;
	uint64_t older_than_ns;
	devmap_reference *references;
	uint64_t capacity;
	uint64_t n;
};

static void visit_read(struct page_record *record, void *context)
{
	struct reading *reading = context;

	for (uint32_t number = get(record->references); number; number = get(reference_record(number)->next)) {
		uint64_t taken = get(reference_record(number)->taken_ns);

		if (taken > reading->now || reading->now - taken < reading->older_than_ns)
			continue;
		if (reading->n < reading->capacity)
			reference_copy(reference_record(number), record, &reading->references[reading->n]);
		reading->n++;
	}
}

int devmap_track_read(devmap_pagemap *pgmap, uint64_t first_page, uint64_t nr_pages, uint64_t older_than_ns,
		      devmap_reference *result, uint64_t capacity, uint64_t *nr_found)
{
	struct map *map = map_of(pgmap);
	struct reading reading = {
		.now = older_than_ns ? (uint64_t)os_now() : UINT64_MAX,
		.older_than_ns = older_than_ns,
		.references = result,
		.capacity = capacity,
	};

	if (!nr_found || (!result && capacity))
		return -EINVAL;
	if (map) {
		if (map_is_dead(map) || !get(map->tracked) || first_page >= map->public.nr_pages)
			nr_pages = 0;
		else if (nr_pages > map->public.nr_pages - first_page)
			nr_pages = map->public.nr_pages - first_page;
	}
	if (get(references.records))
		for_each_page(map, first_page, nr_pages, visit_read, &reading);
	*nr_found = reading.n;
	return 0;
}

/* Of those held for too long, some that were not reported. */
struct overdue {
	uint64_t before_ns;
	uint32_t n;
	devmap_reference references[32];
};

#define OVERDUE_MAX (sizeof(((struct overdue *)0)->references) / sizeof(devmap_reference))

static void visit_overdue(struct page_record *record, void *context)
{
	struct overdue *overdue = context;

	for (uint32_t number = get(record->references); number && overdue->n < OVERDUE_MAX;
	     number = get(reference_record(number)->next)) {
		struct reference_record *reference = reference_record(number);

		if (get(reference->reported) || get(reference->taken_ns) > overdue->before_ns)
			continue;
		set(reference->reported, true);
		reference_copy(reference, record, &overdue->references[overdue->n++]);
	}
}

uint64_t devmap_report_held(uint64_t limit_ns)
{
	uint64_t now = (uint64_t)os_now(), n = 0;
	struct overdue overdue = {.before_ns = now > limit_ns ? now - limit_ns : 0};

	if (!get(references.records))
		return 0;
	do {
		overdue.n = 0;
		for_each_page(NULL, 0, 0, visit_overdue, &overdue);
		/* With no lock held, as the handler may be anybody's code. */
		for (uint32_t i = 0; i < overdue.n; i++)
			fault_report_held(&overdue.references[i], now - overdue.references[i].taken_ns);
		n += overdue.n;
	} while (overdue.n == OVERDUE_MAX);
	return n;
}
