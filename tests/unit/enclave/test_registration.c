/* A remote's key is learned where the register of the bridge's ledger says that its enclave counts, by proofs
 * under a block of the ledger's light client: what it must say, and what a host may not show in its place.
 * The register's values are written as contract 4 writes them (relay_state/ledger/enclaves_store.c). */
#include "clock.h"
#include "enclave/state.h"
#include "verify/cometbft/registration.h"

#define BOND 1000u

/* A row of the register. */
struct row {
	uint8_t state, role;
	uint64_t bond, expires_s;
	uint8_t tier;
	struct cs_hash identity;
	uint64_t epoch;
	bool in_conflict, another_manifest, another_lineage;
};

static const struct cs_hash enclave_name = {{0xe1, 7}};
static const struct cs_hash manifest_hash = {{0x3a, 9}};

static struct row good(const struct clock *c)
{
	return (struct row){.state = 1,
			    .role = 1,
			    .bond = BOND,
			    .expires_s = clock_time_of(c, c->l->height) + 10000,
			    .tier = 2,
			    .identity = c->w->remote,
			    .epoch = 1};
}

static struct cmt_registration place(const struct clock *c, const struct row *row)
{
	struct cmt_registration r;
	cmt_registration_begin(&r, &c->w->remote_x);
	r.enclave = enclave_name;
	r.identity = row->identity;
	r.epoch = row->epoch;
	r.lineage = c->w->manifest.lineage;
	r.lineage.b[0] ^= row->another_lineage ? 1 : 0;
	r.manifest_number = 1;
	r.known = true;
	return r;
}

static void put(struct clock *c, const struct cmt_registration *r, enum cmt_registration_part part,
		const struct cs_buf *value)
{
	const struct cmt_registration_key key = cmt_registration_key(r, part);
	ledger_put(c->l, cs_bytes(key.b, key.n), cs_buf_view(value), false);
}

static void put_row(struct clock *c, const struct cmt_registration *r, const struct row *row)
{
	uint8_t memory[512];
	struct cs_buf buf;
	struct cs_hash bond = {{0}};
	cs_put_be64(bond.b + 24, row->bond);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_u8(&buf, row->state);
	cs_put_u8(&buf, row->role);
	cs_put_u8(&buf, 3);
	cs_put_word(&buf, &enclave_name); /* measurement */
	cs_put_word(&buf, &r->lineage);
	cs_put_u64(&buf, r->manifest_number);
	cs_put_word(&buf, &manifest_hash);
	cs_put_word(&buf, &enclave_name); /* digest of the evidence */
	cs_put_u64(&buf, 1);
	cs_put_u64(&buf, row->expires_s);
	cs_put_u64(&buf, 0);
	cs_put_word(&buf, &bond);
	cs_put(&buf, cs_bytes(enclave_name.b, 20));
	put(c, r, CMT_REGISTRATION_ENCLAVE, &buf);
}

static void put_key(struct clock *c, const struct cmt_registration *r, const struct row *row)
{
	uint8_t memory[128];
	struct cs_hash window = {{0}};
	struct cs_buf buf;
	window.b[31] = WIRE_KEY_ACTIVE;
	cs_put_be64(window.b + 15, row->expires_s);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_word(&buf, &enclave_name);
	cs_put_word(&buf, &row->identity);
	cs_put_u64(&buf, row->epoch);
	cs_put(&buf, cs_bytes(enclave_name.b, 20));
	put(c, r, CMT_REGISTRATION_HOLDER, &buf);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_word(&buf, &c->w->remote_x);
	put(c, r, CMT_REGISTRATION_X, &buf);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_word(&buf, &window);
	put(c, r, CMT_REGISTRATION_WINDOW, &buf);
}

static void write_row(struct clock *c, const struct row *row)
{
	const struct cmt_registration r = place(c, row);
	struct cs_hash counts = manifest_hash;
	uint8_t memory[64];
	struct cs_buf buf;
	put_key(c, &r, row);
	put_row(c, &r, row);
	counts.b[0] ^= row->another_manifest ? 1 : 0;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_word(&buf, &counts);
	cs_put_u8(&buf, 1);
	put(c, &r, CMT_REGISTRATION_MANIFEST, &buf);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_u8(&buf, 1);
	if (row->in_conflict)
		put(c, &r, CMT_REGISTRATION_CONFLICT, &buf);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_u8(&buf, row->tier);
	cs_put_u8(&buf, 1);
	cs_put_u64(&buf, 1);
	cs_put_u64(&buf, 0);
	cs_put_u32(&buf, 0);
	if (row->tier != 0)
		put(c, &r, CMT_REGISTRATION_VERDICT, &buf);
}

/* ---- what is asked ---- */

static struct clock *begin(bool evidence)
{
	struct clock *c = clock_new();
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	struct manifest_ledger *ledger = &c->w->manifest.ledger;
	ledger->registration.wanted = true;
	ledger->registration.evidence = evidence;
	ledger->registration.bond_min = cs_u256_u64(BOND);
	world_restart(c->w);
	(void)world_ok(c->w, WIRE_INIT, &init.base);
	clock_create_all(c);
	ledger_register_key(c->l, 1, WIRE_KEY_ACTIVE);
	return c;
}

/* What was written is in a block that both clients have. */
static void follow(struct clock *c)
{
	ledger_mine(c->l, 2);
	clock_follow(c, &c->ledger);
	clock_follow(c, &c->w->own);
}

static Caisson__Wire__LearnKeyRequest learn(struct clock *c)
{
	Caisson__Wire__LearnKeyRequest in = CAISSON__WIRE__LEARN_KEY_REQUEST__INIT;
	const uint64_t height = (uint64_t)c->l->height;
	const struct cs_hash key = wire_evm_key_slot(&c->w->remote, 1, 0);
	const struct cs_hash window = wire_evm_key_slot(&c->w->remote, 1, 1);
	in.chain = pb_hash(&c->w->own);
	in.remote = pb_hash(&c->w->remote);
	in.epoch = 1;
	in.height = height;
	in.account = ledger_no_account();
	in.sentinel = ledger_sentinel(c->l, height);
	in.key = ledger_proof(c->l, height, &key);
	in.window = ledger_proof(c->l, height, &window);
	return in;
}

/* The proofs as a host finds them. */
static void add_proofs(struct clock *c, Caisson__Wire__LearnKeyRequest *in, const struct row *row,
		       int64_t height)
{
	const struct cmt_registration r = place(c, row);
	in->registration_height = (uint64_t)height;
	in->registration = keep(CMT_REGISTRATION_PARTS * sizeof *in->registration);
	in->n_registration = CMT_REGISTRATION_PARTS;
	for (unsigned i = 0; i < CMT_REGISTRATION_PARTS; i++) {
		const struct cmt_registration_key key =
			cmt_registration_key(&r, (enum cmt_registration_part)i);
		in->registration[i] =
			pb(ledger_prove(c->l, (uint64_t)height, cs_bytes(key.b, key.n)));
	}
}

static void learned(struct clock *c, const struct row *row, enum cs_err err)
{
	write_row(c, row);
	follow(c);
	Caisson__Wire__LearnKeyRequest in = learn(c);
	add_proofs(c, &in, row, c->l->height);
	if (err == CS_OK)
		(void)world_ok(c->w, WIRE_LEARN_KEY, &in.base);
	else
		world_refused(c->w, WIRE_LEARN_KEY, &in.base, err);
	clock_free(c);
}

static void test_a_registered_enclave(void **state)
{
	struct clock *c = begin(true);
	const struct row row = good(c);
	(void)state;
	learned(c, &row, CS_OK);
}

static void test_administrators_word(void **state)
{
	(void)state;
	struct clock *c = begin(false);
	struct row row = good(c);
	row.tier = 0;
	learned(c, &row, CS_OK);
	c = begin(true);
	learned(c, &row, CS_ERR_FORBIDDEN);
}

static void test_nobody_has_the_key(void **state)
{
	(void)state;
	struct clock *c = begin(true);
	const struct row row = good(c);
	follow(c);
	Caisson__Wire__LearnKeyRequest in = learn(c);
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_MISSING_FIELD);
	add_proofs(c, &in, &row, c->l->height);
	in.n_registration = 1;
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_NOT_FOUND);
	/* More than the one that says so; none under that block. */
	in.n_registration = 2;
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_INVALID);
	clock_free(c);
}

static void test_what_does_not_count(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		struct clock *c = begin(true);
		struct row row = good(c);
		enum cs_err err = CS_ERR_FORBIDDEN;
		if (i == 0)
			row.bond = BOND - 1;
		else if (i == 1)
			row.state = 2; /* suspended */
		else if (i == 2)
			row.role = 2; /* an oracle */
		else if (i == 3)
			row.in_conflict = true;
		else if (i == 4)
			row.state = 3, err = CS_ERR_REVOKED;
		else if (i == 5)
			row.expires_s = clock_time_of(c, c->l->height), err = CS_ERR_EXPIRED;
		else if (i == 6)
			row.another_manifest = true, err = CS_ERR_WRONG_MANIFEST;
		else if (i == 7)
			row.another_lineage = true, err = CS_ERR_WRONG_LINEAGE;
		else
			row.epoch = 2, err = CS_ERR_WRONG_KEY;
		learned(c, &row, err);
	}
}

/* From before it was revoked; with an anchor proven since; too old by the time; of a block that is none. */
static void test_an_older_state(void **state)
{
	(void)state;
	struct clock *c = begin(true);
	struct row row = good(c);
	row.expires_s += 100000;
	write_row(c, &row);
	follow(c);
	const int64_t before = c->l->height;
	row.state = 3;
	write_row(c, &row);
	follow(c);
	Caisson__Wire__LearnKeyRequest in = learn(c);
	add_proofs(c, &in, &row, c->l->height);
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_REVOKED);
	c->w->e->anchor.proof_height = (uint64_t)c->l->height;
	add_proofs(c, &in, &row, before);
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_STALE_HEADER);
	/* A process that has proven nothing yet goes by the block's age. */
	c->w->e->anchor.proof_height = 0;
	clock_round(c, NULL, clock_time_of(c, before) + CLOCK_PROOF_AGE_S + 10);
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_ANCHOR_TOO_OLD);
	in.registration_height = (uint64_t)c->l->height + 1;
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_NOT_FINAL);
	clock_free(c);
}

/* Proofs of another root, cut, or changed. */
static void test_proofs_that_prove_nothing(void **state)
{
	(void)state;
	struct clock *c = begin(true);
	const struct row row = good(c);
	write_row(c, &row);
	follow(c);
	Caisson__Wire__LearnKeyRequest in = learn(c);
	for (unsigned i = 0; i < CMT_REGISTRATION_PARTS; i++) {
		add_proofs(c, &in, &row, c->l->height);
		in.registration[i].data[in.registration[i].len - 1] ^= 1;
		assert_null(world_step(c->w, WIRE_LEARN_KEY, &in.base));
		add_proofs(c, &in, &row, c->l->height);
		in.registration[i].len--;
		assert_null(world_step(c->w, WIRE_LEARN_KEY, &in.base));
	}
	add_proofs(c, &in, &row, c->l->height);
	in.n_registration--;
	world_refused(c->w, WIRE_LEARN_KEY, &in.base, CS_ERR_INVALID);
	in.n_registration++;
	(void)world_ok(c->w, WIRE_LEARN_KEY, &in.base);
	clock_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_registered_enclave),
		cmocka_unit_test(test_administrators_word),
		cmocka_unit_test(test_nobody_has_the_key),
		cmocka_unit_test(test_what_does_not_count),
		cmocka_unit_test(test_an_older_state),
		cmocka_unit_test(test_proofs_that_prove_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
