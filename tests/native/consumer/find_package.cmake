# SPDX-License-Identifier: MIT
# Configures, builds and runs the consumer project against the package in STAGE.
function(run)
	execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
	if(NOT result EQUAL 0)
		string(JOIN " " command ${ARGN})
		message(FATAL_ERROR "${command}: ${result}")
	endif()
endfunction()

file(REMOVE_RECURSE "${BUILD}")
run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}" -G "${GENERATOR}"
	"-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}"
	"-DCMAKE_PREFIX_PATH=${STAGE}"
	"-DCMAKE_${LANGUAGE}_COMPILER=${COMPILER}"
	"-DLANGUAGE=${LANGUAGE}"
	"-DVERSION=${VERSION}")
run("${CMAKE_COMMAND}" --build "${BUILD}")
run("${BUILD}/consumer_shared" "${VERSION}")
run("${BUILD}/consumer_static" "${VERSION}")
