#include "core/hash.h"
#include "core/sig.h"
#include "tests/unit/support.h"

static struct cs_sig *sig;

static int setup(void **state)
{
	(void)state;
	struct cs_secret seed;
	memset(seed.b, 0x5a, sizeof seed.b);
	sig = cs_sig_new(&seed);
	return sig == NULL;
}

static int teardown(void **state)
{
	(void)state;
	cs_sig_free(sig);
	return 0;
}

static struct cs_secret secret_of(const char *text)
{
	struct cs_hash hash = hash_of_text(text);
	struct cs_secret secret;
	memcpy(secret.b, hash.b, sizeof secret.b);
	return secret;
}

/* Columns of BIP-340's own file. */
enum { INDEX, SECRET, PUBLIC, AUX, MESSAGE, SIGNATURE, RESULT, COMMENT, COLUMNS };

static bool next_row(char **rest, char *columns[COLUMNS])
{
	char *line = strsep(rest, "\n");
	if (line == NULL || line[0] == '\0')
		return false;
	line[strcspn(line, "\r")] = '\0';
	for (size_t i = 0; i < COLUMNS; i++) {
		columns[i] = strsep(&line, ",");
		assert_non_null(columns[i]);
	}
	return true;
}

static void test_bip340(void **state)
{
	(void)state;
	struct cs_bytes file = read_file(CS_VECTORS "/bip340/test-vectors.csv");
	char *rest = keep(file.n), *columns[COLUMNS];
	size_t rows = 0, refused = 0;
	memcpy(rest, file.p, file.n);
	assert_true(next_row(&rest, columns));
	while (next_row(&rest, columns)) {
		struct cs_hash x = hash_of_text(columns[PUBLIC]),
			       digest = hash_of_text(columns[MESSAGE]);
		struct cs_bytes wanted = unhex(columns[SIGNATURE]);
		bool valid = strcmp(columns[RESULT], "TRUE") == 0;
		assert_int_equal(wanted.n, 64);
		assert_err(cs_schnorr_verify64(sig, wanted.p, &x, CS_BYTES_OF(digest.b)),
			   valid ? CS_OK : CS_ERR_BAD_SIGNATURE);
		rows++;
		refused += !valid;
		if (columns[SECRET][0] == '\0')
			continue;
		struct cs_secret secret = secret_of(columns[SECRET]);
		struct cs_hash aux = hash_of_text(columns[AUX]), got_x;
		struct cs_schnorr made;
		assert_ok(cs_key_x(sig, &got_x, &secret));
		assert_hash(got_x, x);
		assert_ok(cs_schnorr_sign(sig, &made, &secret, &digest, &aux));
		assert_memory_equal(made.rx.b, wanted.p, 32);
		assert_memory_equal(made.s.b, wanted.p + 32, 32);
		assert_ok(cs_schnorr_verify(sig, &made, &x, &digest));
	}
	assert_int_equal(rows, 15);
	assert_int_equal(refused, 10);
}

/* With R.y beside it, as calldata carries it. */
static void test_envelope_signatures(void **state)
{
	(void)state;
	json_t *file = read_json(CS_VECTORS "/envelope/signatures.json"), *one;
	size_t i, refused = 0;
	json_array_foreach(json_object_get(file, "signatures"), i, one)
	{
		struct cs_schnorr given = {hash_of(one, "rx"), hash_of(one, "ry"),
					   hash_of(one, "s")},
				  made;
		struct cs_hash x = hash_of(one, "public"), digest = hash_of(one, "digest");
		bool valid = json_is_true(json_object_get(one, "valid"));
		enum cs_err err = cs_schnorr_verify(sig, &given, &x, &digest);
		if (err != (valid ? CS_OK : CS_ERR_BAD_SIGNATURE))
			fail_msg("%s: %s", text_of(one, "why"), cs_err_name(err));
		refused += !valid;
		if (json_object_get(one, "secret") == NULL)
			continue;
		struct cs_secret secret = secret_of(text_of(one, "secret"));
		struct cs_hash aux = hash_of(one, "aux");
		assert_ok(cs_schnorr_sign(sig, &made, &secret, &digest, &aux));
		assert_hash(made.rx, given.rx);
		assert_hash(made.ry, given.ry);
		assert_hash(made.s, given.s);
	}
	assert_true(i - refused >= 10 && refused >= 15);
	json_decref(file);
}

static void test_schnorr_every_bit(void **state)
{
	(void)state;
	struct cs_secret secret =
		secret_of("0000000000000000000000000000000000000000000000000000000000000003");
	struct cs_hash digest = cs_keccak256(cs_bytes_str("every bit")), aux = {{1}}, x;
	struct cs_schnorr made;
	uint8_t *parts[] = {made.rx.b, made.ry.b, made.s.b, x.b, digest.b};
	assert_ok(cs_key_x(sig, &x, &secret));
	assert_ok(cs_schnorr_sign(sig, &made, &secret, &digest, &aux));
	for (size_t part = 0; part < CS_LEN(parts); part++) {
		for (size_t bit = 0; bit < 256; bit++) {
			parts[part][bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_err(cs_schnorr_verify(sig, &made, &x, &digest),
				   CS_ERR_BAD_SIGNATURE);
			parts[part][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	assert_ok(cs_schnorr_verify(sig, &made, &x, &digest));
}

/* A key made ready signs as the key does, for as long as it is kept. */
static void test_signer(void **state)
{
	(void)state;
	struct cs_secret secret =
		secret_of("0000000000000000000000000000000000000000000000000000000000000003");
	struct cs_secret none = {{0}};
	struct cs_signer signer;
	assert_err(cs_signer_make(sig, &signer, &none), CS_ERR_INVALID);
	assert_ok(cs_signer_make(sig, &signer, &secret));
	for (uint8_t i = 0; i < 4; i++) {
		struct cs_hash digest = {{i}}, aux = {{9, i}};
		struct cs_schnorr a, b;
		assert_ok(cs_schnorr_sign(sig, &a, &secret, &digest, &aux));
		assert_ok(cs_schnorr_sign_by(sig, &b, &signer, &digest, &aux));
		assert_memory_equal(&a, &b, sizeof a);
	}
}

static void test_aux_changes_nonce(void **state)
{
	(void)state;
	struct cs_secret secret =
		secret_of("0000000000000000000000000000000000000000000000000000000000000003");
	struct cs_hash digest = {{7}}, aux_a = {{1}}, aux_b = {{2}};
	struct cs_schnorr a, b;
	assert_ok(cs_schnorr_sign(sig, &a, &secret, &digest, &aux_a));
	assert_ok(cs_schnorr_sign(sig, &b, &secret, &digest, &aux_b));
	assert_false(cs_hash_eq(&a.rx, &b.rx));
	assert_ok(cs_schnorr_sign(sig, &b, &secret, &digest, &aux_a));
	assert_true(cs_hash_eq(&a.rx, &b.rx) && cs_hash_eq(&a.s, &b.s));
}

/* Zero, the group's order, and one above it are no keys; one below it is. */
static void test_keys(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		bool valid;
	} cases[] = {
		{"0000000000000000000000000000000000000000000000000000000000000000", false},
		{"0000000000000000000000000000000000000000000000000000000000000001", true},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", true},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", false},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_secret key = secret_of(cases[i].key);
		struct cs_hash x, digest = {{1}}, aux = {{2}};
		struct cs_address address;
		struct cs_schnorr schnorr;
		struct cs_ecdsa ecdsa;
		enum cs_err want = cases[i].valid ? CS_OK : CS_ERR_INVALID;
		assert_int_equal(cs_key_is_valid(sig, &key), cases[i].valid);
		assert_err(cs_key_x(sig, &x, &key), want);
		assert_err(cs_key_address(sig, &address, &key), want);
		assert_err(cs_schnorr_sign(sig, &schnorr, &key, &digest, &aux), want);
		assert_err(cs_ecdsa_sign(sig, &ecdsa, &key, &digest), want);
	}
}

static void test_lift(void **state)
{
	(void)state;
	json_t *file = read_json(CS_VECTORS "/envelope/signatures.json"), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "keys"), i, one)
	{
		struct cs_hash x = hash_of(one, "public"), y;
		/* A point whose x is not below the group's order exists; only contracts cannot use
		 * it. */
		bool point = json_is_true(json_object_get(one, "valid")) ||
			     strncmp(text_of(one, "why"), "a point", 7) == 0;
		assert_err(cs_lift_x(sig, &y, &x), point ? CS_OK : CS_ERR_INVALID);
		if (point)
			assert_int_equal(y.b[31] & 1, 0);
	}
	json_decref(file);
}

/* Development accounts that every EVM tool derives from its mnemonic, and their well-known
 * addresses. */
static void test_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *key, *address;
	} cases[] = {
		{"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
		 "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"},
		{"59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
		 "70997970c51812dc3a010c7d01b50e0d17dc79c8"},
		{"0000000000000000000000000000000000000000000000000000000000000001",
		 "7e5f4552091a69125d5dfcb7b8c2659029395bdf"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_secret key = secret_of(cases[i].key);
		struct cs_address address;
		assert_ok(cs_key_address(sig, &address, &key));
		assert_bytes(CS_BYTES_OF(address.b), unhex(cases[i].address));
	}
}

/* The example of EIP-155: nonce 9, 20 gwei, 21000 gas, 1 ether to 0x3535…, chain 1. */
static void test_eip155(void **state)
{
	(void)state;
	struct cs_secret key =
		secret_of("4646464646464646464646464646464646464646464646464646464646464646");
	struct cs_hash digest =
		hash_of_text("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
	struct cs_ecdsa made;
	struct cs_address address, own;
	assert_ok(cs_ecdsa_sign(sig, &made, &key, &digest));
	assert_int_equal(made.parity, 37 - 37);
	assert_hash(
		made.r,
		hash_of_text("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"));
	assert_hash(
		made.s,
		hash_of_text("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"));
	assert_true(cs_ecdsa_is_low(&made));
	assert_ok(cs_ecdsa_recover(sig, &address, &made, &digest));
	assert_ok(cs_key_address(sig, &own, &key));
	assert_true(cs_address_eq(&address, &own));
}

static void test_recover_refusals(void **state)
{
	(void)state;
	static const char order[] =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	struct cs_secret key =
		secret_of("4646464646464646464646464646464646464646464646464646464646464646");
	struct cs_hash digest = {{3}}, zero = {{0}};
	struct cs_ecdsa good, bad;
	struct cs_address own, address;
	assert_ok(cs_ecdsa_sign(sig, &good, &key, &digest));
	assert_ok(cs_key_address(sig, &own, &key));
	bad = good;
	bad.parity = 2;
	assert_err(cs_ecdsa_recover(sig, &address, &bad, &digest), CS_ERR_BAD_SIGNATURE);
	bad = good;
	bad.r = zero;
	assert_err(cs_ecdsa_recover(sig, &address, &bad, &digest), CS_ERR_BAD_SIGNATURE);
	bad = good;
	bad.s = zero;
	assert_err(cs_ecdsa_recover(sig, &address, &bad, &digest), CS_ERR_BAD_SIGNATURE);
	bad = good;
	bad.r = hash_of_text(order);
	assert_err(cs_ecdsa_recover(sig, &address, &bad, &digest), CS_ERR_BAD_SIGNATURE);
	bad = good;
	bad.s = hash_of_text(order);
	assert_err(cs_ecdsa_recover(sig, &address, &bad, &digest), CS_ERR_BAD_SIGNATURE);
	bad = good;
	bad.parity ^= 1;
	if (cs_ecdsa_recover(sig, &address, &bad, &digest) == CS_OK)
		assert_false(cs_address_eq(&address, &own));
}

/* The twin with n - s and the other parity recovers to the same account: that is why
 * cs_ecdsa_is_low exists. */
static void test_high_s(void **state)
{
	(void)state;
	struct cs_secret key =
		secret_of("4646464646464646464646464646464646464646464646464646464646464646");
	struct cs_hash digest = {{4}};
	struct cs_ecdsa good, twin;
	struct cs_address own, address;
	assert_ok(cs_ecdsa_sign(sig, &good, &key, &digest));
	assert_ok(cs_key_address(sig, &own, &key));
	twin = good;
	twin.parity ^= 1;
	struct cs_hash order =
		hash_of_text("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
	unsigned borrow = 0;
	for (size_t i = 32; i-- > 0;) {
		unsigned d = 256u + order.b[i] - good.s.b[i] - borrow;
		twin.s.b[i] = (uint8_t)d;
		borrow = d < 256;
	}
	assert_false(cs_ecdsa_is_low(&twin));
	assert_ok(cs_ecdsa_recover(sig, &address, &twin, &digest));
	assert_true(cs_address_eq(&address, &own));
	struct cs_ecdsa half = {
		.s = hash_of_text(
			"7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")};
	assert_true(cs_ecdsa_is_low(&half));
	half.s.b[31]++;
	assert_false(cs_ecdsa_is_low(&half));
}

/* A context without blinding verifies as well. */
static void test_unseeded(void **state)
{
	(void)state;
	struct cs_sig *plain = cs_sig_new(NULL);
	struct cs_secret key =
		secret_of("0000000000000000000000000000000000000000000000000000000000000003");
	struct cs_hash digest = {{5}}, aux = {{6}}, x;
	struct cs_schnorr made;
	assert_non_null(plain);
	assert_ok(cs_key_x(sig, &x, &key));
	assert_ok(cs_schnorr_sign(sig, &made, &key, &digest, &aux));
	assert_ok(cs_schnorr_verify(plain, &made, &x, &digest));
	cs_sig_free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bip340),
		cmocka_unit_test(test_envelope_signatures),
		cmocka_unit_test(test_schnorr_every_bit),
		cmocka_unit_test(test_aux_changes_nonce),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_lift),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_eip155),
		cmocka_unit_test(test_recover_refusals),
		cmocka_unit_test(test_high_s),
		cmocka_unit_test(test_unseeded),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
