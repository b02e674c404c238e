// SPDX-License-Identifier: MIT
using Microsoft.Playwright;
using Xunit;

namespace Devmap.Tests.Diagnostics;

/// <summary>One headless Chromium for a class's tests: Debian's, driven by Playwright.</summary>
public sealed class Browser : IAsyncLifetime
{
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async Task InitializeAsync()
    {
        string path = Find(Environment.GetEnvironmentVariable("PATH") ?? string.Empty);
        _playwright = await Playwright.CreateAsync();

        // Root, as in a container, has no sandbox; what is opened are pages of these tests.
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Args = ["--no-sandbox", "--disable-gpu"] });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    /// <summary>Where Chromium is.</summary>
    internal static string Find(string searchPath) => searchPath.Split(':')
        .Select(directory => Path.Combine(directory, "chromium"))
        .FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException("There is no chromium on the PATH, in which the report is tested: apt-get install chromium");

    /// <summary>Opens a page, and hears of whatever goes wrong in it.</summary>
    internal async Task<OpenReport> OpenAsync(string path, int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light)
    {
        IBrowserContext context = await _browser!.NewContextAsync(new()
        {
            ViewportSize = new() { Width = width, Height = height },
            ColorScheme = scheme,
            ReducedMotion = ReducedMotion.Reduce,
        });
        return await OpenReport.OpenAsync(context, path);
    }
}
