// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace Devmap.CommandLine.Run;

/// <summary>What a reader did so far: the native reader's struct of the same fields, and the managed readers' too.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct ReaderCounts
{
    public long Leases;

    /// <summary>Leases held on by references of their own, past the end of the first ones.</summary>
    public long Shares;

    /// <summary>Leases refused because the range was being truncated, or gone.</summary>
    public long Refused;

    /// <summary>Pages verified.</summary>
    public long Pages;

    /// <summary>Pages leased before they were written, and left alone.</summary>
    public long Unwritten;

    public long Mismatches;

    /// <summary>The first page that did not hold what was written to it.</summary>
    public long FirstMismatch;

    /// <summary>The negative errno value that ended a native reader early, or 0.</summary>
    public long Error;

    public static ReaderCounts operator +(ReaderCounts left, ReaderCounts right) => new()
    {
        Leases = left.Leases + right.Leases,
        Shares = left.Shares + right.Shares,
        Refused = left.Refused + right.Refused,
        Pages = left.Pages + right.Pages,
        Unwritten = left.Unwritten + right.Unwritten,
        Mismatches = left.Mismatches + right.Mismatches,
        FirstMismatch = left.Mismatches > 0 ? left.FirstMismatch : right.FirstMismatch,
        Error = left.Error != 0 ? left.Error : right.Error,
    };
}
