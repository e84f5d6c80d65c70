#include "relay_state/node/time_key.h"

#include "host/alloc.h"
#include "host/keyfile.h"
#include "relay_state/node/chain_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct node_time_key {
	struct cs_sig *sig;
	struct cs_signer signer;
	struct cs_hash x;
};

static enum cs_err get_random(void *p, size_t size, struct cs_why *why)
{
	return getrandom(p, size, 0) == (ssize_t)size
		       ? CS_OK
		       : cs_fail(why, CS_ERR_IO, "no randomness: %s", strerror(errno));
}

/* A context that is blinded by fresh bytes. */
static enum cs_err new_sig(struct cs_sig **sig, struct cs_why *why)
{
	struct cs_secret seed;
	CS_TRY(get_random(seed.b, sizeof seed.b, why));
	*sig = cs_sig_new(&seed);
	cs_wipe(&seed, sizeof seed);
	return *sig != NULL ? CS_OK : CS_ERR_NO_MEMORY;
}

enum cs_err node_time_key_make(const char *path, struct cs_why *why)
{
	struct cs_secret secret;
	struct cs_sig *sig;
	char text[2 * sizeof secret.b + 2];
	CS_TRY(new_sig(&sig, why));
	enum cs_err err;
	/* One of 2^128 is not below the order. */
	do {
		err = get_random(secret.b, sizeof secret.b, why);
	} while (err == CS_OK && !cs_key_is_valid(sig, &secret));
	cs_sig_free(sig);
	if (err == CS_OK) {
		static const char digits[] = "0123456789abcdef";
		for (size_t i = 0; i < sizeof secret.b; i++) {
			text[2 * i] = digits[secret.b[i] >> 4];
			text[2 * i + 1] = digits[secret.b[i] & 15];
		}
		text[sizeof text - 2] = '\n';
		err = node_file_make(path, cs_bytes(text, sizeof text - 1), 0600, why);
	}
	cs_wipe(&secret, sizeof secret);
	cs_wipe(text, sizeof text);
	return err;
}

static enum cs_err fill(struct node_time_key *key, const struct cs_secret *secret, const char *path,
			struct cs_why *why)
{
	CS_TRY(new_sig(&key->sig, why));
	if (cs_key_x(key->sig, &key->x, secret) != CS_OK ||
	    cs_signer_make(key->sig, &key->signer, secret) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "%s holds no key", path);
	return CS_OK;
}

enum cs_err node_time_key_load(struct node_time_key **out, const char *path, struct cs_why *why)
{
	struct cs_secret secret;
	if (access(path, F_OK) != 0 && errno == ENOENT) {
		*out = NULL;
		return CS_OK;
	}
	CS_TRY(host_keyfile_load(&secret, path, why));
	struct node_time_key *key = host_alloc(sizeof *key);
	memset(key, 0, sizeof *key);
	const enum cs_err err = fill(key, &secret, path, why);
	cs_wipe(&secret, sizeof secret);
	if (err != CS_OK) {
		node_time_key_free(key);
		return err;
	}
	*out = key;
	return CS_OK;
}

void node_time_key_free(struct node_time_key *key)
{
	if (key == NULL)
		return;
	cs_sig_free(key->sig);
	cs_wipe(key, sizeof *key);
	free(key);
}

const struct cs_hash *node_time_key_x(const struct node_time_key *key)
{
	return &key->x;
}

enum cs_err node_time_key_sign(const struct node_time_key *key, uint8_t signature[64],
			       const struct cs_hash *digest)
{
	struct cs_hash aux;
	struct cs_schnorr made;
	CS_TRY(get_random(aux.b, sizeof aux.b, NULL));
	CS_TRY(cs_schnorr_sign_by(key->sig, &made, &key->signer, digest, &aux));
	memcpy(signature, made.rx.b, sizeof made.rx.b);
	memcpy(signature + sizeof made.rx.b, made.s.b, sizeof made.s.b);
	return CS_OK;
}
