// SPDX-License-Identifier: MIT
using Devmap.Interop;

namespace Devmap;

/// <summary>How far a <see cref="HmmDevice"/> serves the CPU's page faults on far memory.</summary>
public enum HmmFaultService
{
    /// <summary>Not at all: data come back by leases and prefetching; touching what is away ends the process by SIGSEGV.</summary>
    None = devmap_hmm_faults.DEVMAP_HMM_FAULTS_NONE,

    /// <summary>
    /// Those of the program's own code. A system call that is given memory that is away, as by reading a file into it, fails
    /// with EFAULT: lease it first.
    /// </summary>
    User = devmap_hmm_faults.DEVMAP_HMM_FAULTS_USER,

    /// <summary>Those inside of system calls too.</summary>
    All = devmap_hmm_faults.DEVMAP_HMM_FAULTS_ALL,

    /// <summary>To ask for: as far as the system permits. <see cref="HmmDevice.Faults"/> tells what that is.</summary>
    Auto = devmap_hmm_faults.DEVMAP_HMM_FAULTS_AUTO,
}
