/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/filter.h"

typedef int add(struct filter *filter, const char *text, struct error *error);

static bool matches(
	const struct filter *filter, uint32_t pid, uint32_t uid, uint16_t port, uint8_t family)
{
	struct event event = {
		.process = &(struct process){.pid = pid, .uid = uid},
		.daddr = {.family = family},
		.dport = port,
	};

	return filter_matches(filter, &event);
}

static void without_filter_all_match(void **state)
{
	const struct filter filter = {0};

	(void)state;
	assert_true(matches(&filter, 0, 0, 0, 4));
	assert_true(matches(&filter, UINT32_MAX, UINT32_MAX, 65535, 6));
}

/* Which values an argument lets through: those named, and not their neighbours. */
static void lists_match_what_they_name(void **state)
{
	static const struct {
		add *add;
		const char *text;
		uint32_t in[6], out[6]; /* 0 ends them */
	} cases[] = {
		{filter_add_pids, "7", {7}, {6, 8, 70}},
		{filter_add_pids, "7,4194304,1", {7, 1, 4194304}, {2, 6, 4194303, 4194305}},
		{filter_add_pids, "!7", {6, 8, UINT32_MAX}, {7}},
		{filter_add_pids, "!7,9", {6, 8, 10}, {7, 9}},
		{filter_add_pids, "5,5,5", {5}, {4, 6}},
		{filter_add_uids, "1000", {1000}, {999, 1001}},
		{filter_add_uids, "4294967294", {4294967294}, {4294967293, 4294967295}},
		{filter_add_uids, "!1000", {999, 1001}, {1000}},
		{filter_add_ports, "443", {443}, {442, 444}},
		{filter_add_ports, "100-200", {100, 101, 199, 200}, {99, 201}},
		{filter_add_ports, "1-65535", {1, 65535}, {0}},
		{filter_add_ports, "65535", {65535}, {1, 65534}},
		{filter_add_ports, "9-9", {9}, {8, 10}},
		{filter_add_ports, "20-30,25-40,22", {20, 30, 31, 40, 22}, {19, 41}},
		{filter_add_ports, "!100-200,80", {99, 201, 79, 81}, {100, 200, 80, 150}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter filter = {0};
		struct error error;
		bool wanted;

		if (cases[i].add(&filter, cases[i].text, &error))
			fail_msg("%s: %s", cases[i].text, error.text);
		for (size_t k = 0; k < 12; k++) {
			uint32_t v = k < 6 ? cases[i].in[k] : cases[i].out[k - 6];

			if (!v)
				continue;
			wanted = cases[i].add == filter_add_pids ? matches(&filter, v, 1, 1, 4)
				 : cases[i].add == filter_add_uids
					 ? matches(&filter, 1, v, 1, 4)
					 : matches(&filter, 1, 1, (uint16_t)v, 4);
			if (wanted != (k < 6))
				fail_msg("'%s' and %u", cases[i].text, v);
		}
		filter_release(&filter);
	}
}

/* Port 0 cannot be named; a filter on ports does not let it through, a negated one does. */
static void zero_is_no_port_and_no_wildcard(void **state)
{
	struct filter only = {0}, not = {0};
	struct error error;

	(void)state;
	assert_int_equal(filter_add_ports(&only, "1-65535", &error), 0);
	assert_int_equal(filter_add_ports(&not, "!1-65535", &error), 0);
	assert_false(matches(&only, 1, 1, 0, 4));
	assert_true(matches(&not, 1, 1, 0, 4));
	filter_release(&only);
	filter_release(&not );
}

static void different_filters_are_anded_values_ored(void **state)
{
	struct filter filter = {0};
	struct error error;

	(void)state;
	assert_int_equal(filter_add_pids(&filter, "1", &error), 0);
	assert_int_equal(filter_add_pids(&filter, "2", &error), 0);
	assert_int_equal(filter_add_uids(&filter, "!0", &error), 0);
	assert_int_equal(filter_add_uids(&filter, "!5", &error), 0);
	assert_int_equal(filter_add_ports(&filter, "80", &error), 0);
	assert_int_equal(filter_set_family(&filter, 6, &error), 0);
	assert_true(matches(&filter, 1, 1, 80, 6));
	assert_true(matches(&filter, 2, 1, 80, 6));
	assert_false(matches(&filter, 3, 1, 80, 6));
	assert_false(matches(&filter, 1, 0, 80, 6));
	assert_false(matches(&filter, 1, 5, 80, 6));
	assert_false(matches(&filter, 1, 1, 81, 6));
	assert_false(matches(&filter, 1, 1, 80, 4));
	filter_release(&filter);
	assert_true(matches(&filter, 3, 0, 81, 4));
}

static void one_family_only(void **state)
{
	struct filter filter = {0};
	struct error error;

	(void)state;
	assert_int_equal(filter_set_family(&filter, 4, &error), 0);
	assert_int_equal(filter_set_family(&filter, 4, &error), 0);
	assert_true(matches(&filter, 1, 1, 1, 4));
	assert_false(matches(&filter, 1, 1, 1, 6));
	assert_int_equal(filter_set_family(&filter, 6, &error), -1);
	assert_string_equal(error.text, "-4 and -6 exclude each other");
}

static void users_may_be_names(void **state)
{
	struct filter filter = {0};
	struct error error;

	(void)state;
	assert_int_equal(filter_add_uids(&filter, "root,1000", &error), 0);
	assert_true(matches(&filter, 1, 0, 1, 4));
	assert_true(matches(&filter, 1, 1000, 1, 4));
	assert_false(matches(&filter, 1, 1, 1, 4));
	assert_int_equal(filter_add_uids(&filter, "no such user", &error), -1);
	assert_contains(error.text, "'no such user' is not a user");
	filter_release(&filter);
}

/* quoted: what the message must show of the argument. */
static void bad_lists_are_refused_and_quoted(void **state)
{
	static const struct {
		add *add;
		const char *text, *quoted;
	} cases[] = {
		{filter_add_pids, "", "''"},
		{filter_add_pids, "!", "''"},
		{filter_add_pids, ",", "''"},
		{filter_add_pids, "1,", "''"},
		{filter_add_pids, ",1", "''"},
		{filter_add_pids, "1,,2", "''"},
		{filter_add_pids, "0", "'0'"},
		{filter_add_pids, "4194305", "'4194305'"},
		{filter_add_pids, "-1", "'-1'"},
		{filter_add_pids, "12abc", "'12abc'"},
		{filter_add_pids, "1, 2", "' 2'"},
		{filter_add_pids, "!!1", "'!1'"},
		{filter_add_pids, "1,!2", "'!2'"},
		{filter_add_pids, "1-2", "'1-2'"},
		{filter_add_uids, "4294967295", "'4294967295'"},
		{filter_add_uids, "4294967296", "'4294967296'"},
		{filter_add_uids, "0x0", "'0x0'"},
		{filter_add_uids, "", "''"},
		{filter_add_uids, "-1", "'-1'"},
		{filter_add_ports, "0", "'0'"},
		{filter_add_ports, "65536", "'65536'"},
		{filter_add_ports, "1-65536", "'1-65536'"},
		{filter_add_ports, "0-5", "'0-5'"},
		{filter_add_ports, "1-", "'1-'"},
		{filter_add_ports, "-1", "'-1'"},
		{filter_add_ports, "1-2-3", "'1-2-3'"},
		{filter_add_ports, "9-8", "'9-8'"},
		{filter_add_ports, "http", "'http'"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter filter = {0};
		struct error error = {""};

		if (cases[i].add(&filter, cases[i].text, &error) != -1)
			fail_msg("'%s' is accepted", cases[i].text);
		assert_contains(error.text, cases[i].quoted);
		filter_release(&filter);
	}
}

static void a_list_is_negated_or_not(void **state)
{
	struct filter filter = {0};
	struct error error;

	(void)state;
	assert_int_equal(filter_add_ports(&filter, "80", &error), 0);
	assert_int_equal(filter_add_ports(&filter, "!81", &error), -1);
	assert_contains(error.text, "'!81'");
	filter_release(&filter);
	assert_int_equal(filter_add_ports(&filter, "!81", &error), 0);
	assert_int_equal(filter_add_ports(&filter, "80", &error), -1);
	assert_contains(error.text, "'80'");
	filter_release(&filter);
}

static void a_list_has_an_end(void **state)
{
	enum { MOST = 65536 };
	struct filter filter = {0};
	struct error error;

	(void)state;
	filter.pids.ranges = calloc(MOST, sizeof *filter.pids.ranges);
	assert_non_null(filter.pids.ranges);
	filter.pids.count = MOST - 2;
	assert_int_equal(filter_add_pids(&filter, "1,2", &error), 0);
	assert_int_equal(filter.pids.count, MOST);
	assert_int_equal(filter_add_pids(&filter, "3", &error), -1);
	assert_contains(error.text, "65536");
	assert_int_equal(filter.pids.count, MOST);
	assert_true(matches(&filter, 2, 1, 1, 4));
	assert_false(matches(&filter, 3, 1, 1, 4));
	filter_release(&filter);
}

static void filters_are_described_in_words(void **state)
{
	struct filter filter = {0};
	struct error error;
	char out[128];

	(void)state;
	assert_string_equal(filter_describe(&filter, out, sizeof out), "");
	assert_int_equal(filter_add_uids(&filter, "1000,1001", &error), 0);
	assert_int_equal(filter_add_ports(&filter, "!22", &error), 0);
	assert_string_equal(
		filter_describe(&filter, out, sizeof out), "uid 1000,1001 and port !22");
	assert_int_equal(filter_add_ports(&filter, "!1024-65535", &error), 0);
	assert_int_equal(filter_add_pids(&filter, "3", &error), 0);
	assert_int_equal(filter_set_family(&filter, 6, &error), 0);
	assert_string_equal(filter_describe(&filter, out, sizeof out),
		"ip 6 and pid 3 and uid 1000,1001 and port !22,1024-65535");
	filter_release(&filter);
	assert_int_equal(filter_add_comms(&filter, "!nc,curl", &error), 0);
	assert_int_equal(filter_add_cgroups(&filter, "/a", &error), 0);
	assert_int_equal(filter_add_netns(&filter, "7", &error), 0);
	assert_int_equal(filter_set_expression(&filter, "dst port 80", &error), 0);
	filter.failed = true;
	assert_string_equal(filter_describe(&filter, out, sizeof out),
		"comm !nc,curl and cgroup /a and netns 7 and failed and (dst port 80)");
	filter_release(&filter);
}

static void descriptions_are_cut_to_size(void **state)
{
	static const char full[] = "ip 4 and pid 1,2,3 and port !80";
	struct filter filter = {0};
	struct error error;

	(void)state;
	assert_int_equal(filter_add_pids(&filter, "1,2,3", &error), 0);
	assert_int_equal(filter_add_ports(&filter, "!80", &error), 0);
	assert_int_equal(filter_set_family(&filter, 4, &error), 0);
	for (size_t size = 1; size <= sizeof full + 2; size++) {
		char *out = malloc(size);
		size_t length = size - 1 < sizeof full - 1 ? size - 1 : sizeof full - 1;

		assert_non_null(out);
		assert_ptr_equal(filter_describe(&filter, out, size), out);
		assert_int_equal(strlen(out), length);
		assert_memory_equal(out, full, length);
		free(out);
	}
	filter_release(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_filter_all_match),
		cmocka_unit_test(lists_match_what_they_name),
		cmocka_unit_test(zero_is_no_port_and_no_wildcard),
		cmocka_unit_test(different_filters_are_anded_values_ored),
		cmocka_unit_test(one_family_only),
		cmocka_unit_test(users_may_be_names),
		cmocka_unit_test(bad_lists_are_refused_and_quoted),
		cmocka_unit_test(a_list_is_negated_or_not),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(filters_are_described_in_words),
		cmocka_unit_test(descriptions_are_cut_to_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
