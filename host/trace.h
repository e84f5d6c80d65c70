/* Who carries a request: the header traceparent of W3C Trace Context (Recommendation, 23 November 2021). We
 * record no spans of our own, so that what is passed on is what came. */
#ifndef HOST_TRACE_H
#define HOST_TRACE_H

#include "core/err.h"

#define HOST_TRACE_SIZE 56u /* 00-<32>-<16>-<2> and a zero */

/* The header's value, in the form of version 00 (3.2 and 3.3): flags that the Recommendation and its second
 * level do not define are zero. MALFORMED: it must be ignored. Of a later version the parts that are known are
 * taken, as 4.3 wants. */
CS_NODISCARD enum cs_err host_trace_parse(char trace[HOST_TRACE_SIZE], const char *text);

#endif
