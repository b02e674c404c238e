// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Xunit;

namespace Devmap.Tests.Diagnostics;

/// <summary>The report in a real browser. Each test also asks that the page was quiet: no error, no request, no dialog.</summary>
public sealed partial class ReportPageTests(Browser browser) : IClassFixture<Browser>, IDisposable
{
    private const string Hostile = "</script><img src=x onerror=\"window.pwned = 1\"><script>window.pwned = 2</script>\u202e&lt;'`${1}";

    /// <summary>Texts whose contrast to what is behind them is below 4.5, as WCAG's level AA has it.</summary>
    private const string FaintTexts = """
        (() => {
          const parse = colour => colour.match(/[\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const behind = element => {
            for (let at = element; at; at = at.parentElement) {
              const colour = parse(getComputedStyle(at).backgroundColor);
              if (colour[3] === undefined || colour[3] > 0)
                return colour;
            }
            return [255, 255, 255];
          };
          const faint = [];
          let looked = 0;
          for (const element of document.body.querySelectorAll("*")) {
            const text = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data.trim()).join("");
            if (!text || element.disabled || element.matches("script, option") || !element.checkVisibility())
              continue;
            const style = getComputedStyle(element), over = light(parse(element.closest("svg") ? style.fill : style.color)), under = light(behind(element));
            looked++;
            if ((Math.max(over, under) + 0.05) / (Math.min(over, under) + 0.05) < 4.5)
              faint.push(text);
          }
          return looked > 50 ? faint : ["only " + looked + " texts"];
        })()
        """;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Its_numbers_are_the_snapshots()
    {
        DevmapSnapshot snapshot = Snapshots.Busy();
        await using OpenReport open = await browser.OpenAsync(Write(snapshot));

        Assert.Equal("Devmap: shop, 1234", await open.Page.TitleAsync());
        Assert.Equal(Number(snapshot.Maps.Sum(map => map.PagesInUse)), await CardAsync(open, "Pages in use"));
        Assert.Equal("3", await CardAsync(open, "Maps"));
        Assert.Equal("on", await CardAsync(open, "Gate"));
        Assert.Equal("123,456", await CardAsync(open, "Activations"));
        Assert.Equal($"{snapshot.Callbacks.QuantileNanoseconds(0.99)} ns", await CardAsync(open, "Callback, p99"));
        Assert.Equal("2", await CardAsync(open, "Faults"));
        Assert.StartsWith("On, for 3 holders: 2 maps and claims with a driver, 1 user ", await open.TextAsync("#gate-why"), StringComparison.Ordinal);
        foreach (MapSnapshot map in snapshot.Maps)
        {
            ILocator row = open.Page.Locator("#maps-table tbody tr").Filter(new() { HasText = map.Name });
            Assert.Equal(Number(map.PageCount), await row.Locator("td").Nth(3).InnerTextAsync());
            Assert.Equal(Number(map.PagesInUse), await row.Locator("td").Nth(4).InnerTextAsync());
        }

        Assert.Contains("99 in 100 at most 128 ns, the longest 131 µs", await open.TextAsync("#latency-about"), StringComparison.Ordinal);
        Assert.Equal(5, await open.Page.Locator("#latency-table tbody tr").CountAsync());
        Assert.Equal("14 were timed", (await open.TextAsync("#breaks-about")).Split(':')[0]);
        Assert.Contains("page 101, count 1: The driver threw System.InvalidOperationException: the queue is full", await open.TextAsync("#faults-list"), StringComparison.Ordinal);
        Assert.Contains("1,024 of 4,096 pages in memory, 2,048 in the store", await open.TextAsync("#far-maps"), StringComparison.Ordinal);
        open.AssertQuiet();
    }

    [Fact]
    public async Task Pages_in_use_say_who_holds_them()
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Busy()));
        ILocator rows = open.Page.Locator("#busy-table tbody tr");
        Assert.Equal(3, await rows.CountAsync());

        await rows.Nth(0).Locator("summary").ClickAsync();
        Assert.Contains("lease, held for 180 s, by thread 4711 Reader 7", await rows.Nth(0).InnerTextAsync(), StringComparison.Ordinal);
        Assert.Contains("at Shop.Orders.ReadAsync(Int64 id)", await rows.Nth(0).Locator("pre").Nth(0).InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal("not followed", await rows.Nth(2).Locator("td").Nth(4).InnerTextAsync());

        await open.Page.Locator("#busy-table").GetByRole(AriaRole.Button, new() { Name = "Oldest" }).ClickAsync();
        Assert.Equal("descending", await open.Page.Locator("#busy-table th").Nth(3).GetAttributeAsync("aria-sort"));
        Assert.Equal("64", await rows.Nth(0).Locator("td").Nth(1).InnerTextAsync());

        await open.Page.GetByLabel("Filter by map, thread or stack").FillAsync("shop.device");
        Assert.Equal(1, await rows.CountAsync());
        await rows.Nth(0).GetByRole(AriaRole.Button).ClickAsync();
        Assert.StartsWith("Page 120: in use; page 120 is in the table below", await open.TextAsync("#heat-cell"), StringComparison.Ordinal);
        Assert.Equal("heat-canvas", await open.EvaluateAsync<string>("document.activeElement.id"));
        open.AssertQuiet();
    }

    [Fact]
    public async Task The_heat_map_is_gone_through_by_keyboard()
    {
        DevmapSnapshot snapshot = Snapshots.Busy();
        await using OpenReport open = await browser.OpenAsync(Write(snapshot));
        IReadOnlyList<int> cells = snapshot.Maps[0].HeatMap!.Cells;
        int group = int.Parse(await DataAsync(open, "group"), CultureInfo.InvariantCulture);
        Assert.True(group > 1);
        Assert.Equal(Squares(cells, 0, group), await open.TextAsync("#heat-cell"));

        await open.Page.Locator("#heat-canvas").FocusAsync();
        await open.Page.Keyboard.PressAsync("ArrowRight");
        Assert.Equal(Squares(cells, group, group), await open.TextAsync("#heat-cell"));
        while (group > 1)
        {
            await open.Page.Keyboard.PressAsync("+");
            group /= 2;
            Assert.Equal($"{group}", await DataAsync(open, "group"));
        }

        int chosen = int.Parse(await DataAsync(open, "chosen"), CultureInfo.InvariantCulture);
        Assert.Equal(Squares(cells, chosen, 1), await open.TextAsync("#heat-cell"));
        await open.Page.Keyboard.PressAsync("End");
        Assert.Equal(Squares(cells, cells.Count - 1, 1), await open.TextAsync("#heat-cell"));
        Assert.NotEqual("0", await DataAsync(open, "first"));
        await open.Page.Keyboard.PressAsync("ArrowRight");
        Assert.Equal(Squares(cells, cells.Count - 1, 1), await open.TextAsync("#heat-cell"));
        await open.Page.Keyboard.PressAsync("0");
        Assert.Equal("0", await DataAsync(open, "first"));
        await open.Page.Keyboard.PressAsync("Home");
        Assert.Equal("0", await DataAsync(open, "chosen"));

        // Nothing holds the focus: the next stop is beyond the map.
        await open.Page.Keyboard.PressAsync("Tab");
        Assert.NotEqual("heat-canvas", await open.EvaluateAsync<string>("document.activeElement.id"));
        open.AssertQuiet();
    }

    [Fact]
    public async Task The_heat_map_is_zoomed_by_buttons_and_wheel_and_told_by_pointer()
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Busy()));
        string whole = await DataAsync(open, "group");
        Assert.True(await open.Page.Locator("#zoom-out").IsDisabledAsync());
        await open.Page.Locator("#zoom-in").ClickAsync();
        string closer = await DataAsync(open, "group");
        Assert.NotEqual(whole, closer);
        await open.Page.Locator("#zoom-all").ClickAsync();
        Assert.Equal(whole, await DataAsync(open, "group"));

        ILocator canvas = open.Page.Locator("#heat-canvas");
        await canvas.ClickAsync(new() { Position = new() { X = 200, Y = 30 } });
        await open.Page.Mouse.WheelAsync(0, -100);
        await open.Page.WaitForFunctionAsync($"document.querySelector('#heat-canvas').dataset.group === '{closer}'");
        Assert.Matches(TipText(), await open.TextAsync("#heat-tip"));

        // What is drawn has the colours of the legend, and more than one of them.
        Assert.True(await open.EvaluateAsync<int>("""
            (() => {
              const canvas = document.querySelector("#heat-canvas");
              const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
              for (let i = 0; i < pixels.length; i += 4)
                seen.add(`${pixels[i]},${pixels[i + 1]},${pixels[i + 2]}`);
              return ["--heat-0", "--heat-1", "--heat-2"].filter(name => {
                const [, r, g, b] = /#(..)(..)(..)/.exec(getComputedStyle(canvas).getPropertyValue(name));
                return seen.has([r, g, b].map(part => parseInt(part, 16)).join());
              }).length;
            })()
            """) >= 2);
        open.AssertQuiet();
    }

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Light, 320)]
    [InlineData(ColorScheme.Dark, 320)]
    public async Task It_is_readable(ColorScheme scheme, int width)
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Busy()), width, 800, scheme);
        await open.EvaluateAsync<bool>("document.querySelectorAll('details').forEach(details => details.open = true) ?? true");

        Assert.Empty(await open.EvaluateAsync<string[]>(FaintTexts));
        double background = await open.EvaluateAsync<double>("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0)");
        Assert.Equal(scheme == ColorScheme.Dark, background < 300);
        Assert.Equal(width, await open.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        open.AssertQuiet();
    }

    [Fact]
    public async Task It_prints_dark_on_light()
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Busy()), scheme: ColorScheme.Dark);
        await open.Page.EmulateMediaAsync(new() { Media = Media.Print });

        Assert.Equal("rgb(255, 255, 255)", await open.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));
        Assert.False(await open.Page.Locator("nav").IsVisibleAsync());
        Assert.Empty(await open.EvaluateAsync<string[]>(FaintTexts));
        Assert.True((await open.Page.PdfAsync()).Length > 10_000);
        Assert.Equal(0, await open.Page.Locator("details[open]").CountAsync());
        open.AssertQuiet();
    }

    [Fact]
    public async Task Its_structure_can_be_told()
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Busy()));

        Assert.Equal("en", await open.EvaluateAsync<string>("document.documentElement.lang"));
        Assert.Equal("12223222222", await open.EvaluateAsync<string>("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(head => head.tagName[1]).join('')"));
        Assert.Empty(await open.EvaluateAsync<string[]>("[...document.querySelectorAll('a[href^=\"#\"]')].filter(link => !document.querySelector(link.hash)).map(link => link.hash)"));
        Assert.Empty(await open.EvaluateAsync<string[]>("[...document.querySelectorAll('input, select')].filter(input => !input.labels.length).map(input => input.id)"));
        Assert.Empty(await open.EvaluateAsync<string[]>("[...document.querySelectorAll('button')].filter(button => !(button.ariaLabel || button.textContent.trim())).map(button => button.outerHTML)"));
        Assert.Empty(await open.EvaluateAsync<string[]>("[...document.querySelectorAll('th')].filter(head => !head.scope).map(head => head.outerHTML)"));
        Assert.Empty(await open.EvaluateAsync<string[]>("[...document.querySelectorAll('svg')].filter(picture => !picture.getAttribute('aria-label')).map(picture => picture.outerHTML)"));
        Assert.Empty(await open.EvaluateAsync<string[]>("[...document.querySelectorAll('[id]')].map(one => one.id).filter((id, i, all) => all.indexOf(id) !== i)"));
        open.AssertQuiet();
    }

    [Fact]
    public async Task Millions_of_pages_are_few_elements()
    {
        const int Maps = 1000;
        DevmapSnapshot many = Snapshots.Of([.. Enumerable.Range(1, Maps).Select(id => Snapshots.Map(id, $"map number {id}", 4096, Snapshots.HeatOf(4096, 4096, i => (i * id) % 7 == 0 ? 1 : 0)))]);
        DevmapSnapshot large = Snapshots.Of([Snapshots.Map(1, "large", 4L << 20, Snapshots.HeatOf(4L << 20, SnapshotOptions.MaxHeatMapCells, i => i % 65))]);

        await using (OpenReport open = await browser.OpenAsync(Write(many)))
        {
            Assert.InRange(await open.EvaluateAsync<int>("document.querySelectorAll('*').length"), 200, 3000);
            Assert.Equal("1 to 50 of 1,000", await open.TextAsync("#maps-table [role=status]"));
            await open.Page.GetByLabel("Filter the maps").FillAsync("number 77");
            Assert.Equal(11, await open.Page.Locator("#maps-table tbody tr").CountAsync());
            await open.Page.GetByRole(AriaRole.Button, new() { Name = "Show the pages of map number 777" }).ClickAsync();
            Assert.Equal("Heat map of map number 777", await open.TextAsync("#heat-title"));
            open.AssertQuiet();
        }

        await using (OpenReport open = await browser.OpenAsync(Write(large)))
        {
            Assert.InRange(await open.EvaluateAsync<int>("document.querySelectorAll('*').length"), 200, 1000);
            await open.Page.Locator("#heat-canvas").FocusAsync();
            await open.Page.Keyboard.PressAsync("End");
            for (int i = 0; i < 16; i++)
                await open.Page.Keyboard.PressAsync("+");
            await open.Page.Keyboard.PressAsync("End");
            Assert.StartsWith("Pages 4,194,240 to 4,194,303: ", await open.TextAsync("#heat-cell"), StringComparison.Ordinal);
            open.AssertQuiet();
        }
    }

    [Fact]
    public async Task Hostile_names_are_text()
    {
        DevmapSnapshot busy = Snapshots.Busy();
        DevmapSnapshot hostile = busy with
        {
            ProcessName = Hostile,
            LibraryVersion = Hostile,
            Maps = [busy.Maps[0] with { Name = Hostile }, .. busy.Maps.Skip(1)],
            BusyPages = [busy.BusyPages[0] with { Holders = [Snapshots.Holder(64, Hostile, Hostile, TimeSpan.FromSeconds(1)) with { Activity = Hostile }] }],
            Faults = [busy.Faults[0] with { Message = Hostile, Stack = Hostile, MapName = Hostile }],
        };
        await using OpenReport open = await browser.OpenAsync(Write(hostile), width: 320);
        await open.EvaluateAsync<bool>("document.querySelectorAll('details').forEach(details => details.open = true) ?? true");

        Assert.Equal($"Devmap: {Hostile}, 1234", await open.EvaluateAsync<string>("document.querySelector('h1').textContent"));
        Assert.Equal(Hostile, await open.EvaluateAsync<string>("document.querySelector('#maps-table tbody td').textContent"));
        Assert.Equal(Hostile, await open.EvaluateAsync<string>("document.querySelector('#busy-table pre').textContent"));
        Assert.Contains(Hostile, await open.EvaluateAsync<string>("document.querySelector('#faults-list').textContent"), StringComparison.Ordinal);
        Assert.Equal(0, await open.EvaluateAsync<int>("window.pwned ?? document.images.length"));
        Assert.Equal(2, await open.EvaluateAsync<int>("document.scripts.length"));
        Assert.Equal(320, await open.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        open.AssertQuiet();
    }

    [Fact]
    public async Task A_script_that_is_not_the_pages_own_does_not_run()
    {
        string path = Write(Snapshots.Busy());
        await File.WriteAllTextAsync(path, (await File.ReadAllTextAsync(path)).Replace("</body>", "<script>window.pwned = 1</script></body>", StringComparison.Ordinal));
        await using OpenReport open = await browser.OpenAsync(path);

        Assert.True(await open.EvaluateAsync<bool>("window.pwned === undefined"));
    }

    [Fact]
    public async Task Snapshots_of_a_run_are_chosen_among()
    {
        DevmapSnapshot early = Snapshots.Busy() with { Time = Snapshots.Busy().Time.AddMinutes(-1), Maps = [Snapshots.Busy().Maps[1]], MapCount = 1 };
        DevmapSnapshot end = Snapshots.Of([Snapshots.Map(3, "/srv/data/orders.bin", 16384, Snapshots.HeatOf(16384, 4096, _ => 0))]);
        await using OpenReport open = await browser.OpenAsync(Write(early, Snapshots.Busy(), end));

        // It opens at the last one in which pages are in use.
        Assert.Equal("1", await open.Page.GetByLabel("Snapshot").InputValueAsync());
        Assert.Equal("3", await CardAsync(open, "Maps"));
        await open.Page.GetByLabel("Snapshot").SelectOptionAsync("0");
        Assert.Equal("1", await CardAsync(open, "Maps"));
        Assert.Equal("200", await CardAsync(open, "Pages in use"));
        await open.Page.GetByLabel("Snapshot").SelectOptionAsync("2");
        Assert.Equal("0", await CardAsync(open, "Pages in use"));
        Assert.StartsWith("Off: ", await open.TextAsync("#gate-why"), StringComparison.Ordinal);
        Assert.Equal(0, await open.Page.Locator("#gate svg, #latency svg").CountAsync());
        open.AssertQuiet();
    }

    [Fact]
    public async Task Nothing_to_show_is_said()
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Of([])));

        Assert.Equal("0", await CardAsync(open, "Maps"));
        Assert.Equal("There is no map.", await open.TextAsync("#maps-table > p:visible"));
        Assert.False(await open.Page.Locator("#heat").IsVisibleAsync());
        Assert.Equal("No page in use is known by name.", await open.TextAsync("#busy-table > p:visible"));
        Assert.Equal("No callback was timed.", await open.TextAsync("#latency-about"));
        Assert.Equal("There is no far memory.", await open.TextAsync("#far-about"));
        open.AssertQuiet();
    }

    [Fact]
    public async Task A_map_without_a_heat_map_says_how_to_have_one()
    {
        await using OpenReport open = await browser.OpenAsync(Write(Snapshots.Of([Snapshots.Map(1, "plain", 64)])));

        Assert.False(await open.Page.Locator("#heat-panel").IsVisibleAsync());
        Assert.Contains("SnapshotOptions.HeatMapCells", await open.TextAsync("#heat-about"), StringComparison.Ordinal);
        open.AssertQuiet();
    }

    [Fact]
    public void A_machine_without_chromium_is_told_what_to_install()
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => Browser.Find("/nowhere:/nowhere-else"));
        Assert.EndsWith("apt-get install chromium", error.Message, StringComparison.Ordinal);
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>What is told of some cells of the first map, which has four pages a cell.</summary>
    private static string Squares(IReadOnlyList<int> cells, int first, int count)
    {
        int used = cells.Skip(first).Take(count).Sum();
        int pages = Math.Min(count, cells.Count - first) * 4;
        string percent = used == 0 ? "0 %" : $"{Math.Round(100.0 * used / pages, MidpointRounding.AwayFromZero)} %";
        string named = first <= 16 && first + count > 16 ? "; page 64 is in the table below" : string.Empty;
        return $"Pages {Number(first * 4)} to {Number((first * 4) + pages - 1)}: {used} of {pages} in use ({percent}){named}.";
    }

    private static async Task<string> CardAsync(OpenReport open, string title) =>
        (await open.Page.Locator("#cards > div").Filter(new() { Has = open.Page.Locator($"dt:text-is('{title}')") }).Locator(".figure").InnerTextAsync()).Trim();

    private static async Task<string> DataAsync(OpenReport open, string name) =>
        await open.Page.Locator("#heat-canvas").GetAttributeAsync($"data-{name}") ?? string.Empty;

    private string Write(params DevmapSnapshot[] snapshots)
    {
        string path = _directory["report.html"];
        DevmapDiagnostics.WriteHtml(path, snapshots);
        return path;
    }

    [GeneratedRegex(@"^Pages [\d,]+ to [\d,]+: \d+ of \d+ in use \(", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TipText();
}
