/* Sends tokens from the operator's account of a gateway, and shows each of the eighteen steps as it
 * happens.
 *
 *     cc transfer.c $(pkg-config --cflags --libs caisson) -o transfer
 *     ./transfer eip155:31338:0x… 1000000000000000000
 *
 * CAISSON_URL is the gateway, CAISSON_API_KEY_FILE holds a key with the scopes read, send, sponsor. */
#include <caisson/client.h>
#include <stdio.h>
#include <string.h>

#define END_TIMEOUT_MS 600000

static void on_change(void *context, const struct caisson_answer *message, uint32_t steps)
{
	char path[40];
	(void)context;
	for (unsigned i = 0; i < caisson_answer_count(message, "steps"); i++) {
		if (!(steps >> i & 1))
			continue;
		snprintf(path, sizeof(path), "steps/%u/name", i);
		printf("%3u  %-24s  ", i + 1, caisson_answer_text(message, path));
		snprintf(path, sizeof(path), "steps/%u/skipped", i);
		const char *what = caisson_answer_text(message, path);
		snprintf(path, sizeof(path), "steps/%u/tx", i);
		what = what ? what : caisson_answer_text(message, path);
		puts(what ? what : "");
	}
}

static int transfer(struct caisson_gateway *gateway, const char *to, const char *amount)
{
	struct caisson_error error;
	struct caisson_answer *request = NULL;
	struct caisson_answer *message = NULL;
	struct caisson_send send = {.to = to, .amount = amount, .mode = CAISSON_SPONSORED};
	int code = 3;
	if (caisson_transfer(gateway, &request, &send, &error) != CAISSON_OK ||
	    caisson_wait(gateway, &message, caisson_answer_text(request, "request_id"), NULL,
			 END_TIMEOUT_MS, on_change, NULL, &error) != CAISSON_OK) {
		fprintf(stderr, "%s\n", error.text);
	} else {
		const char *id = caisson_answer_text(message, "id");
		const char *state = caisson_answer_text(message, "state");
		printf("%s: %s\n", id ? id : "never sent", state);
		code = strcmp(state, "finalized") == 0 ? 0 : 6;
	}
	caisson_answer_free(request);
	caisson_answer_free(message);
	return code;
}

int main(int argc, char **argv)
{
	struct caisson_error error;
	struct caisson_gateway *gateway = NULL;
	if (argc != 3) {
		fprintf(stderr, "transfer ACCOUNT AMOUNT\n");
		return 2;
	}
	if (caisson_gateway_from_environment(&gateway, &error) != CAISSON_OK) {
		fprintf(stderr, "%s\n", error.text);
		return 2;
	}
	int code = transfer(gateway, argv[1], argv[2]);
	caisson_gateway_free(gateway);
	return code;
}
