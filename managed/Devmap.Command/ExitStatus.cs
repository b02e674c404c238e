// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine;

/// <summary>What the program tells its caller.</summary>
internal static class ExitStatus
{
    /// <summary>It did what it was asked, and every contract held.</summary>
    public const int Success = 0;

    /// <summary>It did what it was asked, and the answer is no: a contract broke.</summary>
    public const int Broken = 1;

    /// <summary>It could not do what it was asked: wrong arguments, no permission, no space.</summary>
    public const int CannotRun = 2;
}
