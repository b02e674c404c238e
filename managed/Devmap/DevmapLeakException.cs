// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace Devmap;

/// <summary>What was taken inside a <see cref="DevmapLeakScope"/> was not all given back by its end. The message lists each with its stack.</summary>
public sealed class DevmapLeakException : Exception
{
    /// <summary>Creates an exception without leaks.</summary>
    public DevmapLeakException()
        : this("Something was not given back.")
    {
    }

    /// <summary>Creates an exception without leaks.</summary>
    /// <param name="message">What was not given back.</param>
    public DevmapLeakException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an exception without leaks.</summary>
    /// <param name="message">What was not given back.</param>
    /// <param name="innerException">What led to it.</param>
    public DevmapLeakException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal DevmapLeakException(IReadOnlyList<DevmapLeak> leaks)
        : base(Describe(leaks)) => Leaks = leaks;

    /// <summary>What was not given back, in the order in which it was taken.</summary>
    public IReadOnlyList<DevmapLeak> Leaks { get; } = [];

    private static string Describe(IReadOnlyList<DevmapLeak> leaks)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{leaks.Count} not given back by the end of the leak scope:");
        foreach (DevmapLeak leak in leaks)
            text.AppendLine().Append(leak);
        return text.ToString();
    }
}
