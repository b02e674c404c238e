/* SPDX-License-Identifier: MIT */
/*
 * The state of the library as text, from a signal handler too: what runs here takes no lock, allocates nothing, and calls no
 * function of the C library but those of os.h that may be called there.
 */
#include "internal.h"

/* No more than PIPE_BUF, so that a pipe takes it whole; small, as a handler's stack may be. */
#define TEXT_BYTES 2048

/* Whole lines on their way to a file. */
struct text {
	int file;
	/* Of the first write that failed; nothing is written after it. */
	int error;
	/* Bytes in use, and of these what is of whole lines. */
	size_t used;
	size_t whole;
	char bytes[TEXT_BYTES];
};

static void text_flush(struct text *text)
{
	if (text->error == 0 && text->whole > 0)
		text->error = os_write(text->file, text->bytes, text->whole);
	memmove(text->bytes, text->bytes + text->whole, text->used - text->whole);
	text->used -= text->whole;
	text->whole = 0;
}

/* The end of a line that is too long for the buffer is cut off, but for a place for its newline. */
static void put_char(struct text *text, char c)
{
	if (text->used + 1 >= TEXT_BYTES)
		text_flush(text);
	if (text->used + 1 < TEXT_BYTES)
		text->bytes[text->used++] = c;
}

static void put_text(struct text *text, const char *s)
{
	while (*s)
		put_char(text, *s++);
}

static void end_line(struct text *text)
{
	text->bytes[text->used++] = '\n';
	text->whole = text->used;
	if (text->used + 1 >= TEXT_BYTES)
		text_flush(text);
}

static void put_number_in(struct text *text, uint64_t number, uint64_t base)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = "0123456789abcdef"[number % base];
	while ((number /= base) != 0);
	while (n > 0)
		put_char(text, digits[--n]);
}

static void put_number(struct text *text, uint64_t number)
{
	put_number_in(text, number, 10);
}

static void put_signed(struct text *text, int64_t number)
{
	if (number < 0)
		put_char(text, '-');
	put_number(text, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static void put_hex(struct text *text, uint64_t number)
{
	put_text(text, "0x");
	put_number_in(text, number, 16);
}

/* " name=number", as most of what there is to tell. */
static void put_field(struct text *text, const char *name, uint64_t number)
{
	put_char(text, ' ');
	put_text(text, name);
	put_char(text, '=');
	put_number(text, number);
}

static void put_name_field(struct text *text, const char *name, const char *value)
{
	put_char(text, ' ');
	put_text(text, name);
	put_char(text, '=');
	put_text(text, value);
}

static void put_hex_field(struct text *text, const char *name, uint64_t number)
{
	put_name_field(text, name, "");
	put_hex(text, number);
}

static const char *level_name(int32_t level)
{
	switch (level) {
	case DEVMAP_LEVEL_INHERIT:
		return "inherit";
	case DEVMAP_LEVEL_OFF:
		return "off";
	case DEVMAP_LEVEL_COUNTERS:
		return "counters";
	case DEVMAP_LEVEL_SAMPLED:
		return "sampled";
	default:
		return "full";
	}
}

static const char *type_name(int32_t type)
{
	switch (type) {
	case DEVMAP_MEMORY_DEVICE_PRIVATE:
		return "device_private";
	case DEVMAP_MEMORY_DEVICE_PUBLIC:
		return "device_public";
	case DEVMAP_MEMORY_DEVICE_FS_DAX:
		return "fs_dax";
	default:
		return "host";
	}
}

static void dump_head(struct text *text, const devmap_snapshot *snapshot)
{
	put_text(text, "devmap");
	put_name_field(text, "version", devmap_version());
	put_field(text, "pid", snapshot->pid);
	put_field(text, "time_ns", snapshot->time_ns);
	put_field(text, "realtime_ns", snapshot->realtime_ns);
	put_name_field(text, "level", level_name(snapshot->level));
	put_field(text, "references", snapshot->references);
	put_field(text, "stacks", snapshot->stacks);
	end_line(text);
}

static void dump_gate(struct text *text, const devmap_snapshot *snapshot)
{
	put_text(text, "gate holders=");
	put_signed(text, snapshot->gate_holders);
	put_text(text, " user_holders=");
	put_signed(text, snapshot->gate_user_holders);
	put_field(text, "changes", snapshot->gate_changes);
	end_line(text);
	for (size_t i = 0; i < DEVMAP_GATE_HISTORY && snapshot->gate_history[i].time_ns != 0; i++) {
		const devmap_gate_change *change = &snapshot->gate_history[i];

		put_text(text, "gate_change");
		put_field(text, "time_ns", change->time_ns);
		put_text(text, " holders=");
		put_signed(text, change->holders);
		put_field(text, "thread", change->thread);
		end_line(text);
	}
}

static void dump_counter(struct text *text, const char *name, uint64_t value)
{
	put_text(text, "counter");
	put_field(text, name, value);
	end_line(text);
}

static void dump_gauge(struct text *text, const char *name, const devmap_stats_gauge *gauge)
{
	put_text(text, "gauge ");
	put_text(text, name);
	put_field(text, "current", gauge->current);
	put_field(text, "peak", gauge->peak);
	put_field(text, "total", gauge->total);
	end_line(text);
}

static void dump_stats(struct text *text, const devmap_stats *stats)
{
#define DUMP_COUNTER(name, meaning) dump_counter(text, #name, stats->name);
#define DUMP_GAUGE(name, meaning) dump_gauge(text, #name, &stats->name);
	DEVMAP_STATS_COUNTERS(DUMP_COUNTER)
	DEVMAP_STATS_GAUGES(DUMP_GAUGE)
#undef DUMP_COUNTER
#undef DUMP_GAUGE
}

static void dump_histogram(struct text *text, const char *name, const devmap_histogram *histogram)
{
	put_text(text, "histogram ");
	put_text(text, name);
	put_field(text, "count", histogram->count);
	put_field(text, "sum_ns", histogram->sum_ns);
	put_field(text, "max_ns", histogram->max_ns);
	/* The others are 0; what took less than 2^i ns is in bucket i. */
	for (size_t i = 0; i < DEVMAP_HISTOGRAM_BUCKETS; i++) {
		if (histogram->buckets[i] == 0)
			continue;
		put_text(text, " bucket_");
		put_number(text, i);
		put_char(text, '=');
		put_number(text, histogram->buckets[i]);
	}
	end_line(text);
}

static void dump_map(struct text *text, const devmap_map_info *info)
{
	put_text(text, "map");
	put_field(text, "id", info->id);
	put_hex_field(text, "handle", (uintptr_t)info->pgmap);
	put_hex_field(text, "start", info->start);
	put_field(text, "length", info->length);
	put_field(text, "page_size", info->page_size);
	put_field(text, "nr_pages", info->nr_pages);
	put_field(text, "pages_in_use", info->pages_in_use);
	put_name_field(text, "type", type_name(info->type));
	put_name_field(text, "state", info->state == DEVMAP_MAP_DYING ? "dying" : "live");
	put_name_field(text, "level", level_name(info->level));
	put_field(text, "layout_breaks", info->layout_breaks);
	put_field(text, "claimed", info->claimed);
	put_field(text, "is_file", info->is_file);
	put_field(text, "is_range", info->is_range);
	put_field(text, "has_driver", info->has_driver);
	put_field(text, "resident", info->resident);
	put_field(text, "on_device", info->on_device);
	end_line(text);
}

/* Also counts what the snapshot has of the maps together. */
static void dump_maps(struct text *text, devmap_migration_totals *totals)
{
	struct map_walk walk = {0};
	devmap_map_info info;
	struct map *map;

	while ((map = map_walk_next(&walk)) != NULL) {
		if (!map_info_peek(map, &info))
			continue;
		dump_map(text, &info);
		totals->resident += info.resident;
		totals->on_device += info.on_device;
	}
}

static void dump_migration(struct text *text, const devmap_migration_totals *totals)
{
	put_text(text, "migration");
	put_field(text, "to_device", totals->to_device);
	put_field(text, "to_ram", totals->to_ram);
	put_field(text, "faults", totals->faults);
	put_field(text, "faults_failed", totals->faults_failed);
	put_field(text, "failed", totals->failed);
	put_field(text, "on_device", totals->on_device);
	put_field(text, "resident", totals->resident);
	end_line(text);
}

/* A thread's name is anything but a newline that would make two lines of one. */
static void put_thread_name(struct text *text, const char *name)
{
	put_name_field(text, "thread_name", "");
	for (size_t i = 0; i < DEVMAP_THREAD_NAME && name[i]; i++)
		put_char(text, name[i] > ' ' && name[i] < 127 ? name[i] : '_');
}

static void dump_reference(struct text *text, const devmap_reference *reference)
{
	const void *frames[DEVMAP_STACK_FRAMES];
	uint32_t n = devmap_stack_read(reference->stack, frames, DEVMAP_STACK_FRAMES);

	put_text(text, "reference");
	put_field(text, "id", reference->id);
	put_hex_field(text, "map", (uintptr_t)reference->pgmap);
	put_field(text, "page", reference->index);
	put_field(text, "refs", reference->nr_refs);
	put_field(text, "taken_ns", reference->taken_ns);
	put_field(text, "thread", reference->thread);
	put_thread_name(text, reference->thread_name);
	put_hex_field(text, "owner", reference->owner);
	put_hex_field(text, "history", reference->history);
	put_field(text, "activated", reference->activated);
	put_field(text, "stack", reference->stack);
	for (uint32_t i = 0; i < n; i++) {
		put_char(text, ' ');
		put_hex(text, (uintptr_t)frames[i]);
	}
	end_line(text);
}

static void dump_references(struct text *text)
{
	devmap_reference reference;

	for (uint32_t next = track_next(0, &reference); next != 0; next = track_next(next, &reference))
		dump_reference(text, &reference);
}

static void dump_all(struct text *text)
{
	devmap_snapshot snapshot;

	memset(&snapshot, 0, sizeof(snapshot));
	snapshot_fill(&snapshot);
	gate_peek(&snapshot);
	dump_head(text, &snapshot);
	dump_gate(text, &snapshot);
	dump_stats(text, &snapshot.stats);
	dump_histogram(text, "callbacks", &snapshot.callbacks);
	dump_histogram(text, "layout_breaks", &snapshot.layout_breaks);
	dump_maps(text, &snapshot.migration);
	dump_migration(text, &snapshot.migration);
	dump_references(text);
	text_flush(text);
}

int devmap_dump(int fd)
{
	/* That of what a signal interrupted. */
	int interrupted = errno;
	struct text text;

	text.file = fd;
	text.error = 0;
	text.used = 0;
	text.whole = 0;
	dump_all(&text);
	errno = interrupted;
	return text.error;
}
