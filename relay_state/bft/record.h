/* Inputs of the engine as bytes of the log: what BFT_EFFECT_LOG carries and bft_replay reads. Only
 * what changes the state of a height is ever logged. */
#ifndef BFT_RECORD_H
#define BFT_RECORD_H

#include "relay_state/bft/bft.h"

/* Fixed fields around the bytes of an event. */
#define BFT_RECORD_OVERHEAD 320u

/* Of TIMEOUT, MESSAGE, PREPARED, PROCESSED, EXTENDED, EXTENSION_VERIFIED, SIGNED, SIGN_REFUSED and
 * START (the lock that the signer remembered); another type is a bug. height: the one in work. */
void bft_record_encode(struct cs_buf *buf, const struct bft_event *event, int64_t height);
/* Views point into the record. MALFORMED, TRUNCATED, TRAILING. */
CS_NODISCARD enum cs_err bft_record_decode(struct bft_event *event, int64_t *height,
					   struct cs_bytes record);

#endif
