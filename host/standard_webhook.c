#include "host/standard_webhook.h"

#include "core/base64.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define DERIVATION "caisson webhook secret 1"

void host_webhook_secret_text(char text[HOST_WEBHOOK_SECRET_TEXT_SIZE],
			      const struct cs_secret *secret)
{
	_Static_assert(HOST_WEBHOOK_SECRET_TEXT_SIZE == 6 + CS_BASE64_SIZE(32), "text");
	memcpy(text, HOST_WEBHOOK_SECRET_PREFIX, 6);
	(void)cs_base64(text + 6, CS_BYTES_OF(secret->b), CS_BASE64);
}

void host_webhook_sign(char signature[HOST_WEBHOOK_SIGNATURE_SIZE], struct cs_bytes key,
		       const char *id, uint64_t timestamp_s, struct cs_bytes body)
{
	_Static_assert(HOST_WEBHOOK_SIGNATURE_SIZE == 3 + CS_BASE64_SIZE(32), "signature");
	char between[24];
	uint8_t mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	(void)snprintf(between, sizeof between, ".%" PRIu64 ".", timestamp_s);
	(void)crypto_auth_hmacsha256_init(&state, key.p, key.n);
	(void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)id, strlen(id));
	(void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)between, strlen(between));
	(void)crypto_auth_hmacsha256_update(&state, body.p, body.n);
	(void)crypto_auth_hmacsha256_final(&state, mac);
	cs_wipe(&state, sizeof state);
	memcpy(signature, "v1,", 3);
	(void)cs_base64(signature + 3, CS_BYTES_OF(mac), CS_BASE64);
}

void host_webhook_derive(struct cs_secret *secret, const struct cs_secret *key, const char *id,
			 uint32_t version)
{
	crypto_auth_hmacsha256_state state;
	const uint8_t number[4] = {(uint8_t)(version >> 24), (uint8_t)(version >> 16),
				   (uint8_t)(version >> 8), (uint8_t)version};
	(void)crypto_auth_hmacsha256_init(&state, key->b, sizeof key->b);
	/* With their ends, so that no two pairs of texts are one. */
	(void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)DERIVATION, sizeof DERIVATION);
	(void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)id, strlen(id) + 1);
	(void)crypto_auth_hmacsha256_update(&state, number, sizeof number);
	(void)crypto_auth_hmacsha256_final(&state, secret->b);
	cs_wipe(&state, sizeof state);
}
