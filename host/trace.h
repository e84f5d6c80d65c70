/* Who carries a request: the headers traceparent and tracestate of W3C Trace Context (Recommendation, 23
 * November 2021). We record no spans of our own, so that what is passed on is what came. */
#ifndef HOST_TRACE_H
#define HOST_TRACE_H

#include "core/err.h"

#define HOST_TRACEPARENT_SIZE 56u /* 00-<32>-<16>-<2> and a zero */
/* 3.3.1.5 wants 512 characters at least to be passed on; more of them are nobody's. */
#define HOST_TRACESTATE_SIZE 513u
#define HOST_TRACESTATE_MEMBERS_MAX 32u /* 3.3.1.1 */

struct host_trace {
	char parent[HOST_TRACEPARENT_SIZE]; /* "": nobody said */
	char state[HOST_TRACESTATE_SIZE];   /* "": none; there beside a parent alone */
};

/* The value of traceparent, in the form of version 00 (3.2 and 3.3): flags that the Recommendation and its
 * second level do not define are zero. MALFORMED: it must be ignored. Of a later version the parts that are
 * known are taken, as 4.3 wants. */
CS_NODISCARD enum cs_err host_traceparent_parse(char parent[HOST_TRACEPARENT_SIZE],
						const char *text);
/* Another header's value of tracestate (3.3: they are one list, in their order) behind what was taken of those
 * before it, without white space around members and without empty ones. MALFORMED: a member is not as 3.3.1
 * says, a key is there twice, or a limit above is passed: the whole of it must be ignored. */
CS_NODISCARD enum cs_err host_tracestate_add(char state[HOST_TRACESTATE_SIZE], const char *text);
/* Both, as a journal or a peer has them; NULL: none. A state that is not right, or is there without a parent,
 * is left out; so is everything where the parent is not right. */
void host_trace_read(struct host_trace *trace, const char *parent, const char *state);

#endif
