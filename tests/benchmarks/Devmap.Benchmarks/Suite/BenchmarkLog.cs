// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Loggers;

namespace Devmap.Benchmarks.Suite;

/// <summary>
/// BenchmarkDotNet's log, and the errors in it. After a cleanup that throws, because the benchmark did not do what it
/// should, BenchmarkDotNet tells the log and goes on; this suite does not.
/// </summary>
internal sealed class BenchmarkLog(string path) : ILogger, IDisposable
{
    private const string ErrorMark = "// ERROR:";

    private readonly List<string> _errors = [];
    private readonly StreamLogger _file = new(path);

    public string Id => nameof(BenchmarkLog);

    public int Priority => 0;

    /// <summary>Null when all went well.</summary>
    public string? Error => _errors.Count > 0 ? string.Join(' ', _errors) : null;

    public void Write(LogKind logKind, string text)
    {
        Watch(text);
        _file.Write(logKind, text);
    }

    public void WriteLine() => _file.WriteLine();

    public void WriteLine(LogKind logKind, string text)
    {
        Watch(text);
        _file.WriteLine(logKind, text);
    }

    public void Flush() => _file.Flush();

    public void Dispose() => _file.Dispose();

    private void Watch(string text)
    {
        if (text.StartsWith(ErrorMark, StringComparison.Ordinal))
            _errors.Add(text[ErrorMark.Length..].Trim());
    }
}
