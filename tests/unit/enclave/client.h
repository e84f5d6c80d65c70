/* What tests of light clients ask the enclave of a small world. */
#ifndef TESTS_UNIT_ENCLAVE_CLIENT_H
#define TESTS_UNIT_ENCLAVE_CLIENT_H

#include "world.h"

static inline void update(struct world *w, const struct cs_bytes *headers, size_t count,
			  const char *error)
{
	Caisson__Wire__ClientUpdateRequest in = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	ProtobufCBinaryData *list = keep((count + 1) * sizeof *list);
	for (size_t i = 0; i < count; i++)
		list[i] = pb(headers[i]);
	in.chain = pb_hash(&w->own);
	in.headers = list;
	in.n_headers = count;
	(void)world_step(w, WIRE_CLIENT_UPDATE, &in.base);
	if (strcmp(cs_err_name(w->err), error) != 0)
		fail_msg("%s (%s) where %s is expected", cs_err_name(w->err), w->why.text, error);
}

static inline Caisson__Wire__ClientStatus status_of(struct world *w)
{
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	const struct cs_hash nonce = {{5}};
	in.nonce = pb_hash(&nonce);
	const Caisson__Wire__HelloReply *out =
		(const Caisson__Wire__HelloReply *)(const void *)world_ok(w, WIRE_HELLO, &in.base);
	assert_int_equal(out->n_clients, 1);
	return *out->clients[0];
}

static inline void import_state(struct world *w, struct cs_bytes sealed)
{
	Caisson__Wire__ImportRequest in = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	in.sealed = pb(sealed);
	(void)world_ok(w, WIRE_IMPORT, &in.base);
}

static inline Caisson__Wire__ClientCreateRequest create_of(struct world *w, struct cs_bytes header)
{
	Caisson__Wire__ClientCreateRequest in = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	in.header = pb(header);
	return in;
}

#endif
