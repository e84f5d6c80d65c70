/* What signatures that contracts verify cost beside each other, for relay_state/ledger/gas.h: a Schnorr statement, and Ed25519 with
 * its key parsed; every one of another key, in turns, so that what else the machine does falls on both. Writes one JSON object. */
#include "bench/bench.h"
#include "core/ed25519.h"
#include "core/hash.h"
#include "core/sig.h"
#include "relay_state/ledger/gas.h"

#include <string.h>

#define SIGNATURES 64u
#define ROUNDS 200u

struct row {
	struct cs_hash digest;
	struct cs_hash x;
	struct cs_schnorr schnorr;
	struct cs_ed25519_key key;
	uint8_t ed25519[CS_ED25519_SIGNATURE_SIZE];
};

static struct row rows[SIGNATURES];
static struct cs_sig *sig;

static void make(struct row *row, uint8_t i)
{
	struct cs_secret secret = {{0}};
	static const struct cs_hash aux;
	row->digest = cs_keccak256(cs_bytes(&i, 1));
	memcpy(secret.b, row->digest.b, sizeof secret.b);
	if (cs_key_x(sig, &row->x, &secret) != CS_OK ||
	    cs_schnorr_sign(sig, &row->schnorr, &secret, &row->digest, &aux) != CS_OK ||
	    cs_ed25519_public(&row->key, &secret) != CS_OK ||
	    cs_ed25519_sign(row->ed25519, &secret, CS_BYTES_OF(row->digest.b)) != CS_OK)
		bench_die("a key cannot be made");
}

static double schnorr(void)
{
	const double begin = bench_cpu();
	for (size_t i = 0; i < SIGNATURES; i++)
		if (cs_schnorr_verify(sig, &rows[i].schnorr, &rows[i].x, &rows[i].digest) != CS_OK)
			bench_die("Schnorr");
	return (bench_cpu() - begin) / SIGNATURES;
}

static double ed25519(void)
{
	const double begin = bench_cpu();
	for (size_t i = 0; i < SIGNATURES; i++)
		if (cs_ed25519_verify(&rows[i].key, CS_BYTES_OF(rows[i].digest.b),
				      CS_BYTES_OF(rows[i].ed25519)) != CS_OK)
			bench_die("Ed25519");
	return (bench_cpu() - begin) / SIGNATURES;
}

int main(void)
{
	static double one[ROUNDS], other[ROUNDS], ratio[ROUNDS];
	sig = cs_sig_new(NULL);
	if (sig == NULL)
		bench_die("out of memory");
	for (size_t i = 0; i < SIGNATURES; i++)
		make(&rows[i], (uint8_t)(i + 1));
	for (size_t i = 0; i < ROUNDS; i++) {
		one[i] = schnorr();
		other[i] = ed25519();
		ratio[i] = other[i] / one[i];
	}
	const double median = bench_median(ratio, ROUNDS);
	printf("{\"schnorr_us\": %.1f, \"ed25519_us\": %.1f, \"ratio\": %.3f, \"gas\": %.0f, "
	       "\"gas_set\": %u}\n",
	       bench_median(one, ROUNDS) * 1e6, bench_median(other, ROUNDS) * 1e6, median,
	       median * LEDGER_GAS_SCHNORR, LEDGER_GAS_ED25519);
	cs_sig_free(sig);
	return 0;
}
