// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>How threads get at a page.</summary>
internal enum FarAccess
{
    /// <summary>By a lease.</summary>
    Lease,

    /// <summary>By a plain pointer: by a page fault, where the page is away.</summary>
    Pointer,

    /// <summary>Half of the threads each.</summary>
    Mixed,
}
