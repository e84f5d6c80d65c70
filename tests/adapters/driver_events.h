/* What the driver prints of an event. */
#ifndef TESTS_ADAPTERS_DRIVER_EVENTS_H
#define TESTS_ADAPTERS_DRIVER_EVENTS_H

#include "adapters/adapter.h"

#include <jansson.h>

/* A new reference. */
json_t *driver_event_json(const struct adapter_event *event);
/* {"against_other", "against_ours"}: what people are shown of each, and its "bytes". */
json_t *driver_evidence_json(const struct adapter_evidence *evidence);

#endif
