/* caisson-evidence: evidence of this machine about a key that somebody else holds, once, and over. For a ledger's
 * node, which is HOST and links nothing of the enclave (docs/adr/0060-evidence-between-ledger-nodes.md). Holds no
 * secret, judges nothing, listens to nobody.
 *
 *	caisson-evidence --tee BACKEND --spki HEX --report HEX --measurement HEX [--tee-state FOLDER]
 *
 * writes the content of TCG DICE's extension (enclave/ratls.h) to descriptor 3. */
#include "enclave/insecure.h"
#include "enclave/process.h"
#include "enclave/ratls.h"
#include "enclave/tee_quoter.h"

#include <string.h>

#define OUT_FD 3
#define SPKI_SIZE_MAX 128u
#define EXTENSION_SIZE_MAX (TEE_EVIDENCE_SIZE_MAX + RATLS_CLAIMS_SIZE_MAX + 16u)

/* Of the quoting process's sandbox: what a secret would need, and there is none here. */
#define TOLERATED \
	(ENCLAVE_INSECURE_network | ENCLAVE_INSECURE_new_privileges | ENCLAVE_INSECURE_core_dumps)

struct arguments {
	const char *backend;
	const struct tee_hardware *hardware; /* NULL: simulated */
	struct tee_place place;
	uint8_t spki[SPKI_SIZE_MAX];
	size_t spki_size;
	struct cs_hash report;
	struct cs_hash measurement; /* the asker's claim; hardware knows better */
	bool has_report, has_measurement;
};

static bool take_hash(struct cs_hash *hash, bool *has, const char *text)
{
	*has = cs_unhex(hash->b, sizeof hash->b, cs_bytes_str(text)) == CS_OK;
	return *has;
}

static bool take_spki(struct arguments *args, const char *text)
{
	const size_t digits = strlen(text);
	args->spki_size = digits / 2;
	return digits > 0 && digits % 2 == 0 && args->spki_size <= SPKI_SIZE_MAX &&
	       cs_unhex(args->spki, args->spki_size, cs_bytes_str(text)) == CS_OK;
}

static bool take_backend(struct arguments *args, const char *name)
{
	args->backend = name;
	args->hardware = tee_hardware_find(name);
	return args->hardware != NULL || strcmp(name, tee_simulated.backend) == 0;
}

static bool take_option(struct arguments *args, const char *name, const char *value)
{
	if (strcmp(name, "--tee") == 0)
		return take_backend(args, value);
	if (strcmp(name, "--spki") == 0)
		return take_spki(args, value);
	if (strcmp(name, "--report") == 0)
		return take_hash(&args->report, &args->has_report, value);
	if (strcmp(name, "--measurement") == 0)
		return take_hash(&args->measurement, &args->has_measurement, value);
	if (strcmp(name, "--tee-state") != 0)
		return false;
	args->place.state = value;
	return true;
}

static bool take_arguments(struct arguments *args, int argc, char **argv)
{
	*args = (struct arguments){.backend = NULL};
	for (int i = 1; i < argc; i += 2)
		if (i + 1 == argc || !take_option(args, argv[i], argv[i + 1]))
			return false;
	const bool needs_state = args->hardware != NULL && args->hardware->needs_state;
	return args->backend != NULL && args->spki_size > 0 && args->has_report &&
	       args->has_measurement && needs_state == (args->place.state != NULL);
}

static enum cs_err make(struct cs_buf *out, const struct arguments *args, struct cs_why *why)
{
	uint8_t claims_memory[RATLS_CLAIMS_SIZE_MAX], report_data[WIRE_REPORT_DATA_SIZE];
	static uint8_t evidence_memory[TEE_EVIDENCE_SIZE_MAX];
	struct cs_buf claims, evidence;
	struct tee tee = tee_simulated;
	cs_buf_init(&claims, claims_memory, sizeof claims_memory);
	cs_buf_init(&evidence, evidence_memory, sizeof evidence_memory);
	CS_TRY(ratls_claims(&claims, cs_bytes(args->spki, args->spki_size), &args->report));
	ratls_report_data(report_data, cs_buf_view(&claims));
	if (args->hardware != NULL)
		CS_TRY(tee_start(&tee, args->hardware, &args->place, TOLERATED, why));
	CS_TRY(tee.evidence(&tee, &evidence, report_data, &args->measurement, why));
	return ratls_tagged(out, cs_buf_view(&evidence), cs_buf_view(&claims));
}

int main(int argc, char **argv)
{
	static uint8_t memory[EXTENSION_SIZE_MAX];
	struct arguments args;
	struct cs_why why = {{0}};
	struct cs_buf out;
	process_name("caisson-evidence");
	if (!take_arguments(&args, argc, argv)) {
		process_say("usage: --tee simulated|gramine|tsm|tpm --spki HEX --report HEX "
			    "--measurement HEX [--tee-state FOLDER]",
			    "");
		return EXIT_USAGE;
	}
	cs_buf_init(&out, memory, sizeof memory);
	const enum cs_err err = make(&out, &args, &why);
	if (err != CS_OK)
		return process_fail(EXIT_TEE, err, &why);
	if (!process_write_all(OUT_FD, out.p, out.n)) {
		process_say("descriptor 3 cannot be written", "");
		return EXIT_FAILED;
	}
	return 0;
}
