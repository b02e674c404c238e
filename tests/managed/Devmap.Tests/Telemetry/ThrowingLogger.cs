// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Logging;

namespace Devmap.Tests.Telemetry;

/// <summary>A logger of its own factory, that does what a test says, which may be to throw.</summary>
internal sealed class ThrowingLogger(Action write, Action ask) : ILogger, ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel)
    {
        ask();
        return true;
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => write();
}
