/* Scenarios of docs/spec in the engine: bft-scenario play FILE… takes each line and compares what the
 * engine says and where it stands; bft-scenario record SEED EVENTS lets chance choose events and
 * prints the scenario that it was. */
#include "tests/spec/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 512
#define WORDS_MAX 8

static const char *const timer_names[BFT_TIMER_END] = {[BFT_TIMER_PROPOSE] = "propose",
						       [BFT_TIMER_PREVOTE] = "prevote",
						       [BFT_TIMER_PRECOMMIT] = "precommit"};

/* ---- play ---- */

struct reader {
	const char *path;
	FILE *file;
	unsigned line;
	unsigned events;
	char text[LINE_SIZE];
};

static bool complain(const struct reader *reader, const char *what, const char *is)
{
	fprintf(stderr, "%s:%u: %s%s%s\n", reader->path, reader->line, what, is != NULL ? ": " : "",
		is != NULL ? is : "");
	return false;
}

/* The next line that is no comment, without its end. */
static bool read_line(struct reader *reader)
{
	do {
		if (fgets(reader->text, sizeof reader->text, reader->file) == NULL)
			return false;
		reader->line++;
	} while (reader->text[0] == '#');
	reader->text[strcspn(reader->text, "\n")] = 0;
	return true;
}

static bool number(int *value, const char *word)
{
	char *end;
	if (strcmp(word, "nil") == 0) {
		*value = WORLD_NIL;
		return true;
	}
	errno = 0;
	long x = strtol(word, &end, 10);
	if (*word == 0 || *end != 0 || errno != 0 || x < -1 || x >= 1000)
		return false;
	*value = (int)x;
	return true;
}

static size_t split(char *words[WORDS_MAX], char *text)
{
	size_t count = 0;
	for (char *word = text; word != NULL;) {
		char *space = strchr(word, ' ');
		if (count == WORDS_MAX)
			return 0;
		if (space != NULL)
			*space++ = 0;
		words[count++] = word;
		word = space;
	}
	return count;
}

static bool is_round(int round)
{
	return round >= 0 && round < WORLD_ROUNDS_MAX;
}

/* The words after the validator. */
static bool play_event(struct world *world, int node, char *words[], size_t count)
{
	int n[4] = {0, 0, 0, -1};
	const char *kind = words[0];
	if (strcmp(kind, "timeout") == 0) {
		if (count != 3 || !number(&n[0], words[2]) || !is_round(n[0]))
			return false;
		for (int i = 1; i < BFT_TIMER_END; i++) {
			if (timer_names[i] != NULL && strcmp(timer_names[i], words[1]) == 0) {
				world_timeout(world, node, (enum bft_timer)i, n[0]);
				return true;
			}
		}
		return false;
	}
	for (size_t i = 1; i < count; i++) {
		if (i > CS_LEN(n) || !number(&n[i - 1], words[i]))
			return false;
	}
	if (strcmp(kind, "start") == 0 && count == 1) {
		world_start(world, node);
		return true;
	}
	if (strcmp(kind, "block") == 0 && count == 2) {
		world_block(world, node, n[0]);
		return true;
	}
	for (int i = 0; i < WORLD_KINDS; i++) {
		if (strcmp(world_kind_names[i], kind) != 0)
			continue;
		if (count != (i == WORLD_PROPOSAL ? 5u : 4u) || n[0] < 0 || n[0] >= WORLD_NODES ||
		    !is_round(n[1]))
			return false;
		world_message(world, node, (enum world_kind)i, n[0], n[1], n[2], n[3]);
		return true;
	}
	return false;
}

static bool play_line(struct world *world, struct reader *reader)
{
	char *words[WORDS_MAX], *out, *view;
	char is[WORLD_TEXT_SIZE];
	int node = -1;
	out = strstr(reader->text, " => ");
	if (out == NULL)
		return complain(reader, "no line of a scenario", NULL);
	*out = 0;
	out += 4;
	view = strstr(out, " ; ");
	if (view != NULL) {
		*view = 0;
		view += 3;
	}
	size_t count = split(words, reader->text);
	if (count < 2 || !number(&node, words[0]) || node < 0 || node >= WORLD_NODES ||
	    !play_event(world, node, words + 1, count - 1))
		return complain(reader, "no event of a scenario", NULL);
	reader->events++;
	if (world->failure[0] != 0)
		return complain(reader, "this cannot be", world->failure);
	const char *said = world->node[node].out[0] != 0 ? world->node[node].out : "-";
	if (strcmp(said, out) != 0)
		return complain(reader, "the engine says", said);
	/* After a decision the engine is at the end of the height and shows only that. */
	world_view(is, world, node);
	if (view != NULL && strcmp(is, view) != 0 &&
	    !(world_has_decided(world, node) && strstr(view, " decided ") != NULL))
		return complain(reader, "the engine is at", is);
	return world->failure[0] == 0 || complain(reader, "this cannot be", world->failure);
}

static bool read_head(struct reader *reader, unsigned *faulty)
{
	char *words[WORDS_MAX];
	int node;
	if (!read_line(reader) || strcmp(reader->text, "caisson bft scenario 1") != 0 ||
	    !read_line(reader) || strcmp(reader->text, "validators 4") != 0 || !read_line(reader))
		return complain(reader, "no scenario of four validators", NULL);
	size_t count = split(words, reader->text);
	if (count < 2 || strcmp(words[0], "faulty") != 0)
		return complain(reader, "nobody is named as faulty", NULL);
	*faulty = 0;
	for (size_t i = 1; i < count && strcmp(words[1], "-") != 0; i++) {
		if (!number(&node, words[i]) || node < 0 || node >= WORLD_NODES)
			return complain(reader, "no validator", words[i]);
		*faulty |= 1u << node;
	}
	return true;
}

static bool play(const char *path, unsigned *events)
{
	struct reader reader = {.path = path, .file = fopen(path, "r")};
	unsigned faulty;
	if (reader.file == NULL)
		return complain(&reader, "cannot be read", NULL);
	bool good = read_head(&reader, &faulty);
	struct world *world = good ? world_new(faulty) : NULL;
	while (good && read_line(&reader))
		good = play_line(world, &reader);
	if (good && reader.events == 0)
		good = complain(&reader, "a scenario without lines shows nothing", NULL);
	if (world != NULL)
		world_free(world);
	(void)fclose(reader.file);
	*events += reader.events;
	return good;
}

/* ---- record ---- */

struct recorder {
	struct world *world;
	uint64_t random; /* splitmix64 */
	int faulty;
	int hurry; /* timeouts of 40 tries */
};

static int below(struct recorder *recorder, int n)
{
	uint64_t z = recorder->random += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (int)((z ^ z >> 31) % (uint64_t)n);
}

static bool print_line(struct recorder *recorder, int node, const char *event)
{
	char view[WORLD_TEXT_SIZE];
	struct world *world = recorder->world;
	const char *out = world->node[node].out;
	if (world->failure[0] != 0) {
		fprintf(stderr, "%d %s: %s\n", node, event, world->failure);
		return false;
	}
	world_view(view, world, node);
	printf("%d %s => %s", node, event, out[0] != 0 ? out : "-");
	if (!world_has_decided(world, node))
		printf(" ; %s", view);
	printf("\n");
	return true;
}

static bool message(struct recorder *recorder, int node, enum world_kind kind, int src, int round,
		    int value, int pol)
{
	char event[WORLD_TEXT_SIZE], text[16], pol_text[16];
	(void)snprintf(text, sizeof text, value == WORLD_NIL ? "nil" : "%d", value);
	(void)snprintf(pol_text, sizeof pol_text, kind == WORLD_PROPOSAL ? " %d" : "", pol);
	(void)snprintf(event, sizeof event, "%s %d %d %s%s", world_kind_names[kind], src, round,
		       text, pol_text);
	world_message(recorder->world, node, kind, src, round, value, pol);
	return print_line(recorder, node, event);
}

/* What a correct one sent: mostly of the receiver's round, proposals of no other. */
static bool some_message(struct recorder *recorder, int node, bool *done)
{
	int at = world_round(recorder->world, node);
	int src = below(recorder, WORLD_NODES), kind = below(recorder, WORLD_KINDS);
	int round = below(recorder, 4) > 0 ? at : below(recorder, at + 2);
	const struct world_sent *sent;
	if (kind == WORLD_PROPOSAL)
		round = at;
	sent = &recorder->world->node[src].sent[kind][round];
	if (src == node || !sent->some)
		return true;
	*done = true;
	return message(recorder, node, (enum world_kind)kind, src, round, sent->value, sent->pol);
}

/* At most two votes for a place, one proposal: for `said` of the faulty one to the receiver. */
static bool some_lie(struct recorder *recorder, int node, bool *done,
		     uint8_t said[WORLD_NODES][WORLD_KINDS][WORLD_ROUNDS_MAX])
{
	int at = world_round(recorder->world, node), kind = below(recorder, WORLD_KINDS);
	int round = kind == WORLD_PROPOSAL ? at : at + below(recorder, 3) - 1;
	int value = below(recorder, 3) == 0 ? WORLD_NIL : below(recorder, at + 1);
	int pol = kind == WORLD_PROPOSAL ? below(recorder, at + 1) - 1 : -1;
	if (kind == WORLD_PROPOSAL) {
		int lies[] = {round, WORLD_TWIN + round, WORLD_UNACCEPTABLE, value};
		value = lies[below(recorder, 4)];
	}
	bool known = value == WORLD_NIL || value >= WORLD_TWIN ||
		     value % WORLD_NODES == recorder->faulty ||
		     recorder->world->node[value % WORLD_NODES].sent[WORLD_PROPOSAL][value].some;
	if (round < 0 || round >= WORLD_ROUNDS_MAX || !known ||
	    said[node][kind][round] == (kind == WORLD_PROPOSAL ? 1 : 2) ||
	    (kind == WORLD_PROPOSAL &&
	     (value == WORLD_NIL || round % WORLD_NODES != recorder->faulty)))
		return true;
	said[node][kind][round]++;
	*done = true;
	return message(recorder, node, (enum world_kind)kind, recorder->faulty, round, value, pol);
}

static bool some_timeout(struct recorder *recorder, int node, bool *done)
{
	char event[WORLD_TEXT_SIZE];
	int timer = BFT_TIMER_PROPOSE + below(recorder, 3);
	int round = world_round(recorder->world, node) - (below(recorder, 5) == 0);
	const struct world_node *n = &recorder->world->node[node];
	if (round < 0 || round >= WORLD_ROUNDS_MAX - 2 || !n->armed[timer][round] ||
	    n->spent[timer][round])
		return true;
	*done = true;
	(void)snprintf(event, sizeof event, "timeout %s %d", timer_names[timer], round);
	world_timeout(recorder->world, node, (enum bft_timer)timer, round);
	return print_line(recorder, node, event);
}

static bool record_events(struct recorder *recorder, long events)
{
	static uint8_t said[WORLD_NODES][WORLD_KINDS][WORLD_ROUNDS_MAX];
	/* Most choices come to nothing: the bound is for those that never do again. */
	for (long tries = 200 * events; events > 0 && tries > 0; tries--) {
		int node = below(recorder, WORLD_NODES), choice = below(recorder, 40);
		bool done = false, good;
		if (node == recorder->faulty || world_has_decided(recorder->world, node))
			continue;
		if (choice < recorder->hurry)
			good = some_timeout(recorder, node, &done);
		else if (choice < recorder->hurry + 5)
			good = some_lie(recorder, node, &done, said);
		else
			good = some_message(recorder, node, &done);
		if (!good)
			return false;
		events -= done;
	}
	return true;
}

static bool record(uint64_t seed, long events)
{
	struct recorder recorder = {.random = seed};
	recorder.faulty = below(&recorder, WORLD_NODES);
	recorder.hurry = 1 + 4 * below(&recorder, 4);
	recorder.world = world_new(1u << recorder.faulty);
	printf("caisson bft scenario 1\n# engine, seed %llu\nvalidators 4\nfaulty %d\n",
	       (unsigned long long)seed, recorder.faulty);
	bool good = true;
	for (int i = 0; i < WORLD_NODES && good; i++) {
		if (i == recorder.faulty)
			continue;
		world_start(recorder.world, i);
		good = print_line(&recorder, i, "start");
	}
	good = good && record_events(&recorder, events);
	world_free(recorder.world);
	return good;
}

int main(int argc, char **argv)
{
	unsigned events = 0;
	bool good = true;
	if (argc == 4 && strcmp(argv[1], "record") == 0)
		return record(strtoull(argv[2], NULL, 10), strtol(argv[3], NULL, 10)) ? 0 : 1;
	if (argc < 3 || strcmp(argv[1], "play") != 0) {
		fprintf(stderr, "usage: bft-scenario play FILE... | record SEED EVENTS\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		good = play(argv[i], &events) && good;
	printf("%u events of %d scenarios\n", events, argc - 2);
	return good ? 0 : 1;
}
