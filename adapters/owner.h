/* What sender and listen ask of the process whose journal they write. context: its chain. */
#ifndef ADAPTERS_OWNER_H
#define ADAPTERS_OWNER_H

#include "host/store.h"

struct adapter_owner {
	/* host_store_write. then: called with write_context after the commit; NULL: what the owner
	 * does after any. */
	enum cs_err (*write)(void *context, host_store_writer *write, void *write_context,
			     host_store_committed *then);
	/* The journal cannot be written: the process ends. */
	void (*fail)(void *context, enum cs_err err, const char *what);
	/* There may be work. */
	void (*wake)(void *context);
};

#endif
