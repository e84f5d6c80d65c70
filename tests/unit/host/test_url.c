/* What of a URL is shown: never what a provider's key may be in. */
#include "host/url.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

static void origins(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		const char *origin;
	} rows[] = {
		{"https://rpc.example.org", "https://rpc.example.org"},
		{"https://rpc.example.org/v3/0123456789abcdef", "https://rpc.example.org"},
		{"wss://rpc.example.org:8546/ws?apikey=k", "wss://rpc.example.org:8546"},
		{"http://127.0.0.1:8545?key=k", "http://127.0.0.1:8545"},
		{"http://[::1]:8545/#key", "http://[::1]:8545"},
		{"https://user:password@rpc.example.org/x", "https://rpc.example.org"},
		{"https://user:p@ss@rpc.example.org", "https://rpc.example.org"},
		{"https://rpc.example.org/at@sign", "https://rpc.example.org"},
		{"https://rpc.example.org\\key@there", "https://rpc.example.org"},
		{"https://?key", "https://"},
		{"https://", "https://"},
		/* No scheme: whatever it is, it is not shown. */
		{"rpc.example.org/key", ""},
		{"key", ""},
		{"", ""},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		char *origin = host_url_origin(rows[i].url);
		assert_string_equal(origin, rows[i].origin);
		free(origin);
	}
}

#define KEY "f00dfeed0123456789"

static void hidden(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		const char *text;
		const char *left;
	} rows[] = {
		{"https://a.example/v3/" KEY, "-32000 invalid project id " KEY "!",
		 "-32000 invalid project id ******************!"},
		{"https://a.example/?k=" KEY "&n=1", KEY " " KEY,
		 "****************** ******************"},
		{"https://user:" KEY "@a.example", "who is " KEY, "who is ******************"},
		{"https://a.example/#" KEY, KEY, "******************"},
		/* cut in its midst, as texts of nodes are */
		{"https://a.example/" KEY, "no key f00dfeed01", "no key **********"},
		{"https://a.example/" KEY, "no key f00d", "no key ****"},
		{"https://a.example/" KEY, "no key f00", "no key f00"},
		/* inside another word */
		{"https://a.example/" KEY, "x" KEY "y", "x******************y"},
		/* the host is no secret, nor is a short word of the path, nor another key */
		{"https://a.example.org/v3/mainnet/" KEY,
		 "a.example.org/v3/mainnet: f00dfeed9876543210!",
		 "a.example.org/v3/mainnet: f00dfeed9876543210!"},
		{"no-url-" KEY, "no-url-" KEY, "no-url-" KEY},
		{"https://a.example/" KEY, "", ""},
		{"https://a.example", "fine", "fine"},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		char text[128];
		(void)snprintf(text, sizeof(text), "%s", rows[i].text);
		host_url_hide(text, rows[i].url);
		assert_string_equal(text, rows[i].left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins),
		cmocka_unit_test(hidden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
