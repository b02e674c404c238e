// SPDX-License-Identifier: MIT
namespace Devmap.Telemetry;

/// <summary>Attributes of the meter's measurements.</summary>
internal static class MeterNames
{
    public const string MemoryType = "devmap.memory.type";
    public const string MapState = "devmap.map.state";
    public const string PageState = "devmap.page.state";
    public const string RefusalReason = "devmap.refusal.reason";
    public const string GateHolder = "devmap.gate.holder";
    public const string Quantile = "devmap.quantile";
    public const string FaultKind = "devmap.fault.kind";
    public const string LeakKind = "devmap.leak.kind";
    public const string LayoutBreakOutcome = "devmap.layout_break.outcome";
    public const string MigrationDirection = "devmap.migration.direction";
    public const string PageFaultResult = "devmap.page_fault.result";

    /// <summary>By the native number of each.</summary>
    public static readonly string[] MemoryTypes = ["device_host", "device_private", "device_public", "fs_dax"];

    /// <summary>By the native number of each.</summary>
    public static readonly string[] MapStates = ["live", "dying"];
}
