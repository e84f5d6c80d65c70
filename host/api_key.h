/* The keys by which programs call us: only their SHA-256 is kept, each with a name for logs and the
 * scopes it opens. A key is at least 32 random characters, so that a plain hash protects it. */
#ifndef HOST_API_KEY_H
#define HOST_API_KEY_H

#include "core/hash.h"

#define HOST_API_KEYS_MAX 64u
#define HOST_API_KEY_NAME_MAX 32u
#define HOST_SCOPES_MAX 16u

struct host_api_key {
	char name[HOST_API_KEY_NAME_MAX + 1];
	struct cs_hash hash; /* SHA-256 of the key's characters */
	uint32_t scopes;     /* bits */
};

struct host_api_keys {
	uint32_t count;
	struct host_api_key keys[HOST_API_KEYS_MAX];
};

/* Lines `name scope,scope sha256hex`, # begins a comment. scope_names: in the order of the bits,
 * ended by NULL. Errors name the line: MALFORMED, DUPLICATE (name or hash), INVALID (unknown
 * scope), FULL. */
CS_NODISCARD enum cs_err host_api_keys_parse(struct host_api_keys *keys, struct cs_bytes text,
					     const char *const *scope_names, struct cs_why *why);
/* From a file that only its owner can write, at most 64 KiB; IO when it cannot be read. */
CS_NODISCARD enum cs_err host_api_keys_load(struct host_api_keys *keys, const char *path,
					    const char *const *scope_names, struct cs_why *why);
/* authorization: the header's value, `Bearer <key>`; NULL when there is none. Compares with every
 * key in constant time. UNAUTHORIZED: no or unknown key; FORBIDDEN: it lacks one of the scopes. */
CS_NODISCARD enum cs_err host_api_keys_check(const struct host_api_key **key,
					     const struct host_api_keys *keys,
					     const char *authorization, uint32_t scopes);
/* What a key that is FORBIDDEN is told: the scopes that are asked for, by name where names is not NULL. */
#define HOST_API_KEY_LACKS_MAX 160u
void host_api_key_lacks(char text[HOST_API_KEY_LACKS_MAX], uint32_t scopes,
			const char *const *scope_names);
/* Is a key that opened something still there, with these scopes? */
bool host_api_keys_still(const struct host_api_keys *keys, const struct cs_hash *hash,
			 uint32_t scopes);

#endif
