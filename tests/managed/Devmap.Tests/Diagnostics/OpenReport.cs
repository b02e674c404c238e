// SPDX-License-Identifier: MIT
using Microsoft.Playwright;
using Xunit;

namespace Devmap.Tests.Diagnostics;

/// <summary>A report that is open in a browser.</summary>
internal sealed class OpenReport : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _complaints = [];
    private readonly List<string> _requests = [];

    private OpenReport(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.Console += (_, message) => _complaints.Add($"{message.Type}: {message.Text}");
        page.PageError += (_, error) => _complaints.Add(error);
        page.Dialog += (_, dialog) => _complaints.Add($"a dialog: {dialog.Message}");
        page.RequestFailed += (_, request) => _complaints.Add($"failed: {request.Url}");
        page.Request += (_, request) => _requests.Add(request.Url);
    }

    public IPage Page { get; }

    public static async Task<OpenReport> OpenAsync(IBrowserContext context, string path)
    {
        var open = new OpenReport(context, await context.NewPageAsync());
        await open.Page.GotoAsync(new Uri(path).AbsoluteUri);
        await open.Page.WaitForFunctionAsync("document.documentElement.dataset.ready === 'true'", null, new() { Timeout = 60_000 });
        return open;
    }

    /// <summary>That the page asked for nothing but itself, and complained of nothing.</summary>
    public void AssertQuiet()
    {
        Assert.Empty(_complaints);
        Assert.StartsWith("file://", Assert.Single(_requests, url => !url.StartsWith("data:", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    public async Task<string> TextAsync(string selector) => (await Page.Locator(selector).InnerTextAsync()).Trim();

    public Task<T> EvaluateAsync<T>(string script) => Page.EvaluateAsync<T>(script);

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();
}
