# SPDX-License-Identifier: MIT
# A toolchain: clang, under whatever name this system has it, and the clang++ beside it.
if(NOT CMAKE_C_COMPILER)
	find_program(DEVMAP_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14)
	if(NOT DEVMAP_CLANG)
		message(FATAL_ERROR "No clang on the PATH (on Debian: apt-get install clang)")
	endif()
	mark_as_advanced(DEVMAP_CLANG)
	set(CMAKE_C_COMPILER "${DEVMAP_CLANG}")
	# An empty alternative: a group that matched nothing is an error to older CMakes.
	string(REGEX REPLACE "clang(|-[0-9]+)$" "clang++\\1" CMAKE_CXX_COMPILER "${DEVMAP_CLANG}")
endif()
