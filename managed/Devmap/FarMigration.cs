// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap;

/// <summary>What an eviction or a prefetch did, in pages. Each page is one of the first four.</summary>
/// <param name="Migrated">Moved.</param>
/// <param name="Absent">Had nothing to move: never used, or there already.</param>
/// <param name="InUse">
/// Stayed, without that being an error: evicting, because they are leased; prefetching, because all that may be in memory is.
/// </param>
/// <param name="Failed">Stayed because of an error; their data are where they were.</param>
/// <param name="FirstFailedPage">Index of the first page that an error kept, or null.</param>
/// <param name="Error">That page's error, or null.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FarMigration(
    long Migrated, long Absent, long InUse, long Failed, long? FirstFailedPage, IOException? Error);
