// SPDX-License-Identifier: MIT
using System.Reflection;
using System.Reflection.Emit;
using Devmap.Interop;

namespace Devmap.Tests.Interop;

/// <summary>What the generated assembly declares, and how the runtime lays it out.</summary>
internal static class Bindings
{
    private static readonly Type[] s_types = typeof(NativeMethods).Assembly.GetExportedTypes();

    /// <summary>The structs with fields; one without stands for a type that C keeps to itself.</summary>
    public static IEnumerable<Type> Structs =>
        s_types.Where(type => type is { IsValueType: true, IsEnum: false, IsNested: false } && FieldsOf(type).Length > 0);

    public static IEnumerable<Type> Enums => s_types.Where(type => type.IsEnum);

    public static IEnumerable<FieldInfo> Constants =>
        typeof(NativeMethods).GetFields(BindingFlags.Public | BindingFlags.Static).Where(constant => constant.IsLiteral);

    public static IEnumerable<MethodInfo> EntryPoints => typeof(NativeMethods)
        .GetMethods(BindingFlags.Public | BindingFlags.Static)
        .Where(method => method.Attributes.HasFlag(MethodAttributes.PinvokeImpl));

    public static FieldInfo[] FieldsOf(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance);

    public static long SizeOf(Type type) => Evaluate(il => il.Emit(OpCodes.Sizeof, type));

    /// <summary>Where the runtime puts the field; <c>Marshal.OffsetOf</c> answers for marshalling, which is disabled.</summary>
    public static long OffsetOf(FieldInfo field) => Evaluate(il =>
    {
        LocalBuilder value = il.DeclareLocal(field.DeclaringType!);
        il.Emit(OpCodes.Ldloca, value);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Ldloca, value);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Sub);
    });

    private static long Evaluate(Action<ILGenerator> expression)
    {
        DynamicMethod method = new("Evaluate", typeof(long), Type.EmptyTypes, typeof(Bindings).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        expression(il);
        il.Emit(OpCodes.Conv_I8);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Func<long>>()();
    }
}
