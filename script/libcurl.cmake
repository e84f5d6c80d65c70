# How the enclave's libcurl is built from Debian's source package: an initial cache for `cmake -C` (script/lib/install.sh).
# What is not used is left out, so that it cannot be reached: no other protocol, no proxy, no cookies, no authentication, no
# decompression, no resolver thread, no files (ADR 13).
function(options value)
	foreach(name ${ARGN})
		set(${name} ${value} CACHE BOOL "")
	endforeach()
endfunction()

set(CMAKE_BUILD_TYPE Release CACHE STRING "")
options(ON CMAKE_POSITION_INDEPENDENT_CODE HTTP_ONLY CURL_USE_OPENSSL USE_NGHTTP2)
options(OFF BUILD_SHARED_LIBS BUILD_CURL_EXE BUILD_TESTING CURL_USE_LIBSSH2 CURL_USE_LIBPSL USE_LIBIDN2 CURL_ZLIB CURL_BROTLI
	CURL_ZSTD ENABLE_THREADED_RESOLVER ENABLE_UNIX_SOCKETS)
foreach(what PROXY COOKIES CRYPTO_AUTH HTTP_AUTH NTLM NETRC ALTSVC HSTS DOH MIME GETOPTIONS PARSEDATE PROGRESS_METER SHUFFLE_DNS
	SOCKETPAIR OPENSSL_AUTO_LOAD_CONFIG VERBOSE_STRINGS)
	options(ON CURL_DISABLE_${what})
endforeach()
# Trust comes from the manifest, never from a file of the machine.
set(CURL_CA_BUNDLE none CACHE STRING "")
set(CURL_CA_PATH none CACHE STRING "")
