// SPDX-License-Identifier: MIT
namespace Devmap.Tests;

/// <summary>The process's level, until it is disposed.</summary>
internal sealed class LevelSetting : IDisposable
{
    private readonly DiagnosticLevel _before = DevmapDiagnostics.Level;

    public LevelSetting(DiagnosticLevel level) => DevmapDiagnostics.Level = level;

    public void Dispose() => DevmapDiagnostics.Level = _before;
}
