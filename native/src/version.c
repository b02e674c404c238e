/* SPDX-License-Identifier: MIT */
#include "internal.h"

#define STRING(x) #x
#define VERSION_STRING(major, minor, patch) STRING(major) "." STRING(minor) "." STRING(patch)

uint32_t devmap_abi_version(void)
{
	return DEVMAP_ABI_VERSION;
}

const char *devmap_version(void)
{
	return VERSION_STRING(DEVMAP_VERSION_MAJOR, DEVMAP_VERSION_MINOR, DEVMAP_VERSION_PATCH);
}

uint32_t devmap_features(void)
{
	uint32_t features = 0;

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	features |= DEVMAP_FEATURE_DEV_PAGEMAP_OPS;
#endif
#ifdef DEVMAP_CONFIG_FS_DAX
	features |= DEVMAP_FEATURE_FS_DAX;
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	features |= DEVMAP_FEATURE_DEVICE_PRIVATE;
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
	features |= DEVMAP_FEATURE_DEVICE_PUBLIC;
#endif
	return features;
}
