/* Answers in a later turn: what a request knows at once is told when the request has returned. */
#ifndef ADAPTERS_LATER_H
#define ADAPTERS_LATER_H

#include "host/loop.h"

struct adapter_later;

struct adapter_later *adapter_later_new(struct host_loop *loop);
/* run(context, closing) is called once: in a later turn, or with closing when the adapter ends. */
void adapter_later_add(struct adapter_later *later, void (*run)(void *context, bool closing),
		       void *context);
/* Runs what is open with closing, and what is added from now on. */
void adapter_later_end(struct adapter_later *later);
/* After its end. NULL is allowed. */
void adapter_later_free(struct adapter_later *later);

#endif
