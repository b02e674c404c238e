// SPDX-License-Identifier: MIT
using System.Runtime.Versioning;
using Xunit;

// The gate and the counters are the process's: a test that reads them must be the only one that moves them.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: SupportedOSPlatform("linux")]
