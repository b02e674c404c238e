// SPDX-License-Identifier: MIT
namespace Devmap.Tests.Telemetry;

/// <summary>The meter's instruments, as users rely on them: kind, name, unit.</summary>
internal static class Instruments
{
    public static readonly string[] All =
    [
        "updown devmap.map.count {map}",
        "updown devmap.gate.holders {holder}",
        "updown devmap.page.count {page}",
        "counter devmap.page.activations {activation}",
        "counter devmap.page.saturations {page}",
        "counter devmap.page.refusals {refusal}",
        "counter devmap.page.idle_callbacks {page}",
        "gauge devmap.callback.duration s",
        "counter devmap.callback.timed {callback}",
        "counter devmap.callback.time s",
        "counter devmap.faults {fault}",
        "counter devmap.leaks {leak}",
        "updown devmap.layout_break.active {layout_break}",
        "counter devmap.layout_break.started {layout_break}",
        "counter devmap.layout_break.abandoned {layout_break}",
        "gauge devmap.layout_break.wait.duration s",
        "counter devmap.layout_break.wait.timed {wait}",
        "counter devmap.layout_break.wait.time s",
        "updown devmap.far_memory.resident {page}",
        "updown devmap.far_memory.on_device {page}",
        "counter devmap.migrations {page}",
        "counter devmap.migration.failures {page}",
        "counter devmap.page_faults {fault}",
        "updown devmap.references.tracked {reference}",
        "counter devmap.references.untracked {reference}",
        "gauge devmap.diagnostics.level 1",
    ];
}
