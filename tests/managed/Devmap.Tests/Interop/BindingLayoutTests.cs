// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Devmap.Interop;
using Xunit;

namespace Devmap.Tests.Interop;

/// <summary>
/// The generated types against the C compiler. Both sides are compared whole, so a type, field or constant that either
/// leaves out fails by name; tests/managed/native/layout.c lists the C side.
/// </summary>
public sealed class BindingLayoutTests
{
    private static CompilerLayout C => CompilerLayout.Instance;

    [Fact]
    public void Every_struct_has_the_size_that_C_gives_it() => AssertSame(
        C.Structs,
        Bindings.Structs.ToDictionary(type => type.Name, Bindings.SizeOf));

    [Fact]
    public void Every_field_stands_where_C_puts_it_and_is_as_wide() => AssertSame(
        C.Fields,
        Bindings.Structs.SelectMany(Bindings.FieldsOf).ToDictionary(
            field => (field.DeclaringType!.Name, field.Name),
            field => (Bindings.OffsetOf(field), Bindings.SizeOf(field.FieldType))));

    [Fact]
    public void Every_enum_is_as_wide_as_in_C() => AssertSame(
        C.Enums,
        Bindings.Enums.ToDictionary(type => type.Name, Bindings.SizeOf));

    [Fact]
    public void Every_enum_member_has_the_value_it_has_in_C() => AssertSame(
        C.Members,
        Bindings.Enums
            .SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Static))
            .ToDictionary(member => (member.DeclaringType!.Name, member.Name), ValueOf));

    [Fact]
    public void Every_constant_has_the_value_it_has_in_C() => AssertSame(
        C.Constants,
        Bindings.Constants.ToDictionary(constant => constant.Name, ValueOf));

    [Fact]
    public void A_page_is_one_cache_line() => Assert.Equal(64, Bindings.SizeOf(typeof(devmap_page)));

    [Theory]
    [InlineData("Devmap")]
    [InlineData("Devmap.Interop")]
    public void The_assembly_has_the_version_of_the_headers(string assembly)
    {
        Version version = Assembly.Load(assembly).GetName().Version!;

        Assert.Equal(NativeMethods.DEVMAP_VERSION_MAJOR, version.Major);
        Assert.Equal(NativeMethods.DEVMAP_VERSION_MINOR, version.Minor);
        Assert.Equal(NativeMethods.DEVMAP_VERSION_PATCH, version.Build);
    }

    [Fact]
    public void The_runtime_marshals_nothing() =>
        Assert.NotNull(typeof(NativeMethods).Assembly.GetCustomAttribute<DisableRuntimeMarshallingAttribute>());

    private static long ValueOf(FieldInfo constant) =>
        Convert.ToInt64(constant.GetRawConstantValue(), CultureInfo.InvariantCulture);

    private static void AssertSame<TKey, TValue>(Dictionary<TKey, TValue> c, Dictionary<TKey, TValue> bindings)
        where TKey : notnull
    {
        IEnumerable<string> differences = c.Keys.Union(bindings.Keys)
            .Select(key => (key, inC: Describe(c, key), inCSharp: Describe(bindings, key)))
            .Where(entry => entry.inC != entry.inCSharp)
            .Select(entry => $"{entry.key}: {entry.inC} in C, {entry.inCSharp} in C#");

        Assert.NotEmpty(c);
        Assert.Empty(differences);
    }

    private static string Describe<TKey, TValue>(Dictionary<TKey, TValue> values, TKey key)
        where TKey : notnull => values.TryGetValue(key, out TValue? value) ? $"{value}" : "missing";
}
