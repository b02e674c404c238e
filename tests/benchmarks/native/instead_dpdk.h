/* SPDX-License-Identifier: MIT */
/* A DPDK external buffer, in a file of its own for the compiler flags that DPDK wants of who includes its headers. */
#ifndef DEVMAP_BENCHMARK_INSTEAD_DPDK_H
#define DEVMAP_BENCHMARK_INSTEAD_DPDK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An external buffer as mbufs attach it. */
typedef struct rte_mbuf_ext_shared_info dpdk_buffer;

/* A buffer with two references, or NULL without memory. */
dpdk_buffer *dpdk_buffer_create(void);

/* Drops the two. */
void dpdk_buffer_destroy(dpdk_buffer *buffer);

/* Attaches one of @nr_buffers buffers, a power of two, to one more mbuf and detaches it, in turn, @n times. */
void loop_dpdk_mbuf(dpdk_buffer **buffers, uint64_t nr_buffers, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
