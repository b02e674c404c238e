/* SPDX-License-Identifier: MIT */
/* What has happened to a range, for those who may only hear of it afterwards. */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

#include <stdlib.h>

int events_init(struct events *events, uint32_t capacity)
{
	pthread_mutex_init(&events->lock, NULL);
	events->capacity = capacity;
	if (capacity == 0)
		return 0;
	events->ring = calloc(capacity, sizeof(events->ring[0]));
	return events->ring ? 0 : -ENOMEM;
}

void events_free(struct events *events)
{
	free(events->ring);
	pthread_mutex_destroy(&events->lock);
}

void event_put(devmap_hmm_range *range, int32_t kind, devmap_page *first, uint64_t n, int32_t error, int64_t start,
	       uint32_t flags)
{
	struct events *events = &range->events;
	int64_t now;

	if (events->capacity == 0)
		return;
	now = os_now();
	pthread_mutex_lock(&events->lock);
	events->ring[events->nr_put % events->capacity] = (devmap_hmm_event){
		.kind = kind,
		.error = error,
		.first_page = map_index(map_of(range->pgmap), first),
		.nr_pages = n,
		.time_ns = now,
		.duration_ns = now - start,
		.flags = flags,
	};
	events->nr_put++;
	pthread_mutex_unlock(&events->lock);
	wake_waiters(&events->nr_put);
}

/* Or there are none to come. */
static bool has_events(void *context)
{
	devmap_hmm_range *range = context;

	return atomic_load(&range->events.nr_put) != range->events.nr_taken || map_is_dead(map_of(range->pgmap));
}

/* Takes the oldest event that is left: false when there is none. */
static bool take(struct events *events, devmap_hmm_event *event, uint64_t *lost)
{
	bool found;

	pthread_mutex_lock(&events->lock);
	if (events->nr_put - events->nr_taken > events->capacity) {
		*lost += events->nr_put - events->nr_taken - events->capacity;
		events->nr_taken = events->nr_put - events->capacity;
	}
	found = events->nr_put != events->nr_taken;
	if (found)
		*event = events->ring[events->nr_taken++ % events->capacity];
	pthread_mutex_unlock(&events->lock);
	return found;
}

int devmap_hmm_range_wait_events(devmap_hmm_range *range, devmap_hmm_event *found, uint32_t capacity, int64_t timeout_ns,
				 const devmap_cancel *cancel, uint64_t *lost)
{
	uint64_t nr_lost = 0;
	devmap_hmm_event event;
	int n = 0, result;

	if (!range || !found || !lost || capacity == 0 || capacity > INT32_MAX || range->events.capacity == 0)
		return -EINVAL;
	result = wait_until(&range->events.nr_put, has_events, range, timeout_ns, cancel);
	if (result != 0)
		return result;
	/* Written to the caller's memory without the lock: it may be memory of a range. */
	while ((uint32_t)n < capacity && take(&range->events, &event, &nr_lost))
		found[n++] = event;
	*lost = nr_lost;
	return n > 0 ? n : -ENODEV;
}

#endif
