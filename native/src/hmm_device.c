/* SPDX-License-Identifier: MIT */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

#include <stdio.h>
#include <stdlib.h>

static int name_set(devmap_hmm_device *device, const char *name)
{
	static _Atomic(uint32_t) nr_named;
	size_t length;

	if (!name) {
		snprintf(device->name, sizeof(device->name), "hmm_device%u", atomic_fetch_add(&nr_named, 1));
		return 0;
	}
	length = strnlen(name, sizeof(device->name));
	if (length == 0 || length == sizeof(device->name))
		return -EINVAL;
	memcpy(device->name, name, length + 1);
	return 0;
}

int devmap_hmm_device_new(const devmap_hmm_device_config *config, devmap_hmm_device **result)
{
	devmap_hmm_device *device;
	int error;

	if (!config || !result || config->size != sizeof(*config) || config->reserved != 0 ||
	    config->faults < DEVMAP_HMM_FAULTS_NONE || config->faults > DEVMAP_HMM_FAULTS_AUTO ||
	    config->fault_threads > MAX_FAULT_THREADS)
		return -EINVAL;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	error = name_set(device, config->name);
	if (error == 0) {
		device->refs = 1;
		device->data = config->data;
		error = device_start_faults(device, config->faults, config->fault_threads ? config->fault_threads : 1);
	}
	if (error != 0) {
		free(device);
		return error;
	}
	*result = device;
	return 0;
}

void devmap_hmm_device_get(devmap_hmm_device *device)
{
	/* Relaxed: taken from a reference already held. */
	atomic_fetch_add_explicit(&device->refs, 1, memory_order_relaxed);
}

void devmap_hmm_device_put(devmap_hmm_device *device)
{
	/* Release what was done under this reference; acquire, of the last one, what was under all others. */
	if (!device || atomic_fetch_sub_explicit(&device->refs, 1, memory_order_acq_rel) != 1)
		return;
	device_stop_faults(device);
	free(device);
}

const char *devmap_hmm_device_name(const devmap_hmm_device *device)
{
	return device->name;
}

void *devmap_hmm_device_data(const devmap_hmm_device *device)
{
	return device->data;
}

int32_t devmap_hmm_device_faults(const devmap_hmm_device *device)
{
	return device->faults;
}

int32_t devmap_hmm_device_faults_error(const devmap_hmm_device *device)
{
	return device->faults_error;
}

#else

int devmap_hmm_device_new(const devmap_hmm_device_config *config, devmap_hmm_device **device)
{
	(void)config;
	(void)device;
	return -EOPNOTSUPP;
}

void devmap_hmm_device_get(devmap_hmm_device *device)
{
	(void)device;
}

void devmap_hmm_device_put(devmap_hmm_device *device)
{
	(void)device;
}

const char *devmap_hmm_device_name(const devmap_hmm_device *device)
{
	(void)device;
	return "";
}

void *devmap_hmm_device_data(const devmap_hmm_device *device)
{
	(void)device;
	return NULL;
}

int32_t devmap_hmm_device_faults(const devmap_hmm_device *device)
{
	(void)device;
	return DEVMAP_HMM_FAULTS_NONE;
}

int32_t devmap_hmm_device_faults_error(const devmap_hmm_device *device)
{
	(void)device;
	return -EOPNOTSUPP;
}

#endif

const char *devmap_hmm_faults_advice(int32_t error)
{
	switch (error) {
	case 0:
		return "Every kind of fault is served.";
	case -EPERM:
	case -EACCES:
		return "The system does not permit this process to serve page faults: allow the userfaultfd system call in "
		       "its sandbox (a container's seccomp profile); for faults inside of system calls give it "
		       "/dev/userfaultfd, CAP_SYS_PTRACE or vm.unprivileged_userfaultfd=1.";
	case -ENOSYS:
		return "The kernel has no userfaultfd (CONFIG_USERFAULTFD), or a sandbox hides it.";
	case -EOPNOTSUPP:
		return "This build of the library, or the kernel's userfaultfd, lacks what serving faults needs "
		       "(write-protection: Linux 5.7 or later on x86-64, 5.19 on arm64).";
	default:
		return "Page faults can't be served; see the error.";
	}
}
