/* Text with placeholders: "{0}" to "{7}" are arguments, "{secret:NAME}" secrets, "{{" and "}}"
 * braces. This reads them; who puts the values in is enclave/oracle/substitute.h. */
#ifndef WIRE_TEMPLATE_H
#define WIRE_TEMPLATE_H

#include "core/bytes.h"

enum wire_piece_kind {
	WIRE_PIECE_TEXT,
	WIRE_PIECE_ARGUMENT,
	WIRE_PIECE_SECRET,
};

struct wire_piece {
	enum wire_piece_kind kind;
	struct cs_bytes text; /* TEXT: literal; SECRET: its name */
	size_t index;         /* ARGUMENT */
};

/* Takes the next piece off rest, which is not empty. A name is 1 to
 * WIRE_SPEC_SECRET_NAME_SIZE_MAX of a-z, A-Z, 0-9, '_', '-'. MALFORMED for any other brace. */
CS_NODISCARD enum cs_err wire_template_next(struct wire_piece *piece, struct cs_bytes *rest);

#endif
