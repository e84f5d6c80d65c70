# cs_embed(NAME FILE OUT): OUT becomes the path of a C file with the bytes of FILE as `NAME`, and their number as `NAME_size`; it is
# made again when FILE changes.
function(cs_embed name file out)
	set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
	add_custom_command(
		OUTPUT ${source}
		COMMAND ${CMAKE_COMMAND} -D NAME=${name} -D FILE=${file} -D OUT=${source} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
		DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
	set(${out} ${source} PARENT_SCOPE)
endfunction()
