/* GET /openapi.json, the description of this API, and GET /docs, the page that is made of it once, at
 * the start: without scripts and without anything from elsewhere. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* api/reference.css */
extern const unsigned char gateway_reference_css[];
extern const size_t gateway_reference_css_size;

#define REFERENCES_MAX 8u
#define NAME_SIZE 160u

/* ---- text ---- */

struct page {
	const json_t *root;
	char *p;
	size_t size;
	size_t room;
};

static void put(struct page *page, const char *text)
{
	page->p = host_append(page->p, &page->size, &page->room, text, strlen(text));
}

static void put_escaped(struct page *page, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *entity = text[i] == '&'   ? "&amp;"
				     : text[i] == '<' ? "&lt;"
				     : text[i] == '>' ? "&gt;"
				     : text[i] == '"' ? "&quot;"
						      : NULL;
		if (entity)
			put(page, entity);
		else
			page->p = host_append(page->p, &page->size, &page->room, text + i, 1);
	}
}

static void put_text(struct page *page, const char *text)
{
	if (text)
		put_escaped(page, text, strlen(text));
}

/* Markup of ours around texts of the description: each %s is escaped. */
__attribute__((format(printf, 2, 3))) static void put_html(struct page *page, const char *format,
							   ...)
{
	va_list args;
	va_start(args, format);
	for (const char *at = strstr(format, "%s"); at; at = strstr(format, "%s")) {
		page->p = host_append(page->p, &page->size, &page->room, format,
				      (size_t)(at - format));
		put_text(page, va_arg(args, const char *));
		format = at + 2;
	}
	va_end(args);
	put(page, format);
}

/* What stands between backticks is code. */
static void put_words(struct page *page, const char *text)
{
	bool code = false;
	while (text && text[0] != 0) {
		size_t n = strcspn(text, "`");
		put_escaped(page, text, n);
		text += n;
		if (text[0] == '`') {
			put(page, code ? "</code>" : "<code>");
			code = !code;
			text++;
		}
	}
}

/* An empty line parts paragraphs. */
static void put_paragraphs(struct page *page, const char *text)
{
	while (text && text[0] != 0) {
		const char *end = strstr(text, "\n\n");
		size_t n = end ? (size_t)(end - text) : strlen(text);
		char *paragraph = (char *)host_copy(cs_bytes(text, n));
		put(page, "<p>");
		put_words(page, paragraph);
		put(page, "</p>\n");
		free(paragraph);
		text = end ? end + 2 : NULL;
	}
}

/* ---- the description ---- */

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* What `$ref` leads to: "#/components/<kind>/<name>". */
static const json_t *follow(const struct page *page, const json_t *object)
{
	for (unsigned i = 0; i < REFERENCES_MAX; i++) {
		const char *to = text_of(object, "$ref");
		const json_t *at = page->root;
		if (!to)
			return object;
		cs_assert(strncmp(to, "#/", 2) == 0);
		for (to += 2; at && to[0] != 0; to += strcspn(to, "/"), to += to[0] == '/') {
			char name[NAME_SIZE];
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(to, "/"), to);
			at = json_object_get(at, name);
		}
		cs_assert(at != NULL);
		object = at;
	}
	cs_bug("a description that refers in a circle", __FILE__, __LINE__);
}

/* A description beside the reference is nearer than that of what it leads to. */
static const char *description_of(const struct page *page, const json_t *object)
{
	const char *own = text_of(object, "description");
	return own ? own : text_of(follow(page, object), "description");
}

static bool is_listed(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), name) == 0)
			return true;
	return false;
}

/* ---- types ---- */

static void put_type(struct page *page, const json_t *schema);

static void put_value(struct page *page, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	put_html(page, "<code>%s</code>", text);
	free(text);
}

static void put_choices(struct page *page, const json_t *list, const char *between,
			void (*each)(struct page *page, const json_t *item))
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		put(page, i > 0 ? between : "");
		each(page, json_array_get(list, i));
	}
}

static void put_type_name(struct page *page, const json_t *name)
{
	put_text(page, json_string_value(name));
}

static void put_bound(struct page *page, const json_t *schema, const char *name, const char *words)
{
	const json_t *value = json_object_get(schema, name);
	if (!value)
		return;
	put(page, words);
	put_value(page, value);
}

/* " of 1 to 128 characters" */
static void put_range(struct page *page, const json_t *schema, const char *least, const char *most,
		      const char *before, const char *unit)
{
	const json_t *from = json_object_get(schema, least);
	const json_t *to = json_object_get(schema, most);
	char text[80] = "";
	const long long low = json_integer_value(from);
	const long long high = json_integer_value(to);
	if (from && to && low != high)
		snprintf(text, sizeof(text), "%s%lld to %lld %s", before, low, high, unit);
	else if (from && to)
		snprintf(text, sizeof(text), "%s%lld %s", before, low, unit);
	else if (from)
		snprintf(text, sizeof(text), "%sat least %lld %s", before, low, unit);
	else if (to)
		snprintf(text, sizeof(text), "%sat most %lld %s", before, high, unit);
	put(page, text);
}

static void put_bounds(struct page *page, const json_t *schema)
{
	put_bound(page, schema, "minimum", ", from ");
	put_bound(page, schema, "maximum", ", to ");
	put_range(page, schema, "minLength", "maxLength", text_of(schema, "type") ? " of " : ", ",
		  "characters");
	put_range(page, schema, "minItems", "maxItems", ", ", "items");
	put_bound(page, schema, "default", ", default ");
	if (text_of(schema, "pattern"))
		put_html(page, ", <code class=pattern>%s</code>", text_of(schema, "pattern"));
}

static void put_reference(struct page *page, const char *to)
{
	const char *name = strrchr(to, '/') + 1;
	put_html(page, "<a href=\"#schema-%s\">%s</a>", name, name);
}

static void put_type(struct page *page, const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type");
	const json_t *any = json_object_get(schema, "anyOf");
	const json_t *one = json_object_get(schema, "oneOf");
	const json_t *all = json_object_get(schema, "allOf");
	if (text_of(schema, "$ref")) {
		put_reference(page, text_of(schema, "$ref"));
	} else if (any || one) {
		put_choices(page, any ? any : one, " or ", put_type);
	} else if (all) {
		put_type(page, json_array_get(all, 0));
	} else if (json_object_get(schema, "const")) {
		put_value(page, json_object_get(schema, "const"));
	} else if (json_object_get(schema, "enum")) {
		put_choices(page, json_object_get(schema, "enum"), ", ", put_value);
	} else if (json_object_get(schema, "items") &&
		   !json_is_false(json_object_get(schema, "items"))) {
		put(page, "list of ");
		put_type(page, json_object_get(schema, "items"));
	} else if (json_object_get(schema, "prefixItems")) {
		put(page, "list: ");
		put_choices(page, json_object_get(schema, "prefixItems"), "; ", put_type);
	} else if (json_is_array(type)) {
		put_choices(page, type, " or ", put_type_name);
	} else {
		put_text(page, type ? json_string_value(type) : "object");
	}
	put_bounds(page, schema);
}

/* ---- members, those of objects inside by their path ---- */

static void put_members(struct page *page, const json_t *schema, const char *prefix);

static void put_member(struct page *page, const char *path, const json_t *schema, bool required)
{
	put_html(page, "<tr><th scope=row><code>%s</code></th><td>", path);
	put_type(page, schema);
	put(page, required ? "</td><td>always</td><td>" : "</td><td>optional</td><td>");
	put_words(page, description_of(page, schema));
	put(page, "</td></tr>\n");
}

static void put_members(struct page *page, const json_t *schema, const char *prefix)
{
	const char *name;
	json_t *member;
	json_object_foreach(json_object_get(schema, "properties"), name, member)
	{
		char path[NAME_SIZE];
		snprintf(path, sizeof(path), "%s%s", prefix, name);
		put_member(page, path, member,
			   is_listed(json_object_get(schema, "required"), name));
		const json_t *items = json_object_get(member, "items");
		bool is_list = json_object_get(items, "properties") != NULL;
		strncat(path, is_list ? "[]." : ".", sizeof(path) - strlen(path) - 1);
		put_members(page, is_list ? items : member, path);
	}
}

static void begin_table(struct page *page, const char *label, const char *const *heads)
{
	put_html(page,
		 "<div class=table role=region tabindex=0 aria-label=\"%s\"><table><thead><tr>",
		 label);
	for (; *heads; heads++)
		put_html(page, "<th scope=col>%s</th>", *heads);
	put(page, "</tr></thead><tbody>\n");
}

static void end_table(struct page *page)
{
	put(page, "</tbody></table></div>\n");
}

static void put_object(struct page *page, const char *label, const json_t *schema)
{
	static const char *const heads[] = {"Member", "Type", "There", "Meaning", NULL};
	if (json_object_size(json_object_get(schema, "properties")) == 0)
		return;
	begin_table(page, label, heads);
	put_members(page, schema, "");
	end_table(page);
}

/* A schema where it is used: a name, or what it consists of. */
static void put_content(struct page *page, const char *label, const json_t *content)
{
	const char *type;
	json_t *media;
	json_object_foreach((json_t *)(uintptr_t)content, type, media)
	{
		const json_t *schema = json_object_get(media, "schema");
		put_html(page, "<p><code>%s</code>: ", type);
		put_type(page, schema);
		put(page, "</p>\n");
		put_object(page, label, schema);
		const json_t *example = json_object_get(media, "example");
		char *text = example ? json_dumps(example, JSON_INDENT(2)) : NULL;
		if (text)
			put_html(page, "<pre tabindex=0>%s</pre>\n", text);
		free(text);
	}
}

/* ---- operations ---- */

static void put_parameters(struct page *page, const json_t *list)
{
	static const char *const heads[] = {"Parameter", "In", "Type", "There", "Meaning", NULL};
	if (json_array_size(list) == 0)
		return;
	put(page, "<h4>Parameters</h4>\n");
	begin_table(page, "Parameters", heads);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *parameter = follow(page, json_array_get(list, i));
		put_html(page, "<tr><th scope=row><code>%s</code></th><td>%s</td><td>",
			 text_of(parameter, "name"), text_of(parameter, "in"));
		put_type(page, json_object_get(parameter, "schema"));
		put(page, json_is_true(json_object_get(parameter, "required"))
				  ? "</td><td>always</td><td>"
				  : "</td><td>optional</td><td>");
		put_words(page, text_of(parameter, "description"));
		put(page, "</td></tr>\n");
	}
	end_table(page);
}

static void put_headers(struct page *page, const json_t *headers)
{
	const char *name;
	json_t *header;
	json_object_foreach((json_t *)(uintptr_t)headers, name, header)
	{
		const char *words = description_of(page, header);
		put_html(page, "<br>Header <code>%s</code>", name);
		put(page, words ? ": " : "");
		put_words(page, words);
	}
}

static void put_response_types(struct page *page, const json_t *response)
{
	const char *type;
	json_t *media;
	json_object_foreach(json_object_get(response, "content"), type, media)
	{
		put_html(page, "<code class=media>%s</code><br>", type);
		put_type(page, json_object_get(media, "schema"));
	}
}

static void put_responses(struct page *page, const json_t *responses)
{
	static const char *const heads[] = {"Status", "Meaning", "Body", NULL};
	const char *status;
	json_t *given;
	put(page, "<h4>Answers</h4>\n");
	begin_table(page, "Answers", heads);
	json_object_foreach((json_t *)(uintptr_t)responses, status, given)
	{
		const json_t *response = follow(page, given);
		put_html(page, "<tr><th scope=row><code>%s</code></th><td>", status);
		put_words(page, text_of(response, "description"));
		put_headers(page, json_object_get(response, "headers"));
		put(page, "</td><td>");
		put_response_types(page, response);
		put(page, "</td></tr>\n");
	}
	end_table(page);
	json_object_foreach((json_t *)(uintptr_t)responses, status, given)
	{
		const json_t *content = json_object_get(given, "content");
		const json_t *media =
			json_object_iter_value(json_object_iter((json_t *)(uintptr_t)content));
		const json_t *schema = json_object_get(media, "schema");
		if (!json_object_get(media, "example") && !json_object_get(schema, "properties"))
			continue;
		put_html(page, "<h4>Body of <code>%s</code></h4>\n", status);
		put_content(page, "Body", content);
	}
}

static void put_scope(struct page *page, const json_t *security)
{
	const json_t *scopes = json_object_get(json_array_get(security, 0), "key");
	if (!scopes) {
		put(page, "<p>Open to everybody.</p>\n");
		return;
	}
	put_html(page, "<p>API key with the scope <code>%s</code>.</p>\n",
		 json_string_value(json_array_get(scopes, 0)));
}

/* Of a path that is not on the port of the others. */
static void put_server(struct page *page, const json_t *item)
{
	const json_t *server = json_array_get(json_object_get(item, "servers"), 0);
	if (!server)
		return;
	put_html(page, "<p>At <code>%s</code>: ", text_of(server, "url"));
	put_words(page, text_of(server, "description"));
	put(page, "</p>\n");
}

static void put_heading(struct page *page, const char *method, const char *path)
{
	char upper[12] = "";
	for (size_t i = 0; method[i] != 0 && i + 1 < sizeof(upper); i++)
		upper[i] = (char)(method[i] - 'a' + 'A');
	put_html(page, "<span class=\"method %s\">%s</span> <code>%s</code>", method, upper, path);
}

static void put_operation(struct page *page, const char *path, const char *method,
			  const json_t *operation)
{
	put_html(page, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h3 id=\"%s-title\">",
		 text_of(operation, "operationId"), text_of(operation, "operationId"),
		 text_of(operation, "operationId"));
	put_heading(page, method, path);
	put_html(page, "</h3>\n<p class=summary>%s</p>\n", text_of(operation, "summary"));
	put_paragraphs(page, text_of(operation, "description"));
	put_scope(page, json_object_get(operation, "security"));
	put_server(page, json_object_get(json_object_get(page->root, "paths"), path));
	put_parameters(page, json_object_get(operation, "parameters"));
	const json_t *body = json_object_get(operation, "requestBody");
	if (body) {
		put(page, "<h4>Request</h4>\n");
		put_paragraphs(page, text_of(body, "description"));
		put_content(page, "Request", json_object_get(body, "content"));
	}
	put_responses(page, json_object_get(operation, "responses"));
	put(page, "</section>\n");
}

typedef void put_each(struct page *page, const char *path, const char *method,
		      const json_t *operation);

/* The operations of one tag. */
static void each_operation(struct page *page, const char *tag, put_each *each)
{
	const char *path;
	json_t *item;
	json_object_foreach(json_object_get(page->root, "paths"), path, item)
	{
		const char *method;
		json_t *operation;
		json_object_foreach(item, method, operation)
		{
			if (is_listed(json_object_get(operation, "tags"), tag))
				each(page, path, method, operation);
		}
	}
}

/* ---- the page ---- */

static void put_nav_row(struct page *page, const char *path, const char *method,
			const json_t *operation)
{
	put_html(page, "<li><a href=\"#%s\">", text_of(operation, "operationId"));
	put_heading(page, method, path);
	put(page, "</a></li>\n");
}

static void put_nav(struct page *page)
{
	const json_t *tags = json_object_get(page->root, "tags");
	put(page, "<nav aria-label=\"Contents\">\n");
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const char *tag = text_of(json_array_get(tags, i), "name");
		put_html(page, "<p>%s</p>\n<ul>\n", tag);
		each_operation(page, tag, put_nav_row);
		put(page, "</ul>\n");
	}
	put(page, "<p><a href=\"#schemas\">Schemas</a></p>\n</nav>\n");
}

static void put_schema(struct page *page, const char *name, const json_t *schema)
{
	const json_t *variants = json_object_get(schema, "oneOf");
	put_html(page,
		 "<section id=\"schema-%s\" aria-labelledby=\"schema-%s-title\">\n"
		 "<h3 id=\"schema-%s-title\"><code>%s</code></h3>\n",
		 name, name, name, name);
	put_paragraphs(page, text_of(schema, "description"));
	for (size_t i = 0; i < json_array_size(variants); i++) {
		const json_t *variant = json_array_get(variants, i);
		put_html(page, "<h4>%s</h4>\n", i == 0 ? "Either" : "Or");
		put_paragraphs(page, text_of(variant, "description"));
		put_object(page, name, variant);
	}
	put_object(page, name, schema);
	if (!variants && !json_object_get(schema, "properties")) {
		put(page, "<p>");
		put_type(page, schema);
		put(page, "</p>\n");
	}
	put(page, "</section>\n");
}

static void put_main(struct page *page)
{
	const json_t *tags = json_object_get(page->root, "tags");
	const char *name;
	json_t *schema;
	put(page, "<main id=main>\n");
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const json_t *tag = json_array_get(tags, i);
		put_html(page, "<h2>%s</h2>\n", text_of(tag, "name"));
		put_paragraphs(page, text_of(tag, "description"));
		each_operation(page, text_of(tag, "name"), put_operation);
	}
	put(page, "<h2 id=schemas>Schemas</h2>\n");
	json_t *schemas = json_object_get(json_object_get(page->root, "components"), "schemas");
	json_object_foreach(schemas, name, schema)
	{
		put_schema(page, name, schema);
	}
	put(page, "</main>\n");
}

static void put_header(struct page *page)
{
	const json_t *info = json_object_get(page->root, "info");
	const json_t *key = json_object_get(
		json_object_get(json_object_get(page->root, "components"), "securitySchemes"),
		"key");
	put_html(page, "<header>\n<h1>%s %s</h1>\n<p class=summary>%s</p>\n",
		 text_of(info, "title"), text_of(info, "version"), text_of(info, "summary"));
	put_paragraphs(page, text_of(info, "description"));
	put_paragraphs(page, text_of(key, "description"));
	put(page, "<p>For programs: <a href=\"openapi.json\">openapi.json</a></p>\n</header>\n");
}

char *gateway_reference_html(const json_t *description)
{
	struct page page = {.root = description};
	put_html(&page,
		 "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
		 "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
		 "<link rel=icon href=\"data:,\">\n<title>%s: reference</title>\n<style>\n",
		 text_of(json_object_get(description, "info"), "title"));
	page.p = host_append(page.p, &page.size, &page.room, gateway_reference_css,
			     gateway_reference_css_size);
	put(&page,
	    "</style>\n</head>\n<body>\n<a class=skip href=\"#main\">To the operations</a>\n");
	put_header(&page);
	put_nav(&page);
	put_main(&page);
	put(&page, "</body>\n</html>\n");
	return page.p;
}

/* ---- routes ---- */

static void get_description(void *context, struct host_http_exchange *exchange)
{
	(void)context;
	host_http_reply(exchange, 200, "application/json",
			cs_bytes(gateway_openapi, gateway_openapi_size));
}

static void get_reference(void *context, struct host_http_exchange *exchange)
{
	const struct gateway *gateway = context;
	host_http_reply_header(exchange, "Content-Security-Policy",
			       "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
			       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	host_http_reply(exchange, 200, "text/html; charset=utf-8",
			cs_bytes_str(gateway->reference));
}

void gateway_api_reference_routes(struct gateway *gateway)
{
	json_t *description =
		json_loadb((const char *)gateway_openapi, gateway_openapi_size, 0, NULL);
	cs_assert(description != NULL);
	gateway->reference = gateway_reference_html(description);
	json_decref(description);
	host_http_server_route(gateway->server, "GET", "/openapi.json?", 0, get_description,
			       gateway);
	host_http_server_route(gateway->server, "GET", "/docs?", 0, get_reference, gateway);
}
