// SPDX-License-Identifier: MIT
using System.CommandLine;

namespace Devmap.CommandLine;

/// <summary>A verb whose own help says more than the line that the program's help has for it.</summary>
internal sealed class DetailedCommand(string name, string description, string details) : Command(name, description)
{
    public string Details { get; } = details;
}
