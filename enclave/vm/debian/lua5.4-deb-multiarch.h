/* What Debian's package of Lua makes while it is built, and its luaconf.h includes: the folder of the
 * modules that Lua's loader finds. There is no loader here, so there is no folder. */
#ifndef ENCLAVE_VM_DEBIAN_LUA5_4_DEB_MULTIARCH_H
#define ENCLAVE_VM_DEBIAN_LUA5_4_DEB_MULTIARCH_H

#define DEB_HOST_MULTIARCH ""

#endif
