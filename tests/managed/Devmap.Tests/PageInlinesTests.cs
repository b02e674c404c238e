// SPDX-License-Identifier: MIT
using Devmap.Interop;
using Devmap.Native;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Devmap.Tests;

/// <summary>
/// The inlines as C# writes them do what the headers' do. Each script runs on three pages, on one in C#, on one in C, on
/// one in either at random: all have the same words after each step, the same callbacks and the same faults.
/// </summary>
public sealed unsafe class PageInlinesTests
{
    private const int InCSharp = 0;
    private const int InC = 1;
    private const int Mixed = 2;
    private const int MaxOrder = 3;

    private static readonly Gen<Step> s_steps =
        from take in Gen.Elements(false, true)
        from references in Gen.Choose(1, 5)
        from mixedInCSharp in Gen.Elements(false, true)
        from tail in Gen.Choose(0, (1 << MaxOrder) - 1)
        select new Step(take, references, mixedInCSharp, tail);

    public PageInlinesTests() => Assert.True(DevmapDiagnostics.LoadReport.IsLoaded);

    [Fact]
    public void Device_pages_have_the_same_words_and_callbacks() => Scripts.Check(s_steps, static script =>
    {
        var driver = new CountingDriver(pages: 3);
        using DevicePageMap map = Create(MemoryType.DevicePublic, driver);
        int references = 0;
        foreach (Step step in script.Append(new Step(Take: false, int.MaxValue, MixedInCSharp: true, Tail: 0)))
        {
            int change = step.Take ? step.References : -Math.Min(step.References, references);
            references += change;
            RunOnEach(map, step, change);

            AssertSameWords(map);
            Assert.Equal(references + 1, map[InCSharp].Count);
            Assert.Equal((driver[InC], driver[InC]), (driver[InCSharp], driver[Mixed]));
        }
    });

    [Fact]
    public void Idle_pages_whose_references_nobody_held_are_dropped_have_the_same_words_and_faults() => Scripts.Check(s_steps, static script =>
    {
        using DevicePageMap map = Create(MemoryType.DeviceHost, driver: null);
        using var log = new FaultLog();
        int references = 0;
        bool saturated = false;
        foreach (Step step in script)
        {
            int change = step.Take ? step.References : -step.References;
            if (!saturated && references > 0)
                change = Math.Max(change, -references);
            saturated |= references + change < 0;
            references += change;
            RunOnEach(map, step, change);

            AssertSameWords(map);
            Assert.Equal(saturated ? 3 : 0, log.Faults.Count(fault => fault.Kind == DevmapFaultKind.Underflow));
        }

        Assert.DoesNotContain(log.Faults, fault => fault.Kind != DevmapFaultKind.Underflow);
        if (!saturated && references > 0)
            RunOnEach(map, new Step(Take: false, references, MixedInCSharp: true, Tail: 0), -references);
    });

    [Theory]
    [InlineData(int.MaxValue, 1)]
    [InlineData(int.MaxValue - 2, 3)]
    [InlineData(1, int.MaxValue)]
    public void Pages_with_too_many_references_have_the_same_words_and_faults(int refcount, int references)
    {
        using DevicePageMap map = Create(MemoryType.DeviceHost, driver: null);
        using var log = new FaultLog();
        PageLease lease = map.Lease(0, 3);
        ForEach(map, page => page->refcount = refcount);
        RunOnEach(map, new Step(Take: true, references, MixedInCSharp: true, Tail: 0), references);

        AssertSameWords(map);
        Assert.True(map[InCSharp].Count < 0);
        Assert.Equal([DevmapFaultKind.Overflow, DevmapFaultKind.Overflow, DevmapFaultKind.Overflow], log.Faults.Select(fault => fault.Kind));

        // So that the map can be disposed.
        ForEach(map, page => page->refcount = 1);
        lease.Dispose();
    }

    [Fact]
    public void Compound_pages_have_the_same_words_through_any_of_their_pages() => Scripts.Check(s_steps, static script =>
    {
        for (uint order = 0; order <= MaxOrder; order++)
            RunOnCompoundPages(script, order);
    });

    private static void RunOnCompoundPages(Step[] script, uint order)
    {
        long before = DevmapDiagnostics.ReadStatistics().OrdinaryPages.Current;
        devmap_page** heads = stackalloc devmap_page*[3];
        for (int i = 0; i < 3; i++)
            Assert.Equal(0, NativeMethods.devmap_alloc_pages(order, &heads[i]));
        int references = 1;
        foreach (Step step in script)
        {
            int tail = step.Tail & ((1 << (int)order) - 1);
            int change = step.Take ? step.References : -Math.Min(step.References, references - 1);
            references += change;
            for (int i = 0; i < 3; i++)
                Change(heads[i] + tail, change, IsInCSharp(i, step));

            for (int i = 0; i < 3; i++)
            {
                devmap_page* page = heads[i] + tail;
                Assert.Equal((nint)heads[i], (nint)PageInlines.CompoundHead(page));
                Assert.Equal((nint)heads[i], (nint)NativeMethods.devmap_compound_head(page));
                Assert.Equal(references, PageInlines.PageCount(page));
                Assert.Equal(references, NativeMethods.devmap_page_count(page));
                Assert.Equal((heads[InC]->refcount, heads[InC]->flags, heads[InC]->busy), (heads[i]->refcount, heads[i]->flags, heads[i]->busy));
            }
        }

        for (int i = 0; i < 3; i++)
            Change(heads[i], -references, inCSharp: i != InC);
        Assert.Equal(before, DevmapDiagnostics.ReadStatistics().OrdinaryPages.Current);
    }

    private static DevicePageMap Create(MemoryType type, PageDriver? driver)
    {
        DevicePageMap map = DevicePageMap.Create(new() { Type = type, PageCount = 3, Driver = driver, DisposeTimeout = TimeSpan.Zero });

        // Looked up, and idle again.
        map.Lease(0, 3).Dispose();
        return map;
    }

    private static bool IsInCSharp(int page, Step step) => page == InCSharp || (page == Mixed && step.MixedInCSharp);

    private static void RunOnEach(DevicePageMap map, Step step, int change)
    {
        for (int i = 0; i < 3; i++)
            Change((devmap_page*)map[i].DangerousGetHandle(), change, IsInCSharp(i, step));
    }

    private static void Change(devmap_page* page, int change, bool inCSharp)
    {
        switch (change)
        {
            case 1 when inCSharp:
                PageInlines.GetPage(page);
                break;
            case 1:
                NativeMethods.devmap_get_page(page);
                break;
            case -1 when inCSharp:
                PageInlines.PutPage(page);
                break;
            case -1:
                NativeMethods.devmap_put_page(page);
                break;
            case > 0 when inCSharp:
                PageInlines.GetPageRefs(page, change);
                break;
            case > 0:
                NativeMethods.devmap_get_page_refs(page, (uint)change);
                break;
            case < 0 when inCSharp:
                PageInlines.PutPageRefs(page, -change);
                break;
            case < 0:
                NativeMethods.devmap_put_page_refs(page, (uint)-change);
                break;
        }
    }

    private static void ForEach(DevicePageMap map, PageAction action)
    {
        for (int i = 0; i < 3; i++)
            action((devmap_page*)map[i].DangerousGetHandle());
    }

    private static void AssertSameWords(DevicePageMap map)
    {
        ReadOnlySpan<byte> inC = Words(map[InC]);
        Assert.True(inC.SequenceEqual(Words(map[InCSharp])) && inC.SequenceEqual(Words(map[Mixed])));
    }

    private static ReadOnlySpan<byte> Words(DevicePage page) => new((void*)page.DangerousGetHandle(), sizeof(devmap_page));

    private delegate void PageAction(devmap_page* page);

    private sealed record Step(bool Take, int References, bool MixedInCSharp, int Tail);
}
