// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>Why a run cannot go on, in one line for whoever started it.</summary>
internal sealed class SuiteException : Exception
{
    public SuiteException(string message)
        : base(message)
    {
    }

    public SuiteException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
