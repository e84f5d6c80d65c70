#include "host/api_key.h"

#include "core/ct.h"
#include "host/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_SIZE_MAX (64u * 1024u)

/* The next word of a line; empty at its end. */
static struct cs_bytes next_word(struct cs_bytes *line)
{
	size_t at = 0;
	while (at < line->n && (line->p[at] == ' ' || line->p[at] == '\t' || line->p[at] == '\r'))
		at++;
	size_t begin = at;
	while (at < line->n && line->p[at] != ' ' && line->p[at] != '\t' && line->p[at] != '\r')
		at++;
	struct cs_bytes word = cs_bytes(line->p + begin, at - begin);
	*line = cs_bytes(line->p + at, line->n - at);
	return word;
}

static enum cs_err parse_name(struct host_api_key *key, struct cs_bytes word)
{
	if (word.n > HOST_API_KEY_NAME_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] <= ' ' || word.p[i] > '~')
			return CS_ERR_MALFORMED;
	memcpy(key->name, word.p, word.n);
	return CS_OK;
}

static enum cs_err parse_scopes(struct host_api_key *key, struct cs_bytes word,
				const char *const *scope_names)
{
	size_t at = 0;
	while (at <= word.n) {
		size_t end = at;
		while (end < word.n && word.p[end] != ',')
			end++;
		uint32_t bit = 0;
		while (scope_names[bit] != NULL && !cs_bytes_eq(cs_bytes_str(scope_names[bit]),
								cs_bytes(word.p + at, end - at)))
			bit++;
		cs_assert(bit <= HOST_SCOPES_MAX);
		if (scope_names[bit] == NULL)
			return CS_ERR_INVALID;
		key->scopes |= 1u << bit;
		at = end + 1;
	}
	return CS_OK;
}

static enum cs_err parse_line(struct host_api_keys *keys, struct cs_bytes line, uint32_t number,
			      const char *const *scope_names, struct cs_why *why)
{
	struct host_api_key key = {0};
	struct cs_bytes name = next_word(&line);
	if (name.n == 0)
		return CS_OK;
	struct cs_bytes scopes = next_word(&line);
	struct cs_bytes hash = next_word(&line);
	if (parse_name(&key, name) != CS_OK || next_word(&line).n > 0 ||
	    hash.n != 2 * sizeof key.hash || cs_unhex(key.hash.b, sizeof key.hash.b, hash) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED,
			       "line %u: expected `name scope,scope sha256hex`", number);
	if (parse_scopes(&key, scopes, scope_names) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "line %u: unknown scope", number);
	for (uint32_t i = 0; i < keys->count; i++)
		if (strcmp(keys->keys[i].name, key.name) == 0 ||
		    cs_hash_eq(&keys->keys[i].hash, &key.hash))
			return cs_fail(why, CS_ERR_DUPLICATE,
				       "line %u: this name or key is there already", number);
	if (keys->count == HOST_API_KEYS_MAX)
		return cs_fail(why, CS_ERR_FULL, "line %u: more than %u keys", number,
			       HOST_API_KEYS_MAX);
	keys->keys[keys->count++] = key;
	return CS_OK;
}

enum cs_err host_api_keys_parse(struct host_api_keys *keys, struct cs_bytes text,
				const char *const *scope_names, struct cs_why *why)
{
	struct host_api_keys read = {0};
	uint32_t number = 0;
	size_t at = 0;
	while (at < text.n) {
		size_t end = at;
		size_t comment = SIZE_MAX;
		for (; end < text.n && text.p[end] != '\n'; end++)
			if (text.p[end] == '#' && comment == SIZE_MAX)
				comment = end;
		size_t stop = comment < end ? comment : end;
		CS_TRY(parse_line(&read, cs_bytes(text.p + at, stop - at), ++number, scope_names,
				  why));
		at = end + 1;
	}
	*keys = read;
	return CS_OK;
}

enum cs_err host_api_keys_load(struct host_api_keys *keys, const char *path,
			       const char *const *scope_names, struct cs_why *why)
{
	uint8_t *text = NULL;
	size_t size = 0;
	CS_TRY(host_file_load_own(&text, &size, path, FILE_SIZE_MAX, 022, why));
	enum cs_err err = host_api_keys_parse(keys, cs_bytes(text, size), scope_names, why);
	free(text);
	return err;
}

enum cs_err host_api_keys_check(const struct host_api_key **found, const struct host_api_keys *keys,
				const char *authorization, uint32_t scopes)
{
	const struct host_api_key *match = NULL;
	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return CS_ERR_UNAUTHORIZED;
	struct cs_hash hash = cs_sha256(cs_bytes_str(authorization + 7));
	for (uint32_t i = 0; i < keys->count; i++)
		if (cs_ct_eq(keys->keys[i].hash.b, hash.b, sizeof hash.b))
			match = &keys->keys[i];
	if (match == NULL)
		return CS_ERR_UNAUTHORIZED;
	if ((match->scopes & scopes) != scopes)
		return CS_ERR_FORBIDDEN;
	*found = match;
	return CS_OK;
}

void host_api_key_lacks(char text[HOST_API_KEY_LACKS_MAX], uint32_t scopes,
			const char *const *scope_names)
{
	size_t n = (size_t)snprintf(text, HOST_API_KEY_LACKS_MAX, "the API key lacks the scope");
	const char *before = " ";
	for (uint32_t bit = 0; scope_names != NULL && scope_names[bit] != NULL; bit++) {
		if ((scopes >> bit & 1) == 0 || n >= HOST_API_KEY_LACKS_MAX)
			continue;
		n += (size_t)snprintf(text + n, HOST_API_KEY_LACKS_MAX - n, "%s%s", before,
				      scope_names[bit]);
		before = ", ";
	}
}

bool host_api_keys_still(const struct host_api_keys *keys, const struct cs_hash *hash,
			 uint32_t scopes)
{
	for (uint32_t i = 0; i < keys->count; i++)
		if (cs_hash_eq(&keys->keys[i].hash, hash))
			return (keys->keys[i].scopes & scopes) == scopes;
	return false;
}
