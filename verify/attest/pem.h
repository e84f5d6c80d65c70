/* PEM (RFC 7468): blocks of base64 between lines of dashes, text around them passed over. */
#ifndef ATTEST_PEM_H
#define ATTEST_PEM_H

#include "core/arena.h"

/* The next block of text: its label ("CERTIFICATE", a view) and its bytes, in the arena; *text moves
 * behind it. NOT_FOUND: no further block; MALFORMED: one that does not end or decode; NO_MEMORY. */
CS_NODISCARD enum cs_err pem_next(struct cs_bytes *text, struct cs_bytes *label,
				  struct cs_bytes *bytes, struct cs_arena *arena);
/* The text holds the beginning of a block. */
bool pem_is_there(struct cs_bytes text);

#endif
