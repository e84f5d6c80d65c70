/* Verifies an envelope by keys that you trust: no gateway is asked, and none is believed.
 *
 *     caisson envelope 0x… > envelope.json
 *     ./verify envelope.json KEY OUTCOME_KEY [--insecure-domain]
 *
 * KEY is what the destination's contract has for the signer (keyOf(signer, epoch)), OUTCOME_KEY what
 * the source's has; the proof is as good as the node that you asked. --insecure-domain takes what
 * simulated enclaves signed. */
#include <caisson/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_hex(const char *what, const uint8_t *bytes, size_t size)
{
	printf("%s 0x", what);
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

static const char *outcome_name(enum caisson_outcome outcome)
{
	switch (outcome) {
	case CAISSON_DELIVERED:
		return "delivered";
	case CAISSON_DEAD:
		return "dead";
	case CAISSON_NO_OUTCOME:
		break;
	}
	return "not signed yet";
}

static void print_verified(const struct caisson_verified *verified)
{
	print_hex("message  ", verified->id, sizeof(verified->id));
	printf("sender    %s\nrecipient %s\n", verified->sender, verified->recipient);
	print_hex("payload  ", verified->payload, verified->payload_size);
	printf("outcome   %s\n", outcome_name(verified->outcome));
	if (verified->signature.insecure || verified->outcome_signature.insecure)
		puts("INSECURE: signed under the domain of simulated or insecure enclaves");
}

int main(int argc, char **argv)
{
	struct caisson_error error;
	struct caisson_verified *verified = NULL;
	if (argc < 4 || argc > 5 || (argc == 5 && strcmp(argv[4], "--insecure-domain") != 0)) {
		fprintf(stderr, "verify FILE KEY OUTCOME_KEY [--insecure-domain]\n");
		return 2;
	}
	FILE *file = fopen(argv[1], "rb");
	/* One byte more: what is too large is seen to be. */
	char *document = malloc(CAISSON_ENVELOPE_SIZE_MAX + 1);
	if (!file || !document) {
		fprintf(stderr, "%s: cannot be read\n", argv[1]);
		return 2;
	}
	size_t size = fread(document, 1, CAISSON_ENVELOPE_SIZE_MAX + 1, file);
	struct caisson_keys keys = {
		.key = argv[2], .outcome_key = argv[3], .insecure_domain = argc == 5};
	int code = 0;
	if (caisson_verify_envelope(&verified, document, size, &keys, &error) == CAISSON_OK) {
		print_verified(verified);
	} else {
		printf("does NOT verify: %s\n", error.text);
		code = 6;
	}
	caisson_verified_free(verified);
	free(document);
	fclose(file);
	return code;
}
