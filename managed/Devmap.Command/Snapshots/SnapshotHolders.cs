// SPDX-License-Identifier: MIT
using Spectre.Console;

namespace Devmap.CommandLine.Snapshots;

/// <summary>Pages in use, and all that is known of those who hold them.</summary>
internal static class SnapshotHolders
{
    public static Tree Create(DevmapSnapshot snapshot)
    {
        var tree = new Tree(new Text($"{SnapshotText.Count(snapshot.BusyPages.Count)} busy page{(snapshot.BusyPages.Count == 1 ? null : "s")}, the longest held first"));
        foreach (BusyPageSnapshot page in SnapshotBusyPages.InOrder(snapshot))
        {
            TreeNode node = tree.AddNode(new Text($"page {SnapshotText.Count(page.PageIndex)} of {SnapshotText.Name(SnapshotBusyPages.MapOf(snapshot, page))}, count {page.Count}"));
            if (page.Holders.Count == 0)
                node.AddNode(new Text("its holders are not followed"));
            foreach (PageHolder holder in page.Holders)
                Add(node, holder);
        }

        return tree;
    }

    private static void Add(TreeNode page, PageHolder holder)
    {
        TreeNode node = page.AddNode(new Text(Describe(holder)));
        if (holder.Stack is null)
            return;
        node.AddNode(new Text(string.Join('\n', SnapshotText.Lines(holder.Stack))));
    }

    private static string Describe(PageHolder holder)
    {
        List<string> words = [holder.IsLease ? "a lease" : holder.References == 1 ? "a reference" : $"{SnapshotText.Count(holder.References)} references"];
        words.Add($"held for {SnapshotText.Age(holder.Age)} since {SnapshotText.Time(holder.TakenAt)}");
        words.Add($"by {SnapshotBusyPages.Holder(holder)}");
        if (holder.IsActivation)
            words.Add("which activated the page");
        if (!string.IsNullOrEmpty(holder.Activity))
            words.Add($"in activity {SnapshotText.Name(holder.Activity)}");
        return string.Join(", ", words);
    }
}
