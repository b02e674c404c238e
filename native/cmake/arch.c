/* SPDX-License-Identifier: MIT */
/* What the compiler builds for, in the kernel's words, as a string that DevmapConfigOptions.cmake reads in the binary. */
#include <limits.h>

#if defined(__x86_64__) && defined(__LP64__)
#define ARCH "X86_64"
#elif defined(__aarch64__) && defined(__LP64__)
#define ARCH "ARM64"
#elif defined(__powerpc64__)
#define ARCH "PPC64"
#elif defined(__arm__)
#define ARCH "ARM"
#elif defined(__mips__)
#define ARCH "MIPS"
#elif defined(__sparc__)
#define ARCH "SPARC"
#else
#define ARCH "OTHER"
#endif

/* Of the C libraries, only uClibc runs without one, and says so. */
#if defined(__UCLIBC__) && !defined(__ARCH_USE_MMU__)
#define MMU "OFF"
#else
#define MMU "ON"
#endif

const char devmap_arch[] = "devmap-arch:" ARCH " mmu:" MMU ".";

int main(int argc, char **argv)
{
	(void)argv;
	return devmap_arch[argc];
}
