// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Far;

/// <summary>What a job does, in this order.</summary>
internal enum FarPhase
{
    /// <summary>Every page, in order: must be zeros, and is written.</summary>
    Fill,

    /// <summary>Every page, in order: verified.</summary>
    InOrder,

    /// <summary>Pages at random: verified, and some of them written anew.</summary>
    Random,

    /// <summary>Every page, in order: verified.</summary>
    Final,
}
