/* SPDX-License-Identifier: MIT */
#include "instead_dpdk.h"

#include <stdlib.h>

#include <rte_mbuf.h>

#define BUFFER_ALIGNMENT 64
#define BUFFER_LENGTH 2048

static void buffer_free(void *address, void *opaque)
{
	(void)opaque;
	free(address);
}

/* What rte_pktmbuf_attach() does to the count when an mbuf is attached to another's external buffer. */
static inline void buffer_get(dpdk_buffer *buffer)
{
	rte_mbuf_ext_refcnt_update(buffer, 1);
}

/* What rte_pktmbuf_free() does when an mbuf is freed. The buffer's address, which an mbuf has, is the data here. */
static inline void buffer_put(dpdk_buffer *buffer)
{
	if (rte_mbuf_ext_refcnt_update(buffer, -1) == 0)
		buffer->free_cb(buffer->fcb_opaque, buffer->fcb_opaque);
}

dpdk_buffer *dpdk_buffer_create(void)
{
	uint16_t length = BUFFER_LENGTH;
	void *address = aligned_alloc(BUFFER_ALIGNMENT, BUFFER_LENGTH);
	dpdk_buffer *buffer;

	if (!address)
		return NULL;
	buffer = rte_pktmbuf_ext_shinfo_init_helper(address, &length, buffer_free, address);
	/* DPDK does without atomics where the count is 1. So a buffer in use by others has more than that. */
	buffer_get(buffer);
	return buffer;
}

void dpdk_buffer_destroy(dpdk_buffer *buffer)
{
	buffer_put(buffer);
	buffer_put(buffer);
}

__attribute__((aligned(64), noinline)) void loop_dpdk_mbuf(dpdk_buffer **buffers, uint64_t nr_buffers, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		dpdk_buffer *buffer = buffers[i & (nr_buffers - 1)];

		buffer_get(buffer);
		buffer_put(buffer);
	}
}
