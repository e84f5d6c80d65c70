/* Where a request may go: which hosts and targets have the right form, and where a redirect leads. */
#ifndef ENCLAVE_FETCH_PLACE_H
#define ENCLAVE_FETCH_PLACE_H

#include "enclave/fetch/fetch.h"

#define PLACE_HOST_SIZE_MAX 253u
#define PLACE_URL_SIZE_MAX (8u + PLACE_HOST_SIZE_MAX + 6u + FETCH_TARGET_SIZE_MAX)

/* One hop; texts are terminated. */
struct place {
	char host[PLACE_HOST_SIZE_MAX + 1];
	uint16_t port;
	char target[FETCH_TARGET_SIZE_MAX + 1];
};

/* A name in lower-case ASCII, or an IPv4 address; a name whose last label is a number would be read as
 * an address by some resolver and is none here. */
bool place_host_is_well_formed(struct cs_bytes host);
/* OK or NOT_ALLOWED; host is well formed. */
enum wire_oracle_code place_host_is_allowed(struct cs_bytes host, bool literals,
					    bool private_places);
/* Begins with '/', visible ASCII, no fragment, within FETCH_TARGET_SIZE_MAX. */
bool place_target_is_well_formed(struct cs_bytes target);
/* "https://host:port/target" */
void place_url(char url[PLACE_URL_SIZE_MAX + 1], const struct place *place);
bool place_is_same_origin(const struct place *place, const struct fetch_host *host);
/* Where a Location leads from `from` (RFC 3986, 5): false when it is no https URL that this client
 * would ask, or has a user. */
bool place_redirect(struct place *to, const struct place *from, const char *location);

#endif
