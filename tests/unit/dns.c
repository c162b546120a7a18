/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/dns.h"

#include <arpa/inet.h>
#include <linux/types.h>

#include "../../bpf/tcpconnect.h"

#define MS UINT64_C(1000000)
#define A 1
#define CNAME 5
#define TXT 16
#define AAAA 28

/* The sample under construction. */
static union {
	struct sample_answer head;
	uint8_t bytes[sizeof(struct sample_answer) + ANSWER_MAX];
} sample;

static void put(const void *bytes, size_t length)
{
	assert_true(sample.head.length + length <= ANSWER_MAX);
	memcpy(sample.head.message + sample.head.length, bytes, length);
	sample.head.length += (uint32_t)length;
}

static void put16(unsigned int value)
{
	put((const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

/* Dots between labels; "" is the root. */
static void put_name(const char *name)
{
	while (*name) {
		uint8_t length = (uint8_t)strcspn(name, ".");

		put(&length, 1);
		put(name, length);
		name += length + (name[length] == '.');
	}
	put("", 1);
}

static void begin(uint64_t time_ns)
{
	memset(&sample, 0, sizeof sample);
	sample.head.kind = SAMPLE_ANSWER;
	sample.head.time_ns = time_ns;
	put("\x12\x34\x81\x80\0\0\0\0\0\0\0\0", 12);
}

static void question(const char *name)
{
	sample.head.message[5]++;
	put_name(name);
	put16(A);
	put16(1);
}

static void record(const char *name, unsigned int type, unsigned int class, const char *data)
{
	uint8_t address[16];

	sample.head.message[7]++;
	put_name(name);
	put16(type);
	put16(class);
	put16(0);
	put16(300);
	if (type == A || type == AAAA) {
		unsigned int length = type == A ? 4 : 16;

		assert_int_equal(inet_pton(type == A ? AF_INET : AF_INET6, data, address), 1);
		put16(length);
		put(address, length);
	} else {
		put16((unsigned int)strlen(data) + 2);
		put_name(data);
	}
}

/* As the ring hands it out, longer than what it says; from memory of just that size. */
static void take_with(struct dns *d, size_t more)
{
	size_t length = sizeof sample.head + sample.head.length + more;
	uint8_t *copy = malloc(length + 1);

	assert_non_null(copy);
	memcpy(copy + 1, &sample, length);
	dns_take(d, copy + 1, length);
	free(copy);
}

static void answer(struct dns *d, uint64_t time_ns, const char *name, const char *address)
{
	begin(time_ns);
	question(name);
	record(name, strchr(address, ':') ? AAAA : A, 1, address);
	take_with(d, 10);
}

static struct event find(struct dns *d, uint64_t time_ns, const char *address)
{
	struct event event = {.time_ns = time_ns, .daddr.family = strchr(address, ':') ? 6 : 4};

	assert_int_equal(
		inet_pton(event.daddr.family == 6 ? AF_INET6 : AF_INET, address, event.daddr.bytes),
		1);
	dns_find(d, &event);
	return event;
}

/* name NULL: none is known. */
static void check(
	struct dns *d, uint64_t time_ns, const char *address, const char *name, uint64_t age_us)
{
	struct event event = find(d, time_ns, address);

	assert_int_equal(event.answered, name ? ANSWERED_AGE + age_us : ANSWERED_NEVER);
	assert_true(bytes_equal(event.query, name ? bytes_of(name) : (struct bytes){NULL, 0}));
}

static void an_address_has_the_name_that_was_asked_for(void **state)
{
	struct dns *d = dns_new();

	(void)state;
	begin(MS);
	question("www.example.net");
	record("www.example.net", CNAME, 1, "cdn.example.org");
	record("cdn.example.org", A, 1, "192.0.2.1");
	record("cdn.example.org", A, 1, "192.0.2.2");
	record("cdn.example.org", AAAA, 1, "2001:db8::1");
	record("cdn.example.org", TXT, 1, "x");
	record("cdn.example.org", A, 3, "192.0.2.3"); /* of another class */
	take_with(d, 0);
	check(d, 3 * MS, "192.0.2.1", "www.example.net", 2000);
	check(d, 3 * MS + 1999, "192.0.2.2", "www.example.net", 2001);
	check(d, MS, "2001:db8::1", "www.example.net", 0);
	check(d, 3 * MS, "192.0.2.3", NULL, 0);
	check(d, 3 * MS, "192.0.2.4", NULL, 0);
	check(d, 3 * MS, "2001:db8::2", NULL, 0);
	dns_free(d);
	dns_free(NULL);
}

static void a_mapped_address_is_the_one_in_it(void **state)
{
	struct dns *d = dns_new();

	(void)state;
	answer(d, MS, "mapped.example", "::ffff:192.0.2.1");
	check(d, MS, "192.0.2.1", "mapped.example", 0);
	check(d, MS, "::ffff:192.0.2.1", NULL, 0);
	dns_free(d);
}

/* No question; the class has the bit that says that older ones are to be forgotten. */
static void multicast_answers_have_their_own_names(void **state)
{
	struct dns *d = dns_new();

	(void)state;
	begin(MS);
	record("printer.local", A, 0x8001, "192.0.2.1");
	record("scanner.local", A, 1, "192.0.2.2");
	take_with(d, 0);
	check(d, MS, "192.0.2.1", "printer.local", 0);
	check(d, MS, "192.0.2.2", "scanner.local", 0);
	dns_free(d);
}

/* Answers are read before attempts that were made before them. */
static void names_are_those_of_the_time_of_the_call(void **state)
{
	struct dns *d = dns_new();

	(void)state;
	answer(d, 10 * MS, "a.example", "192.0.2.1");
	answer(d, 20 * MS, "b.example", "192.0.2.1");
	answer(d, 30 * MS, "c.example", "192.0.2.1");
	answer(d, 40 * MS, "d.example", "192.0.2.1");
	check(d, 9 * MS, "192.0.2.1", NULL, 0);
	check(d, 12 * MS, "192.0.2.1", "a.example", 2000);
	check(d, 20 * MS, "192.0.2.1", "b.example", 0);
	check(d, 39 * MS, "192.0.2.1", "c.example", 9000);
	check(d, 41 * MS, "192.0.2.1", "d.example", 1000);
	/* One that was held back until it failed: the answer before the last still counts. */
	check(d, 35 * MS, "192.0.2.1", "c.example", 5000);
	check(d, 25 * MS, "192.0.2.1", NULL, 0);
	dns_free(d);
}

static void names_are_known_for_a_day(void **state)
{
	const uint64_t day = UINT64_C(86400000) * MS;
	struct dns *d = dns_new();

	(void)state;
	answer(d, MS, "a.example", "192.0.2.1");
	check(d, MS + day, "192.0.2.1", "a.example", day / 1000);
	check(d, MS + day + 1, "192.0.2.1", NULL, 0);
	dns_free(d);
}

static const char *address_of(uint32_t number)
{
	static char text[32];

	snprintf(text, sizeof text, "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
	return text;
}

/* And nothing else is: an answer makes an address young again. */
static void the_oldest_is_forgotten(void **state)
{
	struct dns *d = dns_new();
	char name[32];

	(void)state;
	for (uint32_t i = 0; i < 30000; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		answer(d, (1 + i) * MS, name, address_of(i));
		if (i % 1000 == 999)
			answer(d, (1 + i) * MS, "again.example", address_of(7));
	}
	for (uint32_t i = 0; i < 30000; i++) {
		bool known = i >= 30000 - 10240 + 1;

		snprintf(name, sizeof name, "n%u.example", i);
		if (i != 7 && known)
			check(d, 30000 * MS, address_of(i), name, (30000 - 1 - i) * 1000);
		else if (i != 7)
			assert_int_equal(
				find(d, 30000 * MS, address_of(i)).answered, ANSWERED_UNKNOWN);
	}
	check(d, 30000 * MS, address_of(7), "again.example", 0);
	dns_free(d);
}

static void what_is_missing_is_not_known(void **state)
{
	struct dns *d = dns_new();

	(void)state;
	answer(d, 1 * MS, "a.example", "192.0.2.1");
	dns_miss(d, 0);
	check(d, 5 * MS, "192.0.2.2", NULL, 0);
	dns_miss(d, 4 * MS);
	dns_miss(d, 6 * MS);
	check(d, 4 * MS - 1, "192.0.2.2", NULL, 0);
	assert_int_equal(find(d, 4 * MS, "192.0.2.2").answered, ANSWERED_UNKNOWN);
	check(d, 5 * MS, "192.0.2.1", "a.example", 4000);
	dns_free(d);
}

static void names_are_bytes(void **state)
{
	struct dns *d = dns_new();
	char label[64];

	(void)state;
	answer(d, MS, "sp ace\n\xff\\\".example", "192.0.2.1");
	check(d, MS, "192.0.2.1", "sp\\032ace\\010\\255\\\\\\\".example", 0);
	answer(d, MS, "", "192.0.2.2"); /* the root is no name */
	check(d, MS, "192.0.2.2", NULL, 0);
	memset(label, '\x01', 63);
	label[63] = '\0';
	begin(MS);
	sample.head.message[5] = 1;
	for (int i = 0; i < 3; i++) { /* the longest that there is: each byte four characters */
		put("\x3f", 1);
		put(label, 63);
	}
	put("\x3d", 1);
	put(label, 61);
	put("", 1);
	put16(A);
	put16(1);
	record("x", A, 1, "192.0.2.3");
	take_with(d, 0);
	assert_int_equal(find(d, MS, "192.0.2.3").query.length, 250 * 4 + 3);
	dns_free(d);
}

static void what_is_cut_or_wrong_is_left_out(void **state)
{
	struct dns *d = dns_new();
	uint32_t whole;

	(void)state;
	begin(MS);
	question("www.example.net");
	record("www.example.net", A, 1, "192.0.2.1");
	whole = sample.head.length;
	for (uint32_t length = 0; length < whole; length++) {
		sample.head.length = length;
		take_with(d, 0);
		take_with(d, 20);
	}
	sample.head.length = whole;
	dns_take(d, &sample, sizeof sample.head - 1);
	dns_take(d, &sample, sizeof sample.head + whole - 1); /* says more than there is */
	check(d, MS, "192.0.2.1", NULL, 0);
	/* A name that points to itself. */
	begin(MS);
	sample.head.message[5] = sample.head.message[7] = 1;
	put("\xc0\x0c\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 22);
	take_with(d, 0);
	check(d, MS, "1.2.3.4", NULL, 0);
	/* More records than it has; an address of three bytes. */
	begin(MS);
	question("a");
	record("a", A, 1, "192.0.2.1");
	sample.head.message[7] = 9;
	take_with(d, 0);
	begin(MS);
	question("a");
	sample.head.message[7] = 1;
	put("\0\0\1\0\1\0\0\0\0\0\3\1\2\3", 14);
	take_with(d, 0);
	check(d, MS, "192.0.2.1", NULL, 0);
	dns_free(d);
}

/* More answers in a row than can wait for an attempt. */
static void any_number_may_wait(void **state)
{
	struct dns *d = dns_new();

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		begin((1 + i) * MS);
		question("many.example");
		for (uint32_t k = 0; k < 100; k++)
			record("", A, 1, address_of(i * 100 + k));
		take_with(d, 0);
	}
	check(d, 300 * MS, address_of(19999), "many.example", 100000);
	check(d, 300 * MS, address_of(19999 - 10239), "many.example", 202000);
	assert_int_equal(find(d, 300 * MS, address_of(19999 - 10240)).answered, ANSWERED_UNKNOWN);
	answer(d, 400 * MS, "left.example", "192.0.2.1"); /* waits at the end */
	dns_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_the_name_that_was_asked_for),
		cmocka_unit_test(a_mapped_address_is_the_one_in_it),
		cmocka_unit_test(multicast_answers_have_their_own_names),
		cmocka_unit_test(names_are_those_of_the_time_of_the_call),
		cmocka_unit_test(names_are_known_for_a_day),
		cmocka_unit_test(the_oldest_is_forgotten),
		cmocka_unit_test(what_is_missing_is_not_known),
		cmocka_unit_test(names_are_bytes),
		cmocka_unit_test(what_is_cut_or_wrong_is_left_out),
		cmocka_unit_test(any_number_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
