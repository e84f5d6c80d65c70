# cs_pytest(NAME <name> PATHS <path>... [LABELS <label>...]): one suite of tests/ as a ctest test.
# The programs under test are those of this build directory. What tests/longest.txt names begins first, wherever it is run.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/longest.txt CS_LONGEST REGEX "^[0-9]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/longest.txt)

function(cs_pytest)
	cmake_parse_arguments(ARG "" "NAME" "PATHS;LABELS" ${ARGN})
	add_test(NAME ${ARG_NAME} COMMAND ${PROJECT_SOURCE_DIR}/tests/run-pytest -q -m "not slow" ${ARG_PATHS})
	set_tests_properties(${ARG_NAME} PROPERTIES
		SKIP_RETURN_CODE 77
		TIMEOUT 1500 # only a hang takes as long: a busy machine has taken a third of it
		LABELS "${ARG_LABELS}"
		ENVIRONMENT "CAISSON_BUILD=${CMAKE_BINARY_DIR}")
	set(cost ${CS_LONGEST})
	list(FILTER cost INCLUDE REGEX "^[0-9]+ ${ARG_NAME}$")
	if(cost)
		string(REGEX REPLACE " .*" "" cost "${cost}")
		set_tests_properties(${ARG_NAME} PROPERTIES COST ${cost})
	endif()
endfunction()
