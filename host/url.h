/* What of a URL may be shown to people: a provider's key may be in its user, its path and its query. For
 * text alone: whom a request goes to, the client that sends it decides by its own parser. */
#ifndef HOST_URL_H
#define HOST_URL_H

#include "core/base.h"

/* Shorter runs of characters are no keys. */
#define HOST_URL_KEY_MIN 8u
#define HOST_URL_CUT_MIN 4u

/* scheme://host:port as they are written, malloc'd: without user, path, query and fragment (RFC 3986, 3).
 * "" for what has no scheme. */
char *host_url_origin(const char *url);

/* Overwrites with * what of a text is in the URL's user, path, query or fragment: each run of
 * HOST_URL_KEY_MIN or more unreserved characters there (RFC 3986, 2.3), and at the end of the text, which
 * may have been cut, the first HOST_URL_CUT_MIN or more of one. For what a server answers: it may repeat
 * the key that it did not take. */
void host_url_hide(char *text, const char *url);

#endif
