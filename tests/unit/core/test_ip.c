#include "core/ip.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>

static struct cs_ip ip_of(const char *text)
{
	struct cs_ip ip;
	uint8_t b[4];
	if (inet_pton(AF_INET, text, b) == 1)
		return cs_ip4(b);
	assert_int_equal(inet_pton(AF_INET6, text, ip.b), 1);
	return ip;
}

/* Like inet_pton, and unlike inet_aton. */
static void test_parse(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"0.0.0.0",    "255.255.255.255", "1.2.3.4",     "127.1",     "2130706433",
		"0x7f.0.0.1", "127.0.0.01",      "127.0.0.001", "00.0.0.0",  "256.0.0.1",
		"1.2.3.4.5",  "1.2.3.",          ".1.2.3.4",    "1..2.3",    "",
		" 1.2.3.4",   "1.2.3.4 ",        "1.2.3.-4",    "1.2.3.4\n", "1.2.3",
		"+1.2.3.4",   "1.2.3.400",       "1.2.3.0004",  "a.b.c.d",   "10.20.30.40",
		"1.2.3.4/8",
	};
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		struct cs_ip ip;
		uint8_t b[4];
		const bool good = inet_pton(AF_INET, texts[i], b) == 1;
		if ((cs_ip4_parse(&ip, cs_bytes_str(texts[i])) == CS_OK) != good)
			fail_msg("%s", texts[i]);
		if (good)
			assert_memory_equal(ip.b + 12, b, 4);
	}
}

static void test_public(void **state)
{
	(void)state;
	static const char *const public[] = {
		"1.1.1.1",        "9.255.255.255",   "11.0.0.0",       "100.63.255.255",
		"100.128.0.0",    "126.255.255.255", "128.0.0.0",      "169.253.255.255",
		"169.255.0.0",    "172.15.255.255",  "172.32.0.0",     "192.167.255.255",
		"192.169.0.0",    "198.17.255.255",  "198.20.0.0",     "223.255.255.255",
		"2606:4700::1",   "2a00::1",         "::ffff:1.1.1.1", "64:ff9b::101:101",
		"2002:101:101::",
	};
	static const char *const special[] = {
		"0.0.0.0",
		"0.255.255.255",
		"10.0.0.0",
		"10.255.255.255",
		"100.64.0.0",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"169.254.0.0",
		"169.254.169.254",
		"172.16.0.0",
		"172.31.255.255",
		"192.0.0.1",
		"192.0.2.1",
		"192.88.99.1",
		"192.168.0.0",
		"192.168.255.255",
		"198.18.0.0",
		"198.19.255.255",
		"198.51.100.7",
		"203.0.113.7",
		"224.0.0.1",
		"239.255.255.255",
		"240.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"::127.0.0.1",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"64:ff9b::a00:1",
		"64:ff9b:1::1",
		"100::1",
		"2001::1",
		"2001:db8::1",
		"2002:a00:1::",
		"3fff::1",
		"fc00::1",
		"fdff::1",
		"fe80::1",
		"fec0::1",
		"ff02::1",
		"4000::1",
	};
	for (size_t i = 0; i < CS_LEN(public); i++) {
		const struct cs_ip ip = ip_of(public[i]);
		if (!cs_ip_is_public(&ip))
			fail_msg("%s", public[i]);
	}
	for (size_t i = 0; i < CS_LEN(special); i++) {
		const struct cs_ip ip = ip_of(special[i]);
		if (cs_ip_is_public(&ip))
			fail_msg("%s", special[i]);
	}
}

static void test_network(void **state)
{
	(void)state;
	const struct cs_ip ip = ip_of("10.1.130.7");
	for (uint8_t prefix = 0; prefix <= 128; prefix++) {
		struct cs_network network = {ip, prefix};
		assert_true(cs_network_has(&network, &ip));
		if (prefix == 0)
			continue;
		/* The last bit inside the prefix counts, the first one behind it does not. */
		struct cs_ip other = ip;
		other.b[(prefix - 1) / 8] ^= (uint8_t)(0x80 >> (prefix - 1) % 8);
		assert_false(cs_network_has(&network, &other));
		if (prefix < 128) {
			other = ip;
			other.b[prefix / 8] ^= (uint8_t)(0x80 >> prefix % 8);
			assert_true(cs_network_has(&network, &other));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
