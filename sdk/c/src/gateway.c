#include "core/ct.h"
#include "sdk/c/src/inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 30000u
#define PATIENCE_MS 10000u
#define NEVER UINT32_MAX

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool there = curl_url_get(url, part, &text, 0) == CURLUE_OK && text && *text;
	curl_free(text);
	return there;
}

static bool is_http(CURLU *url)
{
	char *scheme = NULL;
	bool good = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && scheme &&
		    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	return good;
}

static enum caisson_err check_url(const char *text, struct caisson_error *error)
{
	enum caisson_err err = CAISSON_OK;
	CURLU *url = curl_url();
	if (!url)
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	if (!text || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK || !is_http(url) ||
	    !has_part(url, CURLUPART_HOST))
		err = fail_as(error, CAISSON_INVALID,
			      "the address does not begin with http:// or https:// and a host");
	else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		err = fail_as(error, CAISSON_INVALID,
			      "the address has a name or password in it, which would show in logs");
	else if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
		err = fail_as(error, CAISSON_INVALID, "the address has a query or fragment");
	curl_url_cleanup(url);
	return err;
}

static bool is_key(const char *text)
{
	if (!text || !*text || strlen(text) > API_KEY_SIZE_MAX)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static char *authorization_of(const char *api_key)
{
	static const char before[] = "Authorization: Bearer ";
	size_t size = sizeof(before) + strlen(api_key);
	char *text = malloc(size);
	if (text)
		(void)snprintf(text, size, "%s%s", before, api_key);
	return text;
}

enum caisson_err caisson_gateway_new(struct caisson_gateway **out,
				     const struct caisson_options *options,
				     struct caisson_error *error)
{
	enum caisson_err err = check_url(options->url, error);
	if (err != CAISSON_OK)
		return err;
	if (!is_key(options->api_key))
		return fail_as(error, CAISSON_INVALID,
			       "the API key is empty, or has characters that no key has");
	struct caisson_gateway *gateway = calloc(1, sizeof(*gateway));
	if (!gateway)
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	gateway->url = strdup(options->url);
	gateway->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
	gateway->authorization = authorization_of(options->api_key);
	gateway->curl = curl_easy_init();
	gateway->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
	gateway->patience_ms = options->patience_ms == NEVER ? 0
			       : options->patience_ms        ? options->patience_ms
							     : PATIENCE_MS;
	if (!gateway->url || !gateway->authorization || !gateway->curl ||
	    (options->ca_file && !gateway->ca_file)) {
		caisson_gateway_free(gateway);
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	}
	for (size_t n = strlen(gateway->url); gateway->url[n - 1] == '/'; n--)
		gateway->url[n - 1] = 0;
	*out = gateway;
	return CAISSON_OK;
}

/* Without the white space at its end; cut where it is above the size of a key. False: errno says why. */
static bool read_key(char key[API_KEY_SIZE_MAX + 2], const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	/* Not through a buffer that nobody wipes. */
	setvbuf(file, NULL, _IONBF, 0);
	size_t n = fread(key, 1, API_KEY_SIZE_MAX + 1, file);
	int failed = ferror(file) ? errno : 0;
	fclose(file);
	errno = failed;
	while (n > 0 && strchr(" \t\r\n", key[n - 1]))
		n--;
	key[n] = 0;
	return failed == 0;
}

/* Set to nothing is not set. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

enum caisson_err caisson_gateway_from_environment(struct caisson_gateway **gateway,
						  struct caisson_error *error)
{
	char key[API_KEY_SIZE_MAX + 2];
	const char *url = variable("CAISSON_URL");
	const char *path = variable("CAISSON_API_KEY_FILE");
	if (!url || !path)
		return fail_as(error, CAISSON_INVALID, "%s is not set",
			       url ? "CAISSON_API_KEY_FILE" : "CAISSON_URL");
	if (!read_key(key, path))
		return fail_as(error, CAISSON_INVALID,
			       "the key file that CAISSON_API_KEY_FILE names cannot be read: "
			       "%.160s: %s",
			       path, strerror(errno));
	enum caisson_err err = CAISSON_OK;
	struct caisson_options options = {.url = url, .api_key = key};
	if (is_key(key))
		err = caisson_gateway_new(gateway, &options, error);
	else
		err = fail_as(error, CAISSON_INVALID,
			      "the file that CAISSON_API_KEY_FILE names holds no API key: %.160s",
			      path);
	cs_wipe(key, sizeof(key));
	return err;
}

void caisson_gateway_free(struct caisson_gateway *gateway)
{
	if (!gateway)
		return;
	if (gateway->authorization)
		cs_wipe(gateway->authorization, strlen(gateway->authorization));
	curl_easy_cleanup(gateway->curl);
	free(gateway->authorization);
	free(gateway->ca_file);
	free(gateway->url);
	free(gateway);
}
