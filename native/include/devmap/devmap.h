/* SPDX-License-Identifier: MIT */
/**
 * @file devmap.h
 * Devmap: the Linux kernel's device-page lifetime contract in user space. This header includes the others:
 *
 *     static_key.h <- pagemap.h <- page.h <- fs_dax.h <- dax_file.h
 *                                         <- hmm.h <- migrate.h      store.h <- hmm.h
 *                                         <- track.h <- diagnostics.h <- capture.h
 *
 * Errors are negative errno values; out parameters are untouched on failure. Unless a function says otherwise it may be
 * called from any thread, and from a driver's callback; never from a signal handler, as threads count what they do without
 * locked instructions. Up to 32 threads at a time count by themselves, further ones share counters.
 *
 * Tearing down, releasing a claim and waiting use membarrier(2), where the system has it when the library is first used. A
 * sandbox that refuses it later makes each of them take 10 ms longer, and 20 ms where it has to wait.
 */
#ifndef DEVMAP_DEVMAP_H
#define DEVMAP_DEVMAP_H

#include <devmap/base.h>
#include <devmap/static_key.h>
#include <devmap/pagemap.h>
#include <devmap/page.h>
#include <devmap/fs_dax.h>
#include <devmap/dax_file.h>
#include <devmap/store.h>
#include <devmap/hmm.h>
#include <devmap/migrate.h>
#include <devmap/track.h>
#include <devmap/diagnostics.h>
#include <devmap/capture.h>

#endif
