/* Prepares a message, for a wallet to sign: prints the gateway's answer, with the transactions and the
 * request's id by which the message is watched.
 *
 *     ./prepare eip155:31338:0x… "some text" 0xSENDER */
#include <caisson/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct caisson_error error;
	struct caisson_gateway *gateway = NULL;
	struct caisson_answer *request = NULL;
	char *text = NULL;
	if (argc != 4) {
		fprintf(stderr, "prepare ACCOUNT TEXT SENDER\n");
		return 2;
	}
	struct caisson_send send = {.mode = CAISSON_PREPARE,
				    .to = argv[1],
				    .payload = argv[2],
				    .payload_size = strlen(argv[2]),
				    .from = argv[3]};
	if (caisson_gateway_from_environment(&gateway, &error) == CAISSON_OK &&
	    caisson_send_message(gateway, &request, &send, &error) == CAISSON_OK)
		text = caisson_answer_json(request);
	else
		fprintf(stderr, "%s\n", error.text);
	if (text)
		puts(text);
	free(text);
	caisson_answer_free(request);
	caisson_gateway_free(gateway);
	return text ? 0 : 3;
}
