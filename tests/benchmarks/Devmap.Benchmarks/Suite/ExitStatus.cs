// SPDX-License-Identifier: MIT
namespace Devmap.Benchmarks.Suite;

/// <summary>What the program tells its caller.</summary>
internal static class ExitStatus
{
    /// <summary>The run came to its end. A target that is missed is a result.</summary>
    public const int Success = 0;

    /// <summary>It could not measure, or could not write what it found.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int WrongArguments = 2;
}
