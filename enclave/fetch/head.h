/* The head of a response, line by line as libcurl hands it over: framing that could be read in two
 * ways is refused here, before the body counts. Bounded; keeps what the client acts on. */
#ifndef ENCLAVE_FETCH_HEAD_H
#define ENCLAVE_FETCH_HEAD_H

#include "enclave/fetch/fetch.h"

#define HEAD_LOCATION_SIZE_MAX 2048u
/* 1xx responses before the one that counts (RFC 9110, 15.2). */
#define HEAD_INTERIM_MAX 8u

struct head {
	size_t size; /* all lines so far, interim ones and trailers too */
	uint32_t interim;
	uint32_t status;  /* of the last status line; 0: none yet */
	uint32_t version; /* 10, 11, 20 */
	bool ended;       /* the empty line came: what follows are trailers */
	bool has_length;
	bool chunked;
	uint64_t length;
	bool has_location;
	char location[HEAD_LOCATION_SIZE_MAX + 1];
};

/* One line with its end. OK; TOO_LARGE: FETCH_HEAD_SIZE_MAX, a length above size_max; MALFORMED_RESPONSE:
 * a line that is no header, lengths that differ or are no number, a length beside chunks, a transfer
 * coding other than chunked, any content coding (none was offered). */
enum wire_oracle_code head_line(struct head *head, struct cs_bytes line, size_t size_max);

#endif
