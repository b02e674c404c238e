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

static void diagnostics(void)
{
#define STATS_FIELD(name, text) FIELD(devmap_stats, name);

	CONSTANT(DEVMAP_STATS_VERSION);
	CONSTANT(DEVMAP_FAULT_KINDS);

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

	STRUCT(devmap_fault);
	FIELD(devmap_fault, kind);
	FIELD(devmap_fault, count);
	FIELD(devmap_fault, page);
	FIELD(devmap_fault, pgmap);
	FIELD(devmap_fault, index);
	FIELD(devmap_fault, message);
}

int main(void)
{
	base();
	static_key();
	pagemap();
	page();
	fs_dax();
	dax_file();
	diagnostics();
	return 0;
}
