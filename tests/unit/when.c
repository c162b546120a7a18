/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "../../formats/expression.h"
#include "../../formats/when.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <time.h>

#define NS INT64_C(1000000000)
#define NOW (INT64_C(1795430700) * NS) /* 2026-11-23T10:45:00Z */

static void times_are_parsed(void **state)
{
	static const struct {
		const char *text;
		int64_t s, ns;
	} cases[] = {
		{"2026-11-23T10:45:00Z", 1795430700, 0},
		{"2026-11-23t10:45:00z", 1795430700, 0},
		{"2026-11-23 10:45:00.5Z", 1795430700, 500000000},
		{"2026-11-23T10:45:00.123456789Z", 1795430700, 123456789},
		{"2026-11-23T10:45:00.1234567899Z", 1795430700, 123456789},
		{"2026-11-23T16:15:00+05:30", 1795430700, 0},
		{"2026-11-23T07:15:00-03:30", 1795430700, 0},
		{"2026-11-23 16:15", 1795430700, 0},
		{"2026-11-23 16:15:02", 1795430702, 0},
		{"2026-11-23", 1795430700 - 16 * 3600 - 15 * 60, 0},
		{"16:15", 1795430700, 0},
		{"16:15:01.25", 1795430701, 250000000},
		{"-15m", 1795430700 - 900, 0},
		{"-2h", 1795430700 - 7200, 0},
		{"-1d", 1795430700 - 86400, 0},
		{"-250ms", 1795430699, 750000000},
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1900-01-01T00:00:00Z", -2208988800, 0},
	};
	struct error error;
	int64_t ns;

	(void)state;
	setenv("TZ", "IST-5:30", 1);
	tzset();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (when_parse(cases[i].text, NOW, &ns, &error))
			fail_msg("%s: %s", cases[i].text, error.text);
		if (ns != cases[i].s * NS + cases[i].ns)
			fail_msg("%s: %lld", cases[i].text, (long long)ns);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {"", "now", "10", "10:", "24:00", "10:60", "1:00",
		"2026-13-01", "2026-02-30", "2026-11-23T", "2026-11-23T10", "2026-11-23T10:45+5",
		"2026-11-23T10:45:00.Z", "2026-11-23T10:45:00Zx", "-15", "-15w", "-", "-0m",
		"--15m", "-1.5h", "15m", "99999-01-01", "-99999999999999999999d",
		"2026-11-23X10:45"};
	struct error error;
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (!when_parse(texts[i], NOW, &ns, &error))
			fail_msg("'%s' was taken", texts[i]);
		assert_non_null(strstr(error.text, texts[i]));
	}
}

static bool matches(
	const char *text, const char *from, uint16_t lport, const char *to, uint16_t dport)
{
	struct event event = {.lport = lport, .dport = dport};
	struct expression *expression;
	struct error error;
	bool answer;

	event.daddr.family = event.saddr.family = strchr(to, ':') ? 6 : 4;
	inet_pton(strchr(to, ':') ? AF_INET6 : AF_INET, to, event.daddr.bytes);
	inet_pton(strchr(to, ':') ? AF_INET6 : AF_INET, from, event.saddr.bytes);
	expression = expression_new(text, &error);
	if (!expression)
		fail_msg("%s: %s", text, error.text);
	answer = expression_matches(expression, &event);
	expression_free(expression);
	return answer;
}

static void expressions_see_the_connection(void **state)
{
	(void)state;
	assert_true(matches("tcp and ip", "10.0.0.1", 40000, "10.0.0.2", 80));
	assert_false(matches("udp", "10.0.0.1", 40000, "10.0.0.2", 80));
	assert_true(matches("dst port 80", "10.0.0.1", 40000, "10.0.0.2", 80));
	assert_false(matches("src port 80", "10.0.0.1", 40000, "10.0.0.2", 80));
	assert_true(matches("src port 40000", "10.0.0.1", 40000, "10.0.0.2", 80));
	assert_true(matches("dst host 10.0.0.2", "10.0.0.1", 1, "10.0.0.2", 80));
	assert_false(matches("dst host 10.0.0.2", "10.0.0.2", 1, "10.0.0.1", 80));
	assert_true(matches("dst net 10.0.0.0/8 and not port 443", "::", 1, "10.9.9.9", 80));
	assert_true(matches("net 2001:db8::/32", "::1", 1, "2001:db8::7", 80));
	assert_true(matches("ip6 and dst host 2001:db8::7", "::1", 1, "2001:db8::7", 80));
	assert_false(matches("ip6", "10.0.0.1", 1, "10.0.0.2", 80));
	assert_true(matches("portrange 79-81", "10.0.0.1", 1, "10.0.0.2", 80));
	assert_true(matches("port http or port https", "10.0.0.1", 1, "10.0.0.2", 443));
	assert_true(matches("port http or https", "10.0.0.1", 1, "10.0.0.2", 443));
	assert_true(matches("tcp[13] == 2", "10.0.0.1", 1, "10.0.0.2", 443));
	assert_true(matches("tcp[tcpflags] & tcp-syn != 0", "10.0.0.1", 1, "10.0.0.2", 443));
	assert_true(matches("ip proto \\tcp", "10.0.0.1", 1, "10.0.0.2", 443));
	assert_true(matches("len == 40", "10.0.0.1", 1, "10.0.0.2", 443));
}

static void names_are_not_looked_up(void **state)
{
	static const char *const texts[] = {"host localhost", "localhost", "src http",
		"port 80 or host http", "net loopback", "host 1e100.net", "gateway 10.0.0.1",
		"ether host x", "host a.b.c.d", "dst host fe80::x", "\\localhost",
		"port 80 and src https"};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct expression *expression = expression_new(texts[i], &error);

		if (expression)
			fail_msg("'%s' was taken", texts[i]);
		if (!strstr(error.text, "names are not looked up"))
			fail_msg("'%s': %s", texts[i], error.text);
	}
	assert_null(expression_new("port and", &error));
	assert_null(expression_new("port no-such-service", &error));
	assert_non_null(strstr(error.text, "service"));
	expression_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_parsed),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(expressions_see_the_connection),
		cmocka_unit_test(names_are_not_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
