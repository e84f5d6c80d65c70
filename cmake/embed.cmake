# Run by cs_embed: FILE as the C array NAME in OUT.
file(READ ${FILE} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${bytes}")
get_filename_component(from ${FILE} NAME)
file(WRITE ${OUT} "/* ${from} */\n#include <stddef.h>\n\nextern const unsigned char ${NAME}[];\nextern const size_t ${NAME}_size;\n"
	"const unsigned char ${NAME}[] = {\n${bytes}};\nconst size_t ${NAME}_size = sizeof(${NAME});\n")
