#include "host/url.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

/* What stands between the scheme and the path: [user@]host. NULL: there is no scheme. */
static const char *authority_of(const char *url, size_t *size)
{
	const char *at = strstr(url, "://");
	if (at == NULL)
		return NULL;
	at += strlen("://");
	/* Some readers take a backslash for a slash: what follows it is no host either. */
	*size = strcspn(at, "/?#\\");
	return at;
}

/* Of an authority, how much is user and @. The last @ ends it, as the strictest readers have it. */
static size_t user_size(const char *authority, size_t size)
{
	for (size_t n = size; n > 0; n--)
		if (authority[n - 1] == '@')
			return n;
	return 0;
}

char *host_url_origin(const char *url)
{
	size_t size = 0;
	const char *authority = authority_of(url, &size);
	if (authority == NULL)
		return host_text("");
	size_t scheme = (size_t)(authority - url);
	size_t user = user_size(authority, size);
	char *origin = host_alloc(scheme + size - user + 1);
	memcpy(origin, url, scheme);
	memcpy(origin + scheme, authority + user, size - user);
	return origin;
}

static void hide_word(char *text, const char *word, size_t size)
{
	size_t text_size = strlen(text);
	for (size_t at = 0; at < text_size; at++) {
		size_t n = text_size - at < size ? text_size - at : size;
		if (n >= (n < size ? HOST_URL_CUT_MIN : size) && memcmp(text + at, word, n) == 0)
			memset(text + at, '*', n);
	}
}

static void hide_words(char *text, const char *part, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t run = strspn(part + at, UNRESERVED);
		run = run > size - at ? size - at : run;
		if (run >= HOST_URL_KEY_MIN)
			hide_word(text, part + at, run);
		at += run > 0 ? run : 1;
	}
}

void host_url_hide(char *text, const char *url)
{
	size_t size = 0;
	const char *authority = authority_of(url, &size);
	if (authority == NULL)
		return;
	hide_words(text, authority, user_size(authority, size));
	hide_words(text, authority + size, strlen(authority + size));
}
