#include "enclave/cluster/channel.h"

#include <openssl/evp.h>

enum cs_err channel_port_new(struct channel_port **out, const struct cs_secret *key,
			     struct cs_bytes certificate, channel_judge *judge, void *context)
{
	const struct channel_settings settings = {
		.key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->b, 32),
		.certificate = certificate,
		.signatures = "ed25519",
		.judge = judge,
		.context = context,
		.plain_size_max = CHANNEL_PLAIN_SIZE_MAX,
		.handshake_size_max = CHANNEL_HANDSHAKE_SIZE_MAX,
	};
	const enum cs_err err =
		settings.key == NULL ? CS_ERR_CRYPTO : channel_port_open(out, &settings);
	EVP_PKEY_free(settings.key);
	return err;
}
