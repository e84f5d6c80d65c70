#include "enclave/fetch/request.h"

#include "enclave/fetch/place.h"

#include <string.h>

static bool is_among(struct cs_bytes name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (cs_bytes_eq(name, cs_bytes_str(*names)))
			return true;
	return false;
}

static bool header_is_well_formed(const struct fetch_header *header)
{
	/* Framing and addressing are this client's; nothing is decompressed. */
	static const char *const ours[] = {
		"host",   "connection",      "content-length", "transfer-encoding", "te", "upgrade",
		"expect", "accept-encoding", "trailer",        "keep-alive",        NULL};
	const struct cs_bytes proxy = cs_bytes_str("proxy-");
	if (header->name.n == 0 || header->name.n > 256 || header->value.n > FETCH_HEADER_SIZE_MAX)
		return false;
	for (size_t i = 0; i < header->name.n; i++) {
		const uint8_t c = header->name.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	for (size_t i = 0; i < header->value.n; i++)
		if ((header->value.p[i] < ' ' && header->value.p[i] != '\t') ||
		    header->value.p[i] == 0x7f)
			return false;
	return !is_among(header->name, ours) &&
	       (header->name.n < proxy.n || memcmp(header->name.p, proxy.p, proxy.n) != 0);
}

static enum wire_oracle_code check_host(const struct fetch_host *host, bool literals,
					bool private_places)
{
	if (host->port == 0 || !place_host_is_well_formed(host->name))
		return WIRE_ORACLE_SPEC_INVALID;
	return place_host_is_allowed(host->name, literals, private_places);
}

enum wire_oracle_code request_check(const struct fetch_request *request, bool literals,
				    bool private_places)
{
	if (!place_target_is_well_formed(request->target) ||
	    request->header_count > FETCH_HEADERS_MAX || request->host_count > FETCH_HOSTS_MAX ||
	    request->pin_count > FETCH_PINS_MAX || request->body.n > FETCH_BODY_SIZE_MAX ||
	    (!request->post && request->body.n != 0) ||
	    request->limits.response_size_max > FETCH_RESPONSE_SIZE_MAX ||
	    request->limits.total_ms > FETCH_TOTAL_MS_MAX)
		return WIRE_ORACLE_SPEC_INVALID;
	for (size_t i = 0; i < request->header_count; i++)
		if (!header_is_well_formed(&request->headers[i]))
			return WIRE_ORACLE_SPEC_INVALID;
	enum wire_oracle_code code = check_host(&request->host, literals, private_places);
	for (size_t i = 0; i < request->host_count && code == WIRE_ORACLE_OK; i++)
		code = check_host(&request->hosts[i], literals, private_places);
	return code;
}
