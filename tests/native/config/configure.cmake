# SPDX-License-Identifier: MIT
# Configures SOURCE in a fresh BUILD with the arguments after `--`; fails unless CMake's OUTCOME and TEXT are as expected.
# A refusal must not stay behind: afterwards the same directory configures with the defaults.
set(arguments "")
set(after OFF)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
	if(after)
		list(APPEND arguments "${CMAKE_ARGV${i}}")
	elseif(CMAKE_ARGV${i} STREQUAL "--")
		set(after ON)
	endif()
endforeach()

function(configure)
	execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}" ${ARGN}
		RESULT_VARIABLE result
		OUTPUT_VARIABLE output
		ERROR_VARIABLE output)
	# CMake wraps its messages.
	string(REGEX REPLACE "[ \n\r\t]+" " " output "${output}")
	if(result EQUAL 0)
		set(outcome taken PARENT_SCOPE)
	else()
		set(outcome refused PARENT_SCOPE)
	endif()
	set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${BUILD}")
configure(${arguments})
if(NOT outcome STREQUAL OUTCOME)
	message(FATAL_ERROR "${outcome}, not ${OUTCOME}: ${output}")
endif()
string(FIND "${output}" "${TEXT}" at)
if(at EQUAL -1)
	message(FATAL_ERROR "${outcome}, but nothing says \"${TEXT}\": ${output}")
endif()

if(OUTCOME STREQUAL "refused")
	configure()
	if(NOT outcome STREQUAL "taken")
		message(FATAL_ERROR "the refusal is still there without the choice: ${output}")
	endif()
endif()
