// SPDX-License-Identifier: MIT
namespace Devmap;

/// <summary>
/// The pages cannot be leased now: the file is being truncated or punched there. Afterwards they can, as far as they are
/// still part of the file.
/// </summary>
public sealed class LayoutBrokenException : IOException
{
    /// <summary>Creates the exception.</summary>
    public LayoutBrokenException()
        : this("The pages are being truncated or punched; they can't be leased until that has ended.")
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was wanted.</param>
    public LayoutBrokenException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was wanted.</param>
    /// <param name="innerException">What led to it.</param>
    public LayoutBrokenException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
