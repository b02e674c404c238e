// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using Xunit;

namespace Devmap.Tests;

/// <summary>A collection of its own: it takes long, and others may run beside it where tests run in parallel.</summary>
[CollectionDefinition(Name)]
[SuppressMessage("Naming", "CA1711:Identifiers should not have incorrect suffix", Justification = "What xunit calls it.")]
public sealed class FarCollectorCollection
{
    public const string Name = "far memory and the garbage collector";
}
