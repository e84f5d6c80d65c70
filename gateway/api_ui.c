/* GET /ui: the page that operators look at, and its files, as they are in ui/. It asks this API alone, with
 * the key that the operator types, and loads nothing from elsewhere: its policy says so to the browser. */
#include "gateway/gateway.h"

#include <string.h>

/* Scripts and styles are the files beside it, never inline; what is built is built without markup in text
 * (trusted types), so that no name or payload of a stranger becomes a script. */
#define POLICY                                                                          \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " \
	"require-trusted-types-for 'script'; trusted-types 'none'"

#define UI_FILES(X)                                            \
	X(index, "index.html", "text/html; charset=utf-8")     \
	X(style, "style.css", "text/css; charset=utf-8")       \
	X(icon, "icon.svg", "image/svg+xml")                   \
	X(app, "app.js", "text/javascript; charset=utf-8")     \
	X(api, "api.js", "text/javascript; charset=utf-8")     \
	X(dom, "dom.js", "text/javascript; charset=utf-8")     \
	X(judge, "judge.js", "text/javascript; charset=utf-8") \
	X(views, "views.js", "text/javascript; charset=utf-8")

#define DECLARE(id, file, type)                       \
	extern const unsigned char gateway_ui_##id[]; \
	extern const size_t gateway_ui_##id##_size;
UI_FILES(DECLARE)
#undef DECLARE

static const struct {
	const char *name;
	const char *type;
	const unsigned char *bytes;
	const size_t *size;
} files[] = {
#define ROW(id, file, type) {file, type, gateway_ui_##id, &gateway_ui_##id##_size},
	UI_FILES(ROW)
#undef ROW
};

static void reply_file(struct host_http_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < CS_LEN(files); i++) {
		if (strcmp(files[i].name, name) != 0)
			continue;
		host_http_reply_header(exchange, "Content-Security-Policy", POLICY);
		host_http_reply_header(exchange, "Referrer-Policy", "no-referrer");
		host_http_reply_header(exchange, "Cross-Origin-Opener-Policy", "same-origin");
		host_http_reply_file(exchange, files[i].type,
				     cs_bytes(files[i].bytes, *files[i].size));
		return;
	}
	host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "no file of the page");
}

static void get_page(void *context, struct host_http_exchange *exchange)
{
	(void)context;
	reply_file(exchange, "index.html");
}

static void get_file(void *context, struct host_http_exchange *exchange)
{
	(void)context;
	reply_file(exchange, host_http_param(exchange, "file"));
}

/* Who asks for nothing in particular: a reader's browser goes on to the page, a program sees what there is. */
static void get_root(void *context, struct host_http_exchange *exchange)
{
	(void)context;
	host_http_reply_header(exchange, "Location", "ui");
	host_http_reply_json(exchange, 303,
			     json_pack("{s:s,s:s,s:s}", "ui", "/ui", "docs", "/docs", "openapi",
				       "/openapi.json"));
}

void gateway_api_ui_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "GET", "/?", 0, get_root, gateway);
	host_http_server_route(gateway->server, "GET", "/ui?", 0, get_page, gateway);
	host_http_server_route(gateway->server, "GET", "/ui/{file}?", 0, get_file, gateway);
}
