/* Judges what hardware says about an enclave: nobody is asked, and no gateway is believed.
 *
 *     caisson enclave evidence --nonce 5f0c… > evidence.json
 *     ./evidence evidence.json collateral.json policy.json AT
 *
 * AT is the moment in Unix seconds (date +%s). The policy names the builds that you accept, the collateral is the
 * vendor's (docs/attestation.md). A program that asked itself gives its nonce as well. */
#include <caisson/client.h>
#include <stdio.h>
#include <stdlib.h>

static struct caisson_file load(const char *path)
{
	struct caisson_file file = {NULL, 0};
	FILE *in = fopen(path, "rb");
	/* One byte more: what is too large is seen to be. */
	char *bytes = malloc((1u << 20) + 1);
	if (!in || !bytes) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	file.size = fread(bytes, 1, (1u << 20) + 1, in);
	file.bytes = bytes;
	fclose(in);
	return file;
}

int main(int argc, char **argv)
{
	struct caisson_error error;
	struct caisson_answer *verdict = NULL;
	if (argc != 5) {
		fprintf(stderr, "evidence FILE COLLATERAL POLICY AT\n");
		return 2;
	}
	const struct caisson_file collateral = load(argv[2]);
	const struct caisson_evidence evidence = {.evidence = load(argv[1]),
						  .at_s = strtoull(argv[4], NULL, 10),
						  .collateral = &collateral,
						  .collateral_count = 1,
						  .policy = load(argv[3])};
	int code = 0;
	if (caisson_verify_evidence(&verdict, &evidence, &error) == CAISSON_OK) {
		printf("%s, %s: TCB %s\n", caisson_answer_text(verdict, "status"),
		       caisson_answer_text(verdict, "kind"),
		       caisson_answer_text(verdict, "tcb_status"));
	} else {
		printf("NOT affirmed: %s\n", error.text);
		code = 6;
	}
	caisson_answer_free(verdict);
	free((void *)evidence.evidence.bytes);
	free((void *)evidence.policy.bytes);
	free((void *)collateral.bytes);
	return code;
}
