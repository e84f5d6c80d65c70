#include "enclave/fetch/place.h"

#include "core/ip.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static bool is_alphanumeric(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_label(struct cs_bytes label)
{
	if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_alphanumeric(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return true;
}

static struct cs_bytes last_label(struct cs_bytes host)
{
	size_t begin = host.n;
	while (begin > 0 && host.p[begin - 1] != '.')
		begin--;
	return cs_bytes(host.p + begin, host.n - begin);
}

bool place_host_is_well_formed(struct cs_bytes host)
{
	struct cs_ip ip;
	if (host.n == 0 || host.n > PLACE_HOST_SIZE_MAX)
		return false;
	if (cs_ip4_parse(&ip, host) == CS_OK)
		return true;
	size_t begin = 0;
	for (size_t i = 0; i <= host.n; i++) {
		if (i < host.n && host.p[i] != '.')
			continue;
		if (!is_label(cs_bytes(host.p + begin, i - begin)))
			return false;
		begin = i + 1;
	}
	/* inet_aton reads "127.1" and "0x7f.1"; top-level names begin with a letter (RFC 3696, 2). */
	const uint8_t first = last_label(host).p[0];
	return first >= 'a' && first <= 'z';
}

/* Of the machine, of the link, of a house or a company (RFC 6761, 6762, 8375, ICANN's "internal"); a
 * name without a dot is looked up in the host's own domain. */
static bool is_private_name(struct cs_bytes host)
{
	static const char *const ends[] = {"localhost", "local", "internal", "home.arpa"};
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		const struct cs_bytes end = cs_bytes_str(ends[i]);
		if (host.n > end.n && host.p[host.n - end.n - 1] == '.' &&
		    cs_bytes_eq(cs_bytes(host.p + host.n - end.n, end.n), end))
			return true;
	}
	return memchr(host.p, '.', host.n) == NULL;
}

enum wire_oracle_code place_host_is_allowed(struct cs_bytes host, bool literals,
					    bool private_places)
{
	struct cs_ip ip;
	if (cs_ip4_parse(&ip, host) == CS_OK) {
		if (!literals || (!private_places && !cs_ip_is_public(&ip)))
			return WIRE_ORACLE_NOT_ALLOWED;
		return WIRE_ORACLE_OK;
	}
	return !private_places && is_private_name(host) ? WIRE_ORACLE_NOT_ALLOWED : WIRE_ORACLE_OK;
}

bool place_target_is_well_formed(struct cs_bytes target)
{
	if (target.n == 0 || target.n > FETCH_TARGET_SIZE_MAX || target.p[0] != '/')
		return false;
	for (size_t i = 0; i < target.n; i++)
		if (target.p[i] <= ' ' || target.p[i] >= 0x7f || target.p[i] == '#')
			return false;
	return true;
}

void place_url(char url[PLACE_URL_SIZE_MAX + 1], const struct place *place)
{
	struct cs_buf buf;
	cs_buf_init(&buf, url, PLACE_URL_SIZE_MAX);
	cs_put_text(&buf, "https://%s:%u", place->host, place->port);
	cs_put(&buf, cs_bytes_str(place->target));
	cs_assert(cs_buf_end(&buf) == CS_OK);
	url[buf.n] = '\0';
}

bool place_is_same_origin(const struct place *place, const struct fetch_host *host)
{
	return place->port == host->port && cs_bytes_eq(cs_bytes_str(place->host), host->name);
}

/* A part of the URL; NULL when there is none. */
static char *part(CURLU *url, CURLUPart what, unsigned flags)
{
	char *text = NULL;
	return curl_url_get(url, what, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool take_host(struct place *to, const char *host, const char *port)
{
	const size_t size = strlen(host);
	unsigned number = 0;
	if (size > PLACE_HOST_SIZE_MAX)
		return false;
	for (size_t i = 0; i <= size; i++)
		to->host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
	for (const char *p = port; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || number > 65535)
			return false;
		number = number * 10 + (unsigned)(*p - '0');
	}
	if (number == 0 || number > 65535)
		return false;
	to->port = (uint16_t)number;
	return place_host_is_well_formed(cs_bytes_str(to->host));
}

static bool take_target(struct place *to, const char *path, const char *query)
{
	struct cs_buf buf;
	cs_buf_init(&buf, to->target, FETCH_TARGET_SIZE_MAX);
	cs_put(&buf, cs_bytes_str(path));
	if (query != NULL) {
		cs_put_u8(&buf, '?');
		cs_put(&buf, cs_bytes_str(query));
	}
	if (cs_buf_end(&buf) != CS_OK)
		return false;
	to->target[buf.n] = '\0';
	return place_target_is_well_formed(cs_buf_view(&buf));
}

bool place_redirect(struct place *to, const struct place *from, const char *location)
{
	char base[PLACE_URL_SIZE_MAX + 1];
	CURLU *url = curl_url();
	place_url(base, from);
	if (url == NULL)
		return false;
	bool good = curl_url_set(url, CURLUPART_URL, base, CURLU_PATH_AS_IS) == CURLUE_OK &&
		    curl_url_set(url, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK;
	char *scheme = part(url, CURLUPART_SCHEME, 0);
	char *user = part(url, CURLUPART_USER, 0);
	char *password = part(url, CURLUPART_PASSWORD, 0);
	char *host = part(url, CURLUPART_HOST, 0);
	char *port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	char *path = part(url, CURLUPART_PATH, 0);
	char *query = part(url, CURLUPART_QUERY, 0);
	struct place out;
	good = good && scheme != NULL && strcmp(scheme, "https") == 0 && user == NULL &&
	       password == NULL && host != NULL && port != NULL && path != NULL &&
	       take_host(&out, host, port) && take_target(&out, path, query);
	char *const parts[] = {scheme, user, password, host, port, path, query};
	for (size_t i = 0; i < CS_LEN(parts); i++)
		curl_free(parts[i]);
	curl_url_cleanup(url);
	if (good)
		*to = out;
	return good;
}
