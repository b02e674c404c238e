// SPDX-License-Identifier: MIT
// What a C or C++ program would count references with instead: a copy and a drop of what is held, the same loop for
// each.
#include <memory>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <glib.h>
#include <urcu/ref.h>

#include "instead_dpdk.h"
#include "support.h"

namespace {

void pages(benchmark::State &state, void (*loop)(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n))
{
	Map map(kObjects, &driver_of_pages);
	HeldPages held(map, kObjects);
	std::array<devmap_page *, kObjects> objects = held.in_turn();

	for (auto _ : state)
		loop(objects.data(), objects.size(), kOperations);
	count_operations(state, kOperations);
}

BENCHMARK_CAPTURE(pages, devmap, loop_pairs)->Name("instead/devmap");
BENCHMARK_CAPTURE(pages, bare_atomics, loop_bare_atomics)->Name("instead/bare_atomics");

// ---- smart pointers -------------------------------------------------------------------------------------------------

// What is shared: a page's worth of metadata.
struct alignas(kCacheLine) Object {
	std::uint64_t words[8];
};

struct alignas(kCacheLine) CountedObject : boost::intrusive_ref_counter<CountedObject, boost::thread_safe_counter> {
	std::uint64_t words[7];
};

template <class Pointer>
LOOP void loop_copies(const Pointer *objects, std::uint64_t nr_objects, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++)
		Pointer copy = objects[i & (nr_objects - 1)];
}

template <class Pointer>
void run_copies(benchmark::State &state, const std::array<Pointer, kObjects> &objects)
{
	for (auto _ : state)
		loop_copies(objects.data(), objects.size(), kOperations);
	count_operations(state, kOperations);
}

void shared_ptr(benchmark::State &state)
{
	std::array<std::shared_ptr<Object>, kObjects> objects;

	for (std::shared_ptr<Object> &object : objects)
		object = std::make_shared<Object>();
	run_copies(state, objects);
}

void intrusive_ptr(benchmark::State &state)
{
	std::array<boost::intrusive_ptr<CountedObject>, kObjects> objects;

	for (boost::intrusive_ptr<CountedObject> &object : objects)
		object = new CountedObject();
	run_copies(state, objects);
}

BENCHMARK(shared_ptr)->Name("instead/shared_ptr");
BENCHMARK(intrusive_ptr)->Name("instead/intrusive_ptr");

// ---- GLib -----------------------------------------------------------------------------------------------------------

LOOP void loop_gbytes(GBytes *const *objects, std::uint64_t nr_objects, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		GBytes *object = objects[i & (nr_objects - 1)];

		g_bytes_ref(object);
		g_bytes_unref(object);
	}
}

void gbytes(benchmark::State &state)
{
	// GLib does not say where a GBytes is; of four in a row, the first are on lines of their own.
	constexpr std::size_t kApart = 4;
	static const char data[kCacheLine] = {};
	std::array<GBytes *, kObjects * kApart> all{};
	std::array<GBytes *, kObjects> objects{};

	for (GBytes *&bytes : all)
		bytes = g_bytes_new_static(data, sizeof(data));
	for (std::size_t i = 0; i < kObjects; i++)
		objects[i] = all[i * kApart];
	for (auto _ : state)
		loop_gbytes(objects.data(), objects.size(), kOperations);
	count_operations(state, kOperations);
	for (GBytes *bytes : all)
		g_bytes_unref(bytes);
}

BENCHMARK(gbytes)->Name("instead/gbytes");

// ---- DPDK -----------------------------------------------------------------------------------------------------------

void dpdk_mbuf(benchmark::State &state)
{
	std::array<dpdk_buffer *, kObjects> buffers{};

	for (dpdk_buffer *&buffer : buffers) {
		buffer = dpdk_buffer_create();
		CHECK(buffer == nullptr);
	}
	for (auto _ : state)
		loop_dpdk_mbuf(buffers.data(), buffers.size(), kOperations);
	count_operations(state, kOperations);
	for (dpdk_buffer *buffer : buffers)
		dpdk_buffer_destroy(buffer);
}

BENCHMARK(dpdk_mbuf)->Name("instead/dpdk_mbuf");

// ---- liburcu --------------------------------------------------------------------------------------------------------

struct alignas(kCacheLine) UrcuObject {
	urcu_ref ref;
};

void urcu_release(urcu_ref *)
{
}

LOOP void loop_urcu_ref(UrcuObject *const *objects, std::uint64_t nr_objects, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		UrcuObject *object = objects[i & (nr_objects - 1)];

		urcu_ref_get(&object->ref);
		urcu_ref_put(&object->ref, urcu_release);
	}
}

void urcu(benchmark::State &state)
{
	std::array<UrcuObject, kObjects> storage{};
	std::array<UrcuObject *, kObjects> objects{};

	for (std::size_t i = 0; i < kObjects; i++) {
		urcu_ref_init(&storage[i].ref);
		objects[i] = &storage[i];
	}
	for (auto _ : state)
		loop_urcu_ref(objects.data(), objects.size(), kOperations);
	count_operations(state, kOperations);
}

BENCHMARK(urcu)->Name("instead/urcu_ref");

} // namespace
