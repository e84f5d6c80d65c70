/* The form of the simulated backend's evidence. It proves nothing: it has the life cycle of the
 * others, and appraisal never calls it affirming. */
#ifndef ATTEST_SIMULATED_H
#define ATTEST_SIMULATED_H

#include "verify/attest/evidence.h"

/* With its terminating zero; then the measurement (32 bytes) and the report data (64). */
#define SIMULATED_MARK "caisson/evidence/simulated/v1"

#endif
