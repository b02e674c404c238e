// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>
/// What happens to a thread that touches far memory without a lease where the store fails to give the data back. They stay
/// in the store, and a lease or a prefetch tries again.
/// </summary>
public enum FarMemoryError
{
    /// <summary>
    /// SIGBUS, as in the kernel, which ends a .NET process; on Linux before 6.6 SIGSEGV, which does too.
    /// </summary>
    SigBus = devmap_hmm_on_error.DEVMAP_HMM_ON_ERROR_SIGBUS,

    /// <summary>
    /// The page reads as zeros until its data are back, and what is written to it meanwhile is lost then. The observer and
    /// the statistics tell.
    /// </summary>
    ZeroPage = devmap_hmm_on_error.DEVMAP_HMM_ON_ERROR_ZERO_PAGE,
}
