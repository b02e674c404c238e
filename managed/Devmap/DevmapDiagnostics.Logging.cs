// SPDX-License-Identifier: MIT
using Devmap.Telemetry;
using Microsoft.Extensions.Logging;

namespace Devmap;

/// <content>Events for the application's log.</content>
public static unsafe partial class DevmapDiagnostics
{
    /// <summary>The category of the library's log messages.</summary>
    public const string LogCategory = "Devmap";

    /// <summary>
    /// Writes events to the application's log from here on: what the event source <c>Devmap</c> has, but for snapshots, under
    /// the same ids. A message is written on the thread on which the event happened, possibly inside a lease's dispose or a
    /// driver's callback, with no lock of the library held. What a logger throws is counted in <see cref="ListenerExceptions"/>.
    /// What happens inside a logger, on its thread, is not logged. Any thread; the last call holds.
    /// </summary>
    /// <param name="factory">Makes the logger, of category <see cref="LogCategory"/>; null to log no more.</param>
    /// <exception cref="ObjectDisposedException">The factory is disposed.</exception>
    public static void UseLogger(ILoggerFactory? factory) => DiagnosticEvents.UseLogger(factory?.CreateLogger(LogCategory));
}
