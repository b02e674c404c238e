// SPDX-License-Identifier: MIT
namespace Devmap.CommandLine.Top;

/// <summary>A process can't be watched, or no longer; the message says why.</summary>
internal sealed class WatchException(string message, Exception? innerException = null) : Exception(message, innerException);
