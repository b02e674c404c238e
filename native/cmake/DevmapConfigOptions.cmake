# SPDX-License-Identifier: MIT
# The options of the kernel's Kconfig, with its `select` and `depends on` edges: sets DEVMAP_CONFIG_<NAME> for each, and
# refuses, with the reason, a choice that cannot stand.
#
#     config FS_DAX           depends on MMU, !(ARM || MIPS || SPARC)   select DEV_PAGEMAP_OPS
#     config DEVICE_PRIVATE   depends on ARCH_HAS_HMM                   select HMM, DEV_PAGEMAP_OPS
#     config DEVICE_PUBLIC    depends on ARCH_HAS_HMM                   select HMM, DEV_PAGEMAP_OPS
#     config HMM, config DEV_PAGEMAP_OPS: no prompt, so selected or off

# What the kernel calls the architecture, and whether there is an MMU, asked of the compiler: its macros are right for
# -m32 and for cross compilers where CMAKE_SYSTEM_PROCESSOR may not be.
if(NOT DEFINED DEVMAP_ARCH OR NOT DEFINED DEVMAP_ARCH_MMU)
	set(probe "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/devmap_arch")
	try_compile(probed "${probe}" "${CMAKE_CURRENT_LIST_DIR}/arch.c" COPY_FILE "${probe}/arch.bin" OUTPUT_VARIABLE log)
	if(NOT probed)
		message(FATAL_ERROR "The compiler cannot compile native/cmake/arch.c:\n${log}")
	endif()
	file(STRINGS "${probe}/arch.bin" found REGEX "devmap-arch:")
	if(NOT found MATCHES "devmap-arch:([A-Z0-9_]+) mmu:(ON|OFF)\\.")
		message(FATAL_ERROR "No architecture in what the compiler made of native/cmake/arch.c: \"${found}\"")
	endif()
	set(DEVMAP_ARCH "${CMAKE_MATCH_1}" CACHE INTERNAL "Target architecture, as the kernel's Kconfig calls it")
	set(DEVMAP_ARCH_MMU "${CMAKE_MATCH_2}" CACHE INTERNAL "Whether the target has a memory management unit")
endif()

foreach(arch IN ITEMS ARM MIPS SPARC)
	string(COMPARE EQUAL "${DEVMAP_ARCH}" "${arch}" ${arch})
endforeach()
set(MMU ${DEVMAP_ARCH_MMU})
if(MMU AND DEVMAP_ARCH MATCHES "^(X86_64|ARM64|PPC64)$")
	set(ARCH_HAS_HMM ON)
else()
	set(ARCH_HAS_HMM OFF)
endif()

# The choice is taken out of the cache before it is refused, so that the next run does not meet it again.
function(devmap_refuse option reason)
	set(value "${${option}}")
	unset(${option} CACHE)
	message(FATAL_ERROR "${option}=${value} cannot stand: ${reason}")
endfunction()

# devmap_config(<name> <prompt> DEPENDS_ON <condition> SELECT <name>...)
# The condition is CMake's, over the variables above. The option is on where it holds, unless the user turns it off.
macro(devmap_config name prompt)
	cmake_parse_arguments(arg "" "" "DEPENDS_ON;SELECT" ${ARGN})
	if(${arg_DEPENDS_ON})
		option(DEVMAP_CONFIG_${name} "${prompt}" ON)
	else()
		option(DEVMAP_CONFIG_${name} "${prompt}" OFF)
		if(DEVMAP_CONFIG_${name})
			string(REPLACE ";" " " condition "${arg_DEPENDS_ON}")
			devmap_refuse(DEVMAP_CONFIG_${name}
				"it depends on ${condition}, which does not hold on this target (${DEVMAP_ARCH}, MMU ${DEVMAP_ARCH_MMU}). Leave it OFF here.")
		endif()
	endif()
	foreach(selected IN LISTS arg_SELECT)
		list(APPEND selectors_of_${selected} DEVMAP_CONFIG_${name})
	endforeach()
endmacro()

# devmap_config_selected(<name>): on when an option that selects it is on. Not a choice, so never left in the cache.
macro(devmap_config_selected name)
	set(selecting ${selectors_of_${name}})
	list(FILTER selecting EXCLUDE REGEX "^$")
	set(active "")
	foreach(selector IN LISTS selecting)
		if(${selector})
			list(APPEND active ${selector})
		endif()
	endforeach()
	if(DEFINED DEVMAP_CONFIG_${name})
		if(active AND NOT DEVMAP_CONFIG_${name})
			string(REPLACE ";" ", " names "${active}")
			string(REPLACE ";" "=OFF -D" off "-D${active}=OFF")
			devmap_refuse(DEVMAP_CONFIG_${name}
				"it is selected by ${names}. Turn off what selects it (${off}) and ${name} goes with it.")
		elseif(NOT active AND DEVMAP_CONFIG_${name})
			string(REPLACE ";" ", " names "${selecting}")
			devmap_refuse(DEVMAP_CONFIG_${name}
				"it is not a choice but selected, and nothing that selects it is on. Turn one of them on: ${names}.")
		endif()
		unset(DEVMAP_CONFIG_${name} CACHE)
	endif()
	if(active)
		set(DEVMAP_CONFIG_${name} ON)
	else()
		set(DEVMAP_CONFIG_${name} OFF)
	endif()
endmacro()

devmap_config(FS_DAX "Direct access to files: claims, layout breaks, mapped files"
	DEPENDS_ON MMU AND NOT \( ARM OR MIPS OR SPARC \)
	SELECT DEV_PAGEMAP_OPS)
devmap_config(DEVICE_PRIVATE "Device memory that the CPU cannot address"
	DEPENDS_ON ARCH_HAS_HMM
	SELECT HMM DEV_PAGEMAP_OPS)
devmap_config(DEVICE_PUBLIC "Device memory that the CPU can address"
	DEPENDS_ON ARCH_HAS_HMM
	SELECT HMM DEV_PAGEMAP_OPS)
devmap_config_selected(HMM)
devmap_config_selected(DEV_PAGEMAP_OPS)

set(chosen "")
foreach(name IN ITEMS FS_DAX DEVICE_PRIVATE DEVICE_PUBLIC HMM DEV_PAGEMAP_OPS)
	if(DEVMAP_CONFIG_${name})
		list(APPEND chosen ${name})
	endif()
endforeach()
string(REPLACE ";" " " chosen "${chosen}")
message(STATUS "devmap for ${DEVMAP_ARCH}: ${chosen}")
