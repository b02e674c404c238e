/* SPDX-License-Identifier: MIT */
/*
 * Prints what the C compiler makes of the public headers, for the managed tests to hold the generated bindings against:
 *
 *     struct NAME SIZE
 *     field STRUCT NAME OFFSET SIZE
 *     enum NAME SIZE
 *     member ENUM NAME VALUE
 *     constant NAME VALUE
 *
 * The managed tests fail for a line without a binding and for a binding without a line, so nothing can be left out.
 */
#include <devmap/devmap.h>

#include <inttypes.h>
#include <stdio.h>

#define STRUCT(name) printf("struct %s %zu\n", #name, sizeof(name))
#define FIELD(type, name) printf("field %s %s %zu %zu\n", #type, #name, offsetof(type, name), sizeof(((type *)0)->name))
#define ENUM(name) printf("enum %s %zu\n", #name, sizeof(name))
#define MEMBER(type, name) printf("member %s %s %" PRIdMAX "\n", #type, #name, (intmax_t)(name))
#define CONSTANT(name) printf("constant %s %" PRIdMAX "\n", #name, (intmax_t)(name))

static void base(void)
{
	CONSTANT(DEVMAP_VERSION_MAJOR);
	CONSTANT(DEVMAP_VERSION_MINOR);
	CONSTANT(DEVMAP_VERSION_PATCH);
	CONSTANT(DEVMAP_ABI_VERSION);
	CONSTANT(DEVMAP_WAIT_FOREVER);

	ENUM(devmap_feature);
	MEMBER(devmap_feature, DEVMAP_FEATURE_DEV_PAGEMAP_OPS);
	MEMBER(devmap_feature, DEVMAP_FEATURE_FS_DAX);
	MEMBER(devmap_feature, DEVMAP_FEATURE_DEVICE_PRIVATE);
	MEMBER(devmap_feature, DEVMAP_FEATURE_DEVICE_PUBLIC);

	STRUCT(devmap_cancel);
	FIELD(devmap_cancel, cancelled);
}

static void static_key(void)
{
	STRUCT(devmap_static_key);
	FIELD(devmap_static_key, enabled);
}

static void pagemap(void)
{
	CONSTANT(DEVMAP_IDLE_BATCH);
	CONSTANT(DEVMAP_ALTMAP_UNIT);

	ENUM(devmap_memory_type);
	MEMBER(devmap_memory_type, DEVMAP_MEMORY_DEVICE_HOST);
	MEMBER(devmap_memory_type, DEVMAP_MEMORY_DEVICE_PRIVATE);
	MEMBER(devmap_memory_type, DEVMAP_MEMORY_DEVICE_PUBLIC);
	MEMBER(devmap_memory_type, DEVMAP_MEMORY_DEVICE_FS_DAX);

	ENUM(devmap_backing);
	MEMBER(devmap_backing, DEVMAP_BACKING_CALLER);
	MEMBER(devmap_backing, DEVMAP_BACKING_RESERVED);
	MEMBER(devmap_backing, DEVMAP_BACKING_INACCESSIBLE);

	STRUCT(devmap_pagemap_ops);
	FIELD(devmap_pagemap_ops, page_free);
	FIELD(devmap_pagemap_ops, pages_free);

	STRUCT(devmap_altmap);
	FIELD(devmap_altmap, base);
	FIELD(devmap_altmap, reserve);
	FIELD(devmap_altmap, free);
	FIELD(devmap_altmap, align);
	FIELD(devmap_altmap, alloc);

	STRUCT(devmap_pagemap_config);
	FIELD(devmap_pagemap_config, size);
	FIELD(devmap_pagemap_config, type);
	FIELD(devmap_pagemap_config, backing);
	FIELD(devmap_pagemap_config, reserved);
	FIELD(devmap_pagemap_config, page_size);
	FIELD(devmap_pagemap_config, address);
	FIELD(devmap_pagemap_config, length);
	FIELD(devmap_pagemap_config, ops);
	FIELD(devmap_pagemap_config, data);
	FIELD(devmap_pagemap_config, altmap);

	STRUCT(devmap_pagemap);
	FIELD(devmap_pagemap, type);
	FIELD(devmap_pagemap, page_shift);
	FIELD(devmap_pagemap, pages);
	FIELD(devmap_pagemap, start);
	FIELD(devmap_pagemap, first_page);
	FIELD(devmap_pagemap, nr_pages);

	STRUCT(devmap_busy_page);
	FIELD(devmap_busy_page, index);
	FIELD(devmap_busy_page, count);
	FIELD(devmap_busy_page, reserved);

	STRUCT(devmap_busy_report);
	FIELD(devmap_busy_report, pages);
	FIELD(devmap_busy_report, capacity);
	FIELD(devmap_busy_report, nr_pages);
	FIELD(devmap_busy_report, nr_references);
}

static void page(void)
{
	CONSTANT(DEVMAP_MAX_ORDER);

	STRUCT(devmap_page);
	FIELD(devmap_page, refcount);
	FIELD(devmap_page, busy);
	FIELD(devmap_page, compound_head);
	FIELD(devmap_page, pgmap);
	FIELD(devmap_page, zone_device_data);
	FIELD(devmap_page, address);
	FIELD(devmap_page, order);
	FIELD(devmap_page, flags);
	FIELD(devmap_page, reserved);

	STRUCT(devmap_idle_frame);
	FIELD(devmap_idle_frame, page_free);
	FIELD(devmap_idle_frame, data);
	FIELD(devmap_idle_frame, pgmap);
	FIELD(devmap_idle_frame, page);
	FIELD(devmap_idle_frame, outer);
	FIELD(devmap_idle_frame, shard);
	FIELD(devmap_idle_frame, counted);
	FIELD(devmap_idle_frame, started_ns);
	FIELD(devmap_idle_frame, index);
}

static void fs_dax(void)
{
	STRUCT(devmap_layout_break);
	FIELD(devmap_layout_break, pgmap);
	FIELD(devmap_layout_break, next);
	FIELD(devmap_layout_break, first_page);
	FIELD(devmap_layout_break, nr_pages);
}

static void dax_file(void)
{
	ENUM(devmap_dax_file_flag);
	MEMBER(devmap_dax_file_flag, DEVMAP_DAX_FILE_WRITE);
	MEMBER(devmap_dax_file_flag, DEVMAP_DAX_FILE_CREATE);

	STRUCT(devmap_dax_file_config);
	FIELD(devmap_dax_file_config, size);
	FIELD(devmap_dax_file_config, flags);
	FIELD(devmap_dax_file_config, capacity);
	FIELD(devmap_dax_file_config, page_size);
}

static void store(void)
{
	STRUCT(devmap_store_io);
	FIELD(devmap_store_io, slot);
	FIELD(devmap_store_io, memory);
	FIELD(devmap_store_io, result);
	FIELD(devmap_store_io, reserved);

	STRUCT(devmap_store_ops);
	FIELD(devmap_store_ops, write);
	FIELD(devmap_store_ops, read);
	FIELD(devmap_store_ops, discard);
	FIELD(devmap_store_ops, bytes_used);
	FIELD(devmap_store_ops, close);

	STRUCT(devmap_store);
	FIELD(devmap_store, ops);
	FIELD(devmap_store, page_size);
	FIELD(devmap_store, nr_slots);

	ENUM(devmap_store_file_flag);
	MEMBER(devmap_store_file_flag, DEVMAP_STORE_FILE_CACHED);
	MEMBER(devmap_store_file_flag, DEVMAP_STORE_FILE_UNLINK);
}

static void hmm(void)
{
	CONSTANT(DEVMAP_HMM_NAME_MAX);
	CONSTANT(DEVMAP_HMM_COPY_BATCH);

	ENUM(devmap_hmm_faults);
	MEMBER(devmap_hmm_faults, DEVMAP_HMM_FAULTS_NONE);
	MEMBER(devmap_hmm_faults, DEVMAP_HMM_FAULTS_USER);
	MEMBER(devmap_hmm_faults, DEVMAP_HMM_FAULTS_ALL);
	MEMBER(devmap_hmm_faults, DEVMAP_HMM_FAULTS_AUTO);

	STRUCT(devmap_hmm_device_config);
	FIELD(devmap_hmm_device_config, size);
	FIELD(devmap_hmm_device_config, faults);
	FIELD(devmap_hmm_device_config, name);
	FIELD(devmap_hmm_device_config, data);
	FIELD(devmap_hmm_device_config, fault_threads);
	FIELD(devmap_hmm_device_config, reserved);

	STRUCT(devmap_hmm_copy);
	FIELD(devmap_hmm_copy, page);
	FIELD(devmap_hmm_copy, memory);
	FIELD(devmap_hmm_copy, result);
	FIELD(devmap_hmm_copy, reserved);

	ENUM(devmap_hmm_fault_flag);
	MEMBER(devmap_hmm_fault_flag, DEVMAP_HMM_FAULT_WRITE);

	STRUCT(devmap_hmm_devmem_ops);
	FIELD(devmap_hmm_devmem_ops, free);
	FIELD(devmap_hmm_devmem_ops, fault);
	FIELD(devmap_hmm_devmem_ops, copy_to);
	FIELD(devmap_hmm_devmem_ops, copy_from);

	ENUM(devmap_hmm_resource_desc);
	MEMBER(devmap_hmm_resource_desc, DEVMAP_HMM_IORES_DESC_NONE);
	MEMBER(devmap_hmm_resource_desc, DEVMAP_HMM_IORES_DESC_DEVICE_PRIVATE_MEMORY);
	MEMBER(devmap_hmm_resource_desc, DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY);

	STRUCT(devmap_hmm_resource);
	FIELD(devmap_hmm_resource, name);
	FIELD(devmap_hmm_resource, start);
	FIELD(devmap_hmm_resource, length);
	FIELD(devmap_hmm_resource, desc);
	FIELD(devmap_hmm_resource, reserved);
}

static void migrate(void)
{
	CONSTANT(DEVMAP_HMM_RETRY);

	ENUM(devmap_hmm_on_error);
	MEMBER(devmap_hmm_on_error, DEVMAP_HMM_ON_ERROR_SIGBUS);
	MEMBER(devmap_hmm_on_error, DEVMAP_HMM_ON_ERROR_ZERO_PAGE);
	MEMBER(devmap_hmm_on_error, DEVMAP_HMM_ON_ERROR_HANDLER);

	ENUM(devmap_hmm_range_flag);
	MEMBER(devmap_hmm_range_flag, DEVMAP_HMM_RANGE_KEEP_COPIES);

	STRUCT(devmap_hmm_range_config);
	FIELD(devmap_hmm_range_config, size);
	FIELD(devmap_hmm_range_config, flags);
	FIELD(devmap_hmm_range_config, on_error);
	FIELD(devmap_hmm_range_config, event_capacity);
	FIELD(devmap_hmm_range_config, device);
	FIELD(devmap_hmm_range_config, devmem);
	FIELD(devmap_hmm_range_config, address);
	FIELD(devmap_hmm_range_config, length);
	FIELD(devmap_hmm_range_config, page_size);
	FIELD(devmap_hmm_range_config, resident_limit);
	FIELD(devmap_hmm_range_config, failed);
	FIELD(devmap_hmm_range_config, data);

	STRUCT(devmap_hmm_migration);
	FIELD(devmap_hmm_migration, migrated);
	FIELD(devmap_hmm_migration, absent);
	FIELD(devmap_hmm_migration, in_use);
	FIELD(devmap_hmm_migration, failed);
	FIELD(devmap_hmm_migration, first_failed);
	FIELD(devmap_hmm_migration, error);
	FIELD(devmap_hmm_migration, reserved);

	ENUM(devmap_hmm_page_state);
	MEMBER(devmap_hmm_page_state, DEVMAP_HMM_PAGE_RESIDENT);
	MEMBER(devmap_hmm_page_state, DEVMAP_HMM_PAGE_DIRTY);
	MEMBER(devmap_hmm_page_state, DEVMAP_HMM_PAGE_DEVICE);
	MEMBER(devmap_hmm_page_state, DEVMAP_HMM_PAGE_PUBLIC);
	MEMBER(devmap_hmm_page_state, DEVMAP_HMM_PAGE_PINNED);
	MEMBER(devmap_hmm_page_state, DEVMAP_HMM_PAGE_POISONED);

	STRUCT(devmap_hmm_range_stats);
	FIELD(devmap_hmm_range_stats, faults_hole);
	FIELD(devmap_hmm_range_stats, faults_device);
	FIELD(devmap_hmm_range_stats, faults_write);
	FIELD(devmap_hmm_range_stats, faults_served_already);
	FIELD(devmap_hmm_range_stats, faults_failed);
	FIELD(devmap_hmm_range_stats, to_device);
	FIELD(devmap_hmm_range_stats, to_device_uncopied);
	FIELD(devmap_hmm_range_stats, to_ram);
	FIELD(devmap_hmm_range_stats, refused_in_use);
	FIELD(devmap_hmm_range_stats, failed);
	FIELD(devmap_hmm_range_stats, over_limit);
	FIELD(devmap_hmm_range_stats, resident);
	FIELD(devmap_hmm_range_stats, copies);
	FIELD(devmap_hmm_range_stats, on_device);
	FIELD(devmap_hmm_range_stats, limit);

	ENUM(devmap_hmm_event_kind);
	MEMBER(devmap_hmm_event_kind, DEVMAP_HMM_EVENT_FAULT);
	MEMBER(devmap_hmm_event_kind, DEVMAP_HMM_EVENT_TO_DEVICE);
	MEMBER(devmap_hmm_event_kind, DEVMAP_HMM_EVENT_TO_RAM);

	STRUCT(devmap_hmm_event);
	FIELD(devmap_hmm_event, kind);
	FIELD(devmap_hmm_event, error);
	FIELD(devmap_hmm_event, first_page);
	FIELD(devmap_hmm_event, nr_pages);
	FIELD(devmap_hmm_event, time_ns);
	FIELD(devmap_hmm_event, duration_ns);
	FIELD(devmap_hmm_event, flags);
	FIELD(devmap_hmm_event, reserved);
}

static void track(void)
{
	CONSTANT(DEVMAP_SAMPLE_PERIOD);
	CONSTANT(DEVMAP_PAGE_HISTORY);
	CONSTANT(DEVMAP_THREAD_NAME);
	CONSTANT(DEVMAP_STACK_FRAMES);
	CONSTANT(DEVMAP_REFCOUNT_TRACKED);

	ENUM(devmap_level);
	MEMBER(devmap_level, DEVMAP_LEVEL_INHERIT);
	MEMBER(devmap_level, DEVMAP_LEVEL_OFF);
	MEMBER(devmap_level, DEVMAP_LEVEL_COUNTERS);
	MEMBER(devmap_level, DEVMAP_LEVEL_SAMPLED);
	MEMBER(devmap_level, DEVMAP_LEVEL_FULL);

	ENUM(devmap_page_event);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_NONE);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_ACTIVATED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_SHARED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_DROPPED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_IDLE);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_FREED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_MARKED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_UNMARKED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_MIGRATED_AWAY);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_MIGRATED_BACK);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_OWNED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_REFUSED);
	MEMBER(devmap_page_event, DEVMAP_PAGE_EVENT_SATURATED);

	STRUCT(devmap_reference);
	FIELD(devmap_reference, id);
	FIELD(devmap_reference, pgmap);
	FIELD(devmap_reference, index);
	FIELD(devmap_reference, owner);
	FIELD(devmap_reference, taken_ns);
	FIELD(devmap_reference, history);
	FIELD(devmap_reference, nr_refs);
	FIELD(devmap_reference, thread);
	FIELD(devmap_reference, stack);
	FIELD(devmap_reference, activated);
	FIELD(devmap_reference, thread_name);
}

static void capture(void)
{
	CONSTANT(DEVMAP_HISTOGRAM_BUCKETS);
	CONSTANT(DEVMAP_GATE_HISTORY);
	CONSTANT(DEVMAP_SNAPSHOT_VERSION);

	STRUCT(devmap_histogram);
	FIELD(devmap_histogram, count);
	FIELD(devmap_histogram, sum_ns);
	FIELD(devmap_histogram, max_ns);
	FIELD(devmap_histogram, buckets);

	STRUCT(devmap_gate_change);
	FIELD(devmap_gate_change, time_ns);
	FIELD(devmap_gate_change, holders);
	FIELD(devmap_gate_change, thread);

	STRUCT(devmap_migration_totals);
	FIELD(devmap_migration_totals, to_device);
	FIELD(devmap_migration_totals, to_ram);
	FIELD(devmap_migration_totals, faults);
	FIELD(devmap_migration_totals, faults_failed);
	FIELD(devmap_migration_totals, failed);
	FIELD(devmap_migration_totals, on_device);
	FIELD(devmap_migration_totals, resident);

	STRUCT(devmap_snapshot);
	FIELD(devmap_snapshot, version);
	FIELD(devmap_snapshot, size);
	FIELD(devmap_snapshot, time_ns);
	FIELD(devmap_snapshot, realtime_ns);
	FIELD(devmap_snapshot, pid);
	FIELD(devmap_snapshot, level);
	FIELD(devmap_snapshot, gate_holders);
	FIELD(devmap_snapshot, gate_user_holders);
	FIELD(devmap_snapshot, gate_changes);
	FIELD(devmap_snapshot, gate_history);
	FIELD(devmap_snapshot, stats);
	FIELD(devmap_snapshot, callbacks);
	FIELD(devmap_snapshot, layout_breaks);
	FIELD(devmap_snapshot, migration);
	FIELD(devmap_snapshot, references);
	FIELD(devmap_snapshot, stacks);
	FIELD(devmap_snapshot, nr_maps);

	ENUM(devmap_map_state);
	MEMBER(devmap_map_state, DEVMAP_MAP_LIVE);
	MEMBER(devmap_map_state, DEVMAP_MAP_DYING);

	STRUCT(devmap_map_info);
	FIELD(devmap_map_info, id);
	FIELD(devmap_map_info, pgmap);
	FIELD(devmap_map_info, start);
	FIELD(devmap_map_info, length);
	FIELD(devmap_map_info, page_size);
	FIELD(devmap_map_info, nr_pages);
	FIELD(devmap_map_info, pages_in_use);
	FIELD(devmap_map_info, resident);
	FIELD(devmap_map_info, on_device);
	FIELD(devmap_map_info, type);
	FIELD(devmap_map_info, state);
	FIELD(devmap_map_info, level);
	FIELD(devmap_map_info, layout_breaks);
	FIELD(devmap_map_info, claimed);
	FIELD(devmap_map_info, is_file);
	FIELD(devmap_map_info, is_range);
	FIELD(devmap_map_info, has_driver);
}

static void diagnostics(void)
{
#define STATS_FIELD(name, text) FIELD(devmap_stats, name);

	CONSTANT(DEVMAP_STATS_VERSION);
	CONSTANT(DEVMAP_FAULT_KINDS);
	CONSTANT(DEVMAP_CALLBACK_LIMIT_NS);
	CONSTANT(DEVMAP_TIMING_PERIOD);

	STRUCT(devmap_stats_gauge);
	FIELD(devmap_stats_gauge, total);
	FIELD(devmap_stats_gauge, current);
	FIELD(devmap_stats_gauge, peak);

	STRUCT(devmap_stats);
	FIELD(devmap_stats, version);
	FIELD(devmap_stats, size);
	FIELD(devmap_stats, gate_holders);
	DEVMAP_STATS_COUNTERS(STATS_FIELD)
	DEVMAP_STATS_GAUGES(STATS_FIELD)

	ENUM(devmap_fault_kind);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_OVERFLOW);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_UNDERFLOW);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_USE_AFTER_FREE);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_ACTIVATION);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_DRIVER);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_SLOW_CALLBACK);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_BLOCKED_TEARDOWN);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_USE_AFTER_DISPOSE);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_LEAK_LOST);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_LEAK_TEARDOWN);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_LEAK_OPS);
	MEMBER(devmap_fault_kind, DEVMAP_FAULT_LEAK_HELD);

	STRUCT(devmap_fault);
	FIELD(devmap_fault, kind);
	FIELD(devmap_fault, count);
	FIELD(devmap_fault, page);
	FIELD(devmap_fault, pgmap);
	FIELD(devmap_fault, index);
	FIELD(devmap_fault, message);
	FIELD(devmap_fault, duration_ns);
	FIELD(devmap_fault, reference);
}

int main(void)
{
	base();
	static_key();
	pagemap();
	page();
	fs_dax();
	dax_file();
	store();
	hmm();
	migrate();
	track();
	diagnostics();
	capture();
	return 0;
}
