/* Prints every change of every message after a cursor, one line of JSON an event, for ever: over
 * connections that end and gateways that go away.
 *
 *     ./events [CURSOR [COUNT]]
 *
 * Without a cursor what is new from now; with a count it ends after so many. The last line on the error
 * output is the cursor to go on from. */
#include <caisson/client.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool on_event(void *context, const struct caisson_answer *event)
{
	uint64_t *left = context;
	char *text = event ? caisson_answer_json(event) : NULL;
	if (!text)
		return true; /* nothing new */
	puts(text);
	fflush(stdout);
	free(text);
	return --*left > 0;
}

int main(int argc, char **argv)
{
	struct caisson_error error;
	struct caisson_gateway *gateway = NULL;
	uint64_t cursor = argc > 1 ? strtoull(argv[1], NULL, 10) : CAISSON_CURSOR_NOW;
	uint64_t left = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
	int code = 0;
	if (caisson_gateway_from_environment(&gateway, &error) != CAISSON_OK ||
	    caisson_events(gateway, &cursor, on_event, &left, &error) != CAISSON_OK) {
		fprintf(stderr, "%s\n", error.text);
		code = 3;
	} else {
		fprintf(stderr, "%" PRIu64 "\n", cursor);
	}
	caisson_gateway_free(gateway);
	return code;
}
