/* Whose turn it is in the oracle's enclave: for a place, for an extraction, and who is late
 * meanwhile. Sources are played (oracle.h). */
#include "enclave/state.h"
#include "oracle.h"

#define OF_TWO_MORE                                                                      \
	"{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://b.example/\"},{\"extract\"" \
	":{\"pointer\":\"/p\"},\"url\":\"https://c.example/\"}],\"version\":1}"
/* The first is asked at a.example, as all of the many are. */
static const char median_of_three[] =
	"{\"aggregate\":{\"k\":2,\"kind\":\"median\"},\"result\":{\"type\":\"int256\"},\"sources\":"
	"["
	"{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://a.example/\"}," OF_TWO_MORE;

static struct oracle_world *o;

static int setup(void **state)
{
	(void)state;
	o = oracle_world_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	oracle_world_free(o);
	return 0;
}

/* ---- asking ---- */

static void ask(enum wire_type type, const ProtobufCMessage *request)
{
	static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];
	const size_t size = protobuf_c_message_get_packed_size(request);
	uint8_t *body = keep(size + 1);
	struct cs_buf reply;
	enum wire_type answer = WIRE_ERROR;
	(void)protobuf_c_message_pack(request, body);
	cs_buf_init(&reply, memory, sizeof memory);
	assert_false(service_request(&o->service, &answer, &reply, 1, type, cs_bytes(body, size),
				     &o->w->now));
	service_turn(&o->service, &o->w->now);
}

static void ask_app(const char *spec)
{
	Caisson__Wire__AnswerAppRequest in = CAISSON__WIRE__ANSWER_APP_REQUEST__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	in.audience = pb(cs_bytes_str("app"));
	in.query = &query;
	in.max_age = 600;
	in.timeout_s = 60;
	query.spec = pb(cs_bytes_str(spec));
	ask(WIRE_ANSWER_APP, &in.base);
}

static void ask_feed(const char *spec, uint64_t index)
{
	Caisson__Wire__FeedsRequest in = CAISSON__WIRE__FEEDS_REQUEST__INIT;
	Caisson__Wire__FeedClaim claim = CAISSON__WIRE__FEED_CLAIM__INIT;
	Caisson__Wire__FeedClaim *claims[1] = {&claim};
	in.receiver = pb_hash(&o->feeds);
	in.claims = claims;
	in.n_claims = 1;
	claim.index = index;
	claim.spec = pb(cs_bytes_str(spec));
	ask(WIRE_FEEDS, &in.base);
}

/* So many sources, all of them at a.example. */
static const char *spec_of(unsigned count)
{
	static char spec[4096];
	int n = snprintf(spec, sizeof spec,
			 "{\"aggregate\":{\"k\":%u,\"kind\":\"median\"},\"result\":{\"type\":"
			 "\"int256\"},\"sources\":[",
			 count);
	for (unsigned i = 0; i < count; i++)
		n += snprintf(
			spec + n, sizeof spec - (size_t)n,
			"%s{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://a.example/%u\"}",
			i == 0 ? "" : ",", i);
	n += snprintf(spec + n, sizeof spec - (size_t)n, "],\"version\":1}");
	assert_true((size_t)n < sizeof spec);
	return spec;
}

/* Where a source of the lookup stands among those that were asked; played_count: it was not. */
static size_t played_of(const struct lookup *lookup, size_t source)
{
	size_t at = 0;
	while (at < o->played_count && o->played[at].context != &lookup->sources[source])
		at++;
	return at;
}

static void answer_of(const struct lookup *lookup, size_t source, const char *body)
{
	oracle_played_answer(o, played_of(lookup, source), WIRE_ORACLE_OK, cs_bytes_str(body));
}

static void pass(uint64_t ms)
{
	o->later_ms += ms;
	service_turn(&o->service, &o->w->now);
}

/* The lookup of the request that was asked last, one of whose sources is at b.example. */
static struct lookup *newest(void)
{
	struct lookup_source *source = o->played[o->played_count - 1].context;
	return source->lookup;
}

/* ---- places ---- */

/* All places towards a.example are held; three more sources, of which two have answered. */
static struct lookup *ask_where_one_waits(void)
{
	for (unsigned i = 0; i < SHARE_HOST_ASKED_MAX; i++)
		ask_app(spec_of(1));
	ask_app(median_of_three);
	struct lookup *lookup = newest();
	assert_int_equal(lookup->waiting_count, 1);
	answer_of(lookup, 1, "{\"p\":101}");
	answer_of(lookup, 2, "{\"p\":5}");
	return lookup;
}

static void test_who_was_not_asked_is_not_late(void **state)
{
	(void)state;
	struct lookup *lookup = ask_where_one_waits();
	pass(5 * LOOKUP_GRACE_MS_MIN);
	assert_false(service_is_ready(&o->service));
	assert_int_equal(played_of(lookup, 0), o->played_count);
	oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":1}"));
	assert_in_range(service_wait_ms(&o->service), 0, LOOKUP_GRACE_MS_MIN);
	/* From now on it has what each has. */
	pass(LOOKUP_GRACE_MS_MIN - 200);
	answer_of(lookup, 0, "{\"p\":100}");
	assert_int_equal(lookup->open_count, 0);
	assert_int_equal(lookup->sources[0].evidence.code, WIRE_ORACLE_OK);
	assert_int_equal(lookup->value.p[31], 100);
	service_forget(&o->service);
}

static void test_who_was_asked_later_is_late_later(void **state)
{
	(void)state;
	struct lookup *lookup = ask_where_one_waits();
	pass(5 * LOOKUP_GRACE_MS_MIN);
	oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":1}"));
	pass(LOOKUP_GRACE_MS_MIN - 200);
	assert_int_equal(lookup->open_count, 1);
	pass(400);
	assert_int_equal(lookup->open_count, 0);
	assert_int_equal(lookup->code, WIRE_ORACLE_OK);
	assert_int_equal(lookup->sources[0].evidence.code, WIRE_ORACLE_TIMEOUT);
	service_forget(&o->service);
	assert_int_equal(o->played_count, 0);
}

static void test_who_is_never_asked_has_waited_long(void **state)
{
	(void)state;
	struct lookup *lookup = ask_where_one_waits();
	pass(LOOKUP_WAIT_MS_MAX - 1000);
	assert_int_equal(lookup->open_count, 1);
	assert_in_range(service_wait_ms(&o->service), 0, 1000);
	pass(1000);
	assert_int_equal(lookup->open_count, 0);
	assert_int_equal(lookup->code, WIRE_ORACLE_OK);
	assert_int_equal(lookup->sources[0].evidence.code, WIRE_ORACLE_TIMEOUT);
	service_forget(&o->service);
}

/* Older requests with many sources get one place before it does, not one for each source. */
#define OLDER 40u
static void test_places_go_round(void **state)
{
	(void)state;
	for (unsigned i = 0; i < OLDER; i++)
		ask_app(spec_of(WIRE_SOURCES_MAX));
	ask_app(median_of_three);
	const struct lookup *lookup = newest();
	unsigned ended = 0;
	for (; played_of(lookup, 0) == o->played_count && ended <= OLDER + 1; ended++)
		oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":1}"));
	assert_in_range(ended, 1, OLDER + 1);
	service_forget(&o->service);
	assert_null(o->service.world.for_places.first);
	assert_int_equal(o->service.world.share.host_count, 0);
}

/* Four times as many as there are places towards one of their sources, which is in good health. */
static void test_feeds_that_share_a_source_all_hear_it(void **state)
{
	const size_t count = (size_t)4 * SHARE_HOST_FEEDS_MAX;
	size_t heard = 0;
	(void)state;
	for (size_t i = 0; i < count; i++)
		ask_feed(median_of_three, i);
	while (o->played_count != 0) {
		size_t slow = 0;
		/* Those at b and c answer at once, those at a.example after 700 ms. */
		while (slow < o->played_count) {
			const struct lookup_source *source = o->played[slow].context;
			if (source->evidence.index == 0)
				slow++;
			else
				oracle_played_answer(o, slow, WIRE_ORACLE_OK,
						     cs_bytes_str("{\"p\":1}"));
		}
		assert_in_range(slow, 1, SHARE_HOST_FEEDS_MAX);
		pass(700);
		for (; slow != 0; slow--, heard++)
			oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":1}"));
	}
	assert_int_equal(heard, count);
	service_forget(&o->service);
}

/* ---- extractions ---- */

/* All that were asked answer, in the order in which they were asked; nothing is extracted yet. */
static void hear_all(void)
{
	const struct fetch_reply *reply;
	while (o->played_count != 0)
		oracle_played_reply(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":1}"));
	while (fetch_take(o->service.world.fetch, &reply))
		lookup_hear(&o->service.world, reply);
}

static void test_extractions_go_round_and_feeds_first(void **state)
{
	struct lookup_world *world = &o->service.world;
	(void)state;
	ask_app(spec_of(WIRE_SOURCES_MAX));
	ask_app(spec_of(WIRE_SOURCES_MAX));
	const struct lookup *second = newest();
	ask_feed(median_of_three, 0);
	const struct lookup *feed = newest();
	hear_all();
	assert_int_equal(service_wait_ms(&o->service), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_ptr_equal(lookup_next(world), feed);
		assert_ok(lookup_take(world, lookup_next(world)));
	}
	assert_int_equal(feed->open_count, 0);
	const struct lookup *first = lookup_next(world);
	assert_ptr_not_equal(first, second);
	const size_t of_first = first->answered_count, of_second = second->answered_count;
	for (size_t i = 0; i < 8; i++) {
		assert_ptr_equal(lookup_next(world), i % 2 == 0 ? first : second);
		assert_ok(lookup_take(world, lookup_next(world)));
	}
	assert_int_equal(first->answered_count, of_first - 4);
	assert_int_equal(second->answered_count, of_second - 4);
	service_forget(&o->service);
	assert_null(lookup_next(world));
	assert_int_equal(world->share.host_count, 0);
}

/* What it said waits for the scripts of others: nobody makes it late by them. */
static void test_who_has_answered_is_not_late(void **state)
{
	struct lookup_world *world = &o->service.world;
	(void)state;
	ask_app(median_of_three);
	struct lookup *lookup = newest();
	hear_all();
	assert_ok(lookup_take(world, lookup));
	assert_ok(lookup_take(world, lookup));
	assert_true(lookup->enough);
	o->later_ms += 5 * LOOKUP_GRACE_MS_MIN;
	assert_ok(lookup_end_late(world, lookup));
	assert_int_equal(lookup->open_count, 1);
	service_turn(&o->service, &o->w->now);
	assert_int_equal(lookup->open_count, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(lookup->sources[i].evidence.code, WIRE_ORACLE_OK);
	service_forget(&o->service);
}

static void test_even_that_ends(void **state)
{
	struct lookup_world *world = &o->service.world;
	(void)state;
	ask_app(median_of_three);
	struct lookup *lookup = newest();
	hear_all();
	o->later_ms += LOOKUP_MS_MAX;
	assert_ok(lookup_end_late(world, lookup));
	assert_int_equal(lookup->open_count, 0);
	assert_int_equal(lookup->code, WIRE_ORACLE_TIMEOUT);
	assert_null(lookup_next(world));
	assert_int_equal(world->share.host_count, 0);
	service_forget(&o->service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_was_not_asked_is_not_late),
		cmocka_unit_test(test_who_was_asked_later_is_late_later),
		cmocka_unit_test(test_who_is_never_asked_has_waited_long),
		cmocka_unit_test(test_places_go_round),
		cmocka_unit_test(test_feeds_that_share_a_source_all_hear_it),
		cmocka_unit_test(test_extractions_go_round_and_feeds_first),
		cmocka_unit_test(test_who_has_answered_is_not_late),
		cmocka_unit_test(test_even_that_ends),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
