# SPDX-License-Identifier: MIT
# Installs BUILD, then moves the tree to STAGE: the package may not depend on where it was installed first.
file(REMOVE_RECURSE "${STAGE}" "${STAGE}.first")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${STAGE}.first" RESULT_VARIABLE result)
if(NOT result EQUAL 0)
	message(FATAL_ERROR "cmake --install: ${result}")
endif()
file(RENAME "${STAGE}.first" "${STAGE}")

file(GLOB_RECURSE texts "${STAGE}/*.cmake" "${STAGE}/*.pc" "${STAGE}/*.h")
foreach(text IN LISTS texts)
	file(READ "${text}" content)
	foreach(path IN ITEMS "${BUILD}" "${STAGE}.first")
		string(FIND "${content}" "${path}" at)
		if(NOT at EQUAL -1)
			message(FATAL_ERROR "${text} names ${path}")
		endif()
	endforeach()
endforeach()
