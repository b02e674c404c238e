# SPDX-License-Identifier: MIT
# How devmap's own sources, the library's and the tests', are compiled. Nothing of it reaches a user's target.

if(NOT DEVMAP_SANITIZE STREQUAL "")
	add_compile_options(-fsanitize=${DEVMAP_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${DEVMAP_SANITIZE})
endif()

function(devmap_compile target)
	set_target_properties(${target} PROPERTIES
		C_STANDARD 11
		C_STANDARD_REQUIRED ON
		C_EXTENSIONS OFF
		CXX_STANDARD_REQUIRED ON
		CXX_EXTENSIONS OFF)
	# Frame pointers, as stacks are noted by them (stack.c): on the way from a caller into the library too.
	target_compile_options(${target} PRIVATE
		-fno-omit-frame-pointer
		-Wall -Wextra -Wpedantic -Wshadow -Wconversion
		$<$<BOOL:${DEVMAP_WERROR}>:-Werror>
		-pthread)
endfunction()
