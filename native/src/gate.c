/* SPDX-License-Identifier: MIT */
#include "internal.h"

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

DEVMAP_DEFINE_STATIC_KEY_FALSE(devmap_managed_key);

int devmap_pagemap_get_ops(void)
{
	return devmap_static_branch_inc(&devmap_managed_key);
}

int devmap_pagemap_put_ops(void)
{
	return devmap_static_branch_dec(&devmap_managed_key);
}

int32_t devmap_pagemap_ops_count(void)
{
	return devmap_static_key_count(&devmap_managed_key);
}

#else

int devmap_pagemap_get_ops(void)
{
	return -EOPNOTSUPP;
}

int devmap_pagemap_put_ops(void)
{
	return -EOPNOTSUPP;
}

int32_t devmap_pagemap_ops_count(void)
{
	return 0;
}

#endif
