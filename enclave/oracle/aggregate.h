/* One value of several, by the rule of the spec. The result depends on what the sources said,
 * never on their order. */
#ifndef ENCLAVE_ORACLE_AGGREGATE_H
#define ENCLAVE_ORACLE_AGGREGATE_H

#include "wire/spec.h"

struct aggregate_input {
	enum wire_oracle_code code;
	struct cs_bytes value; /* of code OK: the ABI encoding */
};

/* inputs: one for each source of the spec, in its order. Where there is no value and one of the
 * sources failed as a host could make it fail, the code is the smallest of those that are refunded:
 * with that source there might have been one. Else it is the smallest of all, or DISAGREEMENT where
 * enough answered. Where it is OK *value is one of the inputs' and *used has a bit for every source
 * that is part of it (observedAt is the earliest of theirs): the group that agrees, or all whose
 * median was taken. */
enum wire_oracle_code aggregate_value(struct cs_bytes *value, uint32_t *used,
				      const struct wire_spec *spec,
				      const struct aggregate_input *inputs);

/* What the sources have said so far makes a value, and more is only better: k of them have
 * answered, and more than half, so that few that are quick do not decide for those that a rule
 * wants to hear. inputs of sources that have not ended: any code but OK. */
bool aggregate_is_enough(const struct wire_spec *spec, const struct aggregate_input *inputs);

#endif
