#include "host/resolve.h"

#include "host/alloc.h"
#include "host/loop_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host_resolving {
	uv_getaddrinfo_t request;
	struct host_resolved_to {
		host_resolved *call; /* NULL: nobody waits any more */
		void *context;
	} to;
	uint16_t port;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(const char *name, size_t n)
{
	size_t label = 0;
	bool letter = false;
	for (size_t i = 0; i < n; i++) {
		if (name[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			letter = false;
			continue;
		}
		letter |= is_letter(name[i]);
		if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_' &&
		    (name[i] != '-' || label == 0))
			return false;
		label++;
	}
	return label > 0 && letter;
}

enum cs_err host_name_parse(struct host_name *name, const char *text, struct cs_why *why)
{
	struct host_name read = {.port = 0};
	const char *rest = strncmp(text, "tcp://", 6) == 0 ? text + 6 : text;
	const char *colon = strrchr(rest, ':');
	size_t n = colon != NULL ? (size_t)(colon - rest) : 0;
	if (n == 0 || n > HOST_NAME_SIZE_MAX || !is_name(rest, n))
		return cs_fail(why, CS_ERR_INVALID, "%.100s: no HOST:PORT", text);
	size_t digits = strspn(colon + 1, "0123456789");
	unsigned long port = strtoul(colon + 1, NULL, 10);
	if (digits == 0 || digits > 5 || colon[1 + digits] != 0 || port == 0 || port > UINT16_MAX)
		return cs_fail(why, CS_ERR_INVALID, "%.100s: no port", text);
	memcpy(read.name, rest, n);
	read.port = (uint16_t)port;
	*name = read;
	return CS_OK;
}

/* False: of a family that is none of ours. */
static bool to_address(struct host_address *address, const struct addrinfo *found, uint16_t port)
{
	char text[HOST_ADDRESS_SIZE_MAX], digits[64];
	if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
		return false;
	if (uv_ip_name(found->ai_addr, digits, sizeof digits) != 0)
		return false;
	bool six = found->ai_family == AF_INET6;
	(void)snprintf(text, sizeof text, "%s%s%s:%u", six ? "[" : "", digits, six ? "]" : "",
		       port);
	return host_address_parse(address, text, NULL) == CS_OK;
}

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct host_resolving *r = request->data;
	const struct host_resolved_to to = r->to;
	struct host_address addresses[HOST_RESOLVE_MAX];
	size_t count = 0;
	if (to.call != NULL && status == 0) {
		for (const struct addrinfo *a = found; a != NULL && count < CS_LEN(addresses);
		     a = a->ai_next)
			count += to_address(&addresses[count], a, r->port);
	}
	uv_freeaddrinfo(found);
	free(r);
	if (to.call != NULL)
		to.call(to.context, count > 0 ? CS_OK : CS_ERR_UNAVAILABLE, addresses, count);
}

static void give_up(void *context)
{
	struct host_resolving *r = context;
	r->request.data = r;
	on_addresses(&r->request, UV_EAI_FAIL, NULL);
}

struct host_resolving *host_name_resolve(struct host_loop *loop, const struct host_name *name,
					 host_resolved *resolved, void *context)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct host_resolving *r = host_alloc(sizeof *r);
	r->to = (struct host_resolved_to){resolved, context};
	r->port = name->port;
	char service[8];
	r->request.data = r;
	(void)snprintf(service, sizeof service, "%u", name->port);
	if (uv_getaddrinfo(host_loop_uv(loop), &r->request, on_addresses, name->name, service,
			   &hints) != 0)
		host_post(loop, give_up, r);
	return r;
}

void host_resolve_cancel(struct host_resolving *r)
{
	if (r == NULL)
		return;
	r->to.call = NULL;
	/* What cannot be cancelled any more answers to nobody. */
	(void)uv_cancel((uv_req_t *)&r->request);
}
