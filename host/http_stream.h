/* A reply of http_server.h that goes on: what waits to be taken by libmicrohttpd, piece by piece. Inside
 * host/ only. */
#ifndef HOST_HTTP_STREAM_H
#define HOST_HTTP_STREAM_H

#include "host/http_exchange.h"

/* The response that reads from it; the exchange is that which it answers. */
struct MHD_Response *host_http_stream_new(struct host_http_stream **stream,
					  struct host_http_exchange *exchange, host_call *closed,
					  void *context);
/* The request is over: tells the owner, and frees it. */
void host_http_stream_gone(struct host_http_stream *stream);
/* After what waits there is nothing more; the owner keeps it until it is gone. */
void host_http_stream_finish(struct host_http_stream *stream);

#endif
