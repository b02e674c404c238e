// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>
/// The native library could not be loaded, or is not the one this assembly was built for. The message says what was tried.
/// </summary>
public sealed class DevmapLoadException : Exception
{
    /// <summary>Creates the exception.</summary>
    public DevmapLoadException()
        : this("The native library libdevmap could not be loaded.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was tried, and how it failed.</param>
    public DevmapLoadException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was tried, and how it failed.</param>
    /// <param name="innerException">What led to it.</param>
    public DevmapLoadException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
