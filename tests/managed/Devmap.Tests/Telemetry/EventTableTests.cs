// SPDX-License-Identifier: MIT
using System.Diagnostics.Tracing;
using System.Globalization;
using System.Reflection;
using Devmap.Telemetry;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Devmap.Tests.Telemetry;

/// <summary>What tools rely on: none of it changes, there is only more.</summary>
public sealed class EventTableTests
{
    private static readonly string[] s_events =
    [
        "1 MapCreated Informational Maps (map, address, memoryType, pageCount, pageSize)",
        "2 MapDisposed Informational Maps (map, address)",
        "3 MapDisposeTimedOut Warning Maps (map, address, busyPages, mapReferences)",
        "4 LevelChanged Informational None (subject, level, before)",
        "5 GateHeld Informational Gate (holders)",
        "6 GateReleased Informational Gate (holders)",
        "7 Misuse Error Misuse (kind, message, page, count, exceptionType)",
        "8 Leak Warning Leaks (kind, message, page, count)",
        "9 LayoutBreakStart Informational Layout (operation, file, change, offset, length)",
        "10 LayoutBreakStop Informational Layout (operation, file, change, outcome, durationMilliseconds)",
        "11 PageRefused Verbose Pages (map, firstPage, pageCount, reason)",
        "12 LeaseTracked Verbose Pages (lease, map, firstPage, pageCount, stack)",
        "13 LeaseReleased Verbose Pages (lease, heldMilliseconds)",
        "14 FarPageFailed Error Far (map, page, operation, error)",
        "15 ListenerFailed Warning Misuse (listener, exceptionType, message)",
        "40 Snapshot Informational Snapshots (sequence, part, parts, json)",
    ];

    private static IEnumerable<(MethodInfo Method, EventAttribute Event)> Declared =>
        from method in typeof(DevmapEventSource).GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly)
        let attribute = method.GetCustomAttribute<EventAttribute>()
        where attribute is not null
        orderby attribute.EventId
        select (method, attribute);

    [Fact]
    public void Ids_names_levels_keywords_and_payloads_are_those_that_tools_know() => Assert.Equal(s_events, Declared.Select(it =>
        $"{it.Event.EventId} {it.Method.Name} {it.Event.Level} {NameOf(it.Event.Keywords)} ({string.Join(", ", it.Method.GetParameters().Select(parameter => parameter.Name))})"));

    [Fact]
    public void Keywords_are_those_that_tools_know() => Assert.Equal(
        ["Maps=1", "Gate=2", "Misuse=4", "Leaks=8", "Layout=16", "Pages=32", "Far=64", "Snapshots=128"],
        typeof(DevmapEventSource.Keywords).GetFields().Select(field => $"{field.Name}={(long)field.GetRawConstantValue()!}"));

    [Fact]
    public void The_manifest_is_sound() =>
        Assert.Contains("provider name=\"Devmap\"", EventSource.GenerateManifest(typeof(DevmapEventSource), null, EventManifestOptions.Strict), StringComparison.Ordinal);

    [Fact]
    public void Each_event_is_written_with_what_it_was_given()
    {
        Assert.True(DevmapDiagnostics.LoadReport.IsLoaded);
        foreach ((MethodInfo method, EventAttribute attribute) in Declared)
        {
            using var log = new EventLog(keywords: attribute.Keywords == EventKeywords.None ? 1 : (long)attribute.Keywords);
            ParameterInfo[] parameters = method.GetParameters();
            object[] values = [.. parameters.Select(parameter => SampleOf(parameter))];
            method.Invoke(DevmapEventSource.Log, values);

            EventWrittenEventArgs written = log.Events.First(happened => happened.EventId == attribute.EventId && happened.Payload!.SequenceEqual(values));
            Assert.Equal(method.Name, written.EventName);
            Assert.Equal(attribute.Level, written.Level);
            Assert.Equal(parameters.Select(parameter => parameter.Name), written.PayloadNames);
        }
    }

    [Fact]
    public void Log_messages_have_the_events_ids_and_names()
    {
        IEnumerable<string> logged =
            from method in typeof(LogMessages).GetMethods(BindingFlags.Static | BindingFlags.Public)
            let message = method.GetCustomAttribute<LoggerMessageAttribute>()
            where message is not null
            orderby message.EventId
            select $"{message.EventId} {method.Name}";

        Assert.Equal(Declared.Where(it => it.Event.EventId != EventIds.Snapshot).Select(it => $"{it.Event.EventId} {it.Method.Name}"), logged);
    }

    [Fact]
    public void The_README_has_the_tables()
    {
        string readme = RepositoryFiles.Read("README.md");

        Assert.All(Instruments.All.Select(line => line.Split(' ')), words => Assert.Contains($"\n| `{words[1]}` | {words[0]} | `{words[2]}` |", readme, StringComparison.Ordinal));
        Assert.All(Declared, it => Assert.Contains(
            $"\n| {it.Event.EventId} | `{it.Method.Name}` | {it.Event.Level} | {NameOf(it.Event.Keywords)} | {string.Join(", ", it.Method.GetParameters().Select(parameter => parameter.Name))} |",
            readme,
            StringComparison.Ordinal));
        Assert.All(
            typeof(DevmapEventSource.Keywords).GetFields(),
            field => Assert.Contains($"{field.Name} 0x{(long)field.GetRawConstantValue()!:x}", readme, StringComparison.Ordinal));
    }

    private static string NameOf(EventKeywords keywords) => keywords == EventKeywords.None
        ? "None"
        : typeof(DevmapEventSource.Keywords).GetFields().Single(field => (long)field.GetRawConstantValue()! == (long)keywords).Name;

    private static object SampleOf(ParameterInfo parameter) =>
        parameter.ParameterType == typeof(string) ? parameter.Name! : Convert.ChangeType(-7 - parameter.Position, parameter.ParameterType, CultureInfo.InvariantCulture);
}
