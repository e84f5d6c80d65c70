# Compiler flags of every target, by build type and sanitizer.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

find_program(CCACHE ccache)
if(CCACHE)
	set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(cs_flags INTERFACE)
target_include_directories(cs_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(cs_flags INTERFACE _GNU_SOURCE)
target_compile_options(cs_flags INTERFACE
	-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes
	-Wmissing-prototypes -Wold-style-definition -Wswitch-enum -Wvla -Wcast-align -Wcast-qual
	-Wpointer-arith -Wwrite-strings -Wundef -Wredundant-decls -Wnull-dereference
	-Wimplicit-fallthrough -Werror=return-type -Werror=implicit -Werror=incompatible-pointer-types
	-fno-strict-aliasing -fno-common)
if(CAISSON_WERROR)
	target_compile_options(cs_flags INTERFACE -Werror)
endif()

# Hardening is for optimized builds: _FORTIFY_SOURCE needs -O, and sanitizers bring their own checks.
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT CAISSON_SANITIZE)
	target_compile_options(cs_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
		-fstack-protector-strong -fstack-clash-protection -fcf-protection)
	target_link_options(cs_flags INTERFACE -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()
if(CAISSON_SANITIZE STREQUAL "address")
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
elseif(CAISSON_SANITIZE STREQUAL "thread")
	add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
	add_link_options(-fsanitize=thread)
endif()
if(CAISSON_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CAISSON_INSECURE_DEV_HEAD)
	target_compile_definitions(cs_flags INTERFACE CAISSON_INSECURE_DEV_HEAD=1)
endif()
