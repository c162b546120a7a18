/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/batch_builder.h"
#include "../../formats/columns.h"

#include <time.h>

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}

static struct event ipv4_event(void)
{
	static const struct process process = {
		.pid = 11072, .uid = 1000, .gid = 100, .comm = TEXT("ssh")};

	return (struct event){
		.time_ns = 1,
		.process = &process,
		.tid = 11073,
		.saddr = {4, {10, 0, 0, 1}},
		.daddr = {4, {93, 184, 216, 34}},
		.lport = 40001,
		.dport = 443,
	};
}

static struct event ipv6_event(void)
{
	static const struct process process = {
		.pid = 4194304, .uid = 4294967294, .comm = TEXT("a-name-of-15-ch")};

	return (struct event){
		.time_ns = 1,
		.process = &process,
		.tid = 4194304,
		.daddr = {6, {0x20, 1, 0xd, 0xb8, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44,
				     0x55, 0x55, 0x66, 0x66}},
		.dport = 65535,
	};
}

/* Header (if wanted) and a row for each event, 1.5 s apart. The text is the caller's to free. */
static char *print(
	const struct columns_choice *choice, bool header, const struct event *events, size_t count)
{
	struct error error;
	struct columns *columns = columns_new(choice, &error);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!columns)
		fail_msg("%s", error.text);
	if (header)
		columns_header(columns, out);
	for (size_t i = 0; i < count; i++) {
		const struct columns_row row = {.event = &events[i],
			.wall_ns = 1763894700123456789 + (int64_t)i * 1500000000,
			.host = bytes_of("myhost"),
			.backend = bytes_of("fentry")};

		columns_print(columns, &row, out);
	}
	fclose(out);
	columns_free(columns);
	return text;
}

static void check(const struct columns_choice *choice, const char *expected)
{
	const struct event events[] = {ipv4_event(), ipv6_event()};
	char *text = print(choice, true, events, 2);

	assert_string_equal(text, expected);
	free(text);
}

static void our_columns_never_fuse(void **state)
{
	(void)state;
	check(&(struct columns_choice){0},
		"PID     COMM            IP SADDR           DADDR           DPORT\n"
		"11072   ssh             4  10.0.0.1        93.184.216.34   443\n"
		"4194304 a-name-of-15-ch 6  -               2001:db8:1111:2222:3333:4444:5555:6666 "
		"65535\n");
	check(&(struct columns_choice){.time = true, .uid = true, .lport = true},
		"TIME(s)   UID    PID     COMM            IP SADDR           LPORT DADDR           "
		"DPORT\n"
		"0.000     1000   11072   ssh             4  10.0.0.1        40001 93.184.216.34   "
		"443\n"
		"1.500     4294967294 4194304 a-name-of-15-ch 6  -               -     "
		"2001:db8:1111:2222:3333:4444:5555:6666 65535\n");
}

/* Checked with the printf formats in the sources of the peers. */
static void styles_are_those_of_the_peers_to_the_byte(void **state)
{
	(void)state;
	check(&(struct columns_choice){.style = "bcc"},
		"PID     COMM         IP SADDR            DADDR            DPORT \n"
		"11072   ssh          4  10.0.0.1         93.184.216.34    443    \n"
		"4194304 a-name-of-15 6  ::               2001:db8:1111:2222:3333:4444:5555:6666 "
		"65535  \n");
	check(&(struct columns_choice){.style = "bcc", .lport = true, .time = true, .uid = true},
		"TIME(s)  UID   PID     COMM         IP SADDR            LPORT  DADDR            "
		"DPORT \n"
		"0.000    1000  11072   ssh          4  10.0.0.1         40001  93.184.216.34    "
		"443    \n"
		"1.500    42949672944194304 a-name-of-15 6  ::               0      "
		"2001:db8:1111:2222:3333:4444:5555:6666 65535  \n");
	check(&(struct columns_choice){.style = "bcc2019", .time = true, .uid = true},
		"TIME(s)  UID   PID    COMM         IP SADDR            DADDR            DPORT\n"
		"0.000    1000  11072  ssh          4  10.0.0.1         93.184.216.34    443 \n"
		"1.500    42949672944194304 a-name-of-15 6  ::               "
		"2001:db8:1111:2222:3333:4444:5555:6666 65535\n");
	check(&(struct columns_choice){.style = "libbpf", .lport = true},
		"PID    COMM             IP SADDR            DADDR            SPORT DPORT\n"
		"11072  ssh              4  10.0.0.1         93.184.216.34    40001 443  \n"
		"4194304 a-name-of-15-ch  6  ::               "
		"2001:db8:1111:2222:3333:4444:5555:6666 "
		"0     65535\n");
	check(&(struct columns_choice){.style = "libbpf"},
		"PID    COMM             IP SADDR            DADDR            DPORT\n"
		"11072  ssh              4  10.0.0.1         93.184.216.34    443  \n"
		"4194304 a-name-of-15-ch  6  ::               "
		"2001:db8:1111:2222:3333:4444:5555:6666 "
		"65535\n");
}

static void any_columns_in_any_order(void **state)
{
	setenv("TZ", "UTC0", 1);
	(void)state;
	check(&(struct columns_choice){.names = "dport,pid,dport"}, "DPORT PID     DPORT\n"
								    "443   11072   443\n"
								    "65535 4194304 65535\n");
	check(&(struct columns_choice){.names = "time,clock,host,uid,gid,pid,tid,comm,ip,saddr,"
						"lport,daddr,dport,backend"},
		"TIME(s)   CLOCK                       HOST         UID    GID    PID     TID     "
		"COMM            IP SADDR           LPORT DADDR           DPORT BACKEND\n"
		"0.000     2025-11-23T10:45:00.123456Z myhost       1000   100    11072   11073   "
		"ssh             4  10.0.0.1        40001 93.184.216.34   443   fentry\n"
		"1.500     2025-11-23T10:45:01.623456Z myhost       4294967294 0      4194304 "
		"4194304 "
		"a-name-of-15-ch 6  -               -     2001:db8:1111:2222:3333:4444:5555:6666 "
		"65535 fentry\n");
	/* -o wins over the single columns. */
	check(&(struct columns_choice){.names = "ip", .time = true, .uid = true}, "IP\n4\n6\n");
}

static void bad_choices_are_refused(void **state)
{
	static const struct {
		struct columns_choice choice;
		const char *message;
	} cases[] = {
		{{.style = "perf"}, "'perf' is not a style: bcc, bcc2019 or libbpf"},
		{{.style = ""}, "'' is not a style"},
		{{.style = "bcc", .names = "pid"}, "leave out -o"},
		{{.style = "bcc", .clock = true}, "leave out -T"},
		{{.style = "bcc2019", .lport = true}, "leave out -L"},
		{{.style = "bcc2019", .query = true}, "leave out -d"},
		{{.style = "libbpf", .query = true, .lport = true}, "leave out -d"},
		{{.names = ""}, "'' is not a column"},
		{{.names = "pid,"}, "'' is not a column"},
		{{.names = ",pid"}, "'' is not a column"},
		{{.names = "pid,,ip"}, "'' is not a column"},
		{{.names = "pi"}, "'pi' is not a column"},
		{{.names = "pids"}, "'pids' is not a column"},
		{{.names = "PID"}, "'PID' is not a column"},
		{{.names = "pid, ip"}, "' ip' is not a column"},
		{{.names = "x"}, " pid tid ppid comm "},
		{{.names = "ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,ip,"
			   "ip,"
			   "ip,ip,ip,ip,ip,ip,ip,ip,ip"},
			"more than 32 columns"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error error = {"accepted"};

		assert_null(columns_new(&cases[i].choice, &error));
		assert_contains(error.text, cases[i].message);
	}
}

static void clocks_are_of_the_zone_of_the_reader(void **state)
{
	static const struct {
		const char *zone;
		int64_t wall_ns;
		const char *expected;
	} cases[] = {
		{"UTC0", 0, "1970-01-01T00:00:00.000000Z\n"},
		{"UTC0", 999, "1970-01-01T00:00:00.000000Z\n"},
		{"UTC0", -1, "1969-12-31T23:59:59.999999Z\n"},
		{"UTC0", -1000000000, "1969-12-31T23:59:59.000000Z\n"},
		{"UTC0", 1763894700123456789, "2025-11-23T10:45:00.123456Z\n"},
		{"IST-5:30", 0, "1970-01-01T05:30:00.000000+05:30\n"},
		{"NST3:30", 0, "1969-12-31T20:30:00.000000-03:30\n"},
		{"UTC0", INT64_MAX, "2262-04-11T23:47:16.854775Z\n"},
		{"UTC0", INT64_MIN, "1677-09-21T00:12:43.145224Z\n"},
	};
	const struct columns_choice choice = {.names = "clock"};
	const struct event event = ipv4_event();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct columns_row row = {.event = &event, .wall_ns = cases[i].wall_ns};
		struct columns *columns;
		struct error error;
		char text[64] = "";
		FILE *out = fmemopen(text, sizeof text, "w");

		setenv("TZ", cases[i].zone, 1);
		columns = columns_new(&choice, &error);
		columns_print(columns, &row, out);
		fclose(out);
		columns_free(columns);
		assert_string_equal(text, cases[i].expected);
	}
	setenv("TZ", "UTC0", 1);
}

/* Also where the offset is that of another season: all rows of a table are aligned. */
static void the_clock_is_as_wide_as_its_zone_needs(void **state)
{
	static const struct {
		const char *zone;
		int width;
	} cases[] = {
		{"UTC0", 27},
		{"UTC", 27},
		{"GMT0BST,M3.5.0/1,M10.5.0", 32}, /* Z in November */
		{"CET-1CEST,M3.5.0,M10.5.0/3", 32},
		{"NST3:30", 32},
	};
	const struct event event = ipv4_event();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text, *row, expected[64];

		setenv("TZ", cases[i].zone, 1);
		text = print(&(struct columns_choice){.names = "clock,ip"}, true, &event, 1);
		snprintf(expected, sizeof expected, "%-*s IP\n", cases[i].width, "CLOCK");
		row = strchr(text, '\n') + 1;
		assert_memory_equal(text, expected, strlen(expected));
		assert_int_equal(strlen(row), cases[i].width + 3);
		free(text);
	}
	setenv("TZ", "UTC0", 1);
}

/* Of hostile traces; also earlier than the first row. */
static void times_may_be_anything(void **state)
{
	static const int64_t times[] = {INT64_MIN, INT64_MAX, 0, -1};
	const struct columns_choice choice = {.names = "time"};
	const struct event event = ipv4_event();
	struct error error;
	struct columns *columns;
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	for (size_t first = 0; first < COUNT(times); first++) {
		columns = columns_new(&choice, &error);
		for (size_t i = 0; i < COUNT(times); i++) {
			const size_t at = (first + i) % COUNT(times);
			const struct columns_row row = {.event = &event, .wall_ns = times[at]};

			columns_print(columns, &row, out);
		}
		columns_free(columns);
	}
	fclose(out);
}

static void earlier_rows_have_negative_times(void **state)
{
	const struct columns_choice choice = {.names = "time"};
	const struct event event = ipv4_event();
	const struct columns_row rows[] = {
		{.event = &event, .wall_ns = 5000000000},
		{.event = &event, .wall_ns = 4750000000},
		{.event = &event, .wall_ns = 10005000000000},
	};
	struct error error;
	struct columns *columns = columns_new(&choice, &error);
	char text[64] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		columns_print(columns, &rows[i], out);
	fclose(out);
	columns_free(columns);
	assert_string_equal(text, "0.000\n-0.250\n10000.000\n");
}

/* One row with that name, in that style. */
static char *print_comm(const char *style, struct bytes comm)
{
	const struct columns_choice choice = {.style = style};
	struct event event = ipv4_event();
	struct process process = *event.process;

	process.comm = comm;
	event.process = &process;
	return print(&choice, false, &event, 1);
}

static void hostile_names_are_escaped_in_every_style(void **state)
{
	static const char *const styles[] = {NULL, "bcc", "bcc2019", "libbpf"};

	(void)state;
	for (size_t i = 0; i < COUNT(styles); i++) {
		char *text = print_comm(styles[i], bytes_of("\x1b[2J\n"));

		assert_contains(text, " \\x1b[2J\\x0a");
		free(text);
		text = print_comm(styles[i], bytes_of("\u202e"));
		assert_contains(text, " \\xe2\\x80\\xae");
		free(text);
	}
}

static void a_missing_name_is_a_dash(void **state)
{
	char *text = print_comm(NULL, (struct bytes){NULL, 0});

	(void)state;
	assert_string_equal(
		text, "11072   -               4  10.0.0.1        93.184.216.34   443\n");
	free(text);
}

static void long_names_are_cut(void **state)
{
	uint8_t name[1000];
	char *text, *space;

	(void)state;
	memset(name, '\n', sizeof name); /* four characters each */
	text = print_comm(NULL, (struct bytes){name, sizeof name});
	space = strchr(text + 8, ' ');
	assert_int_equal(space - (text + 8), 4 * 255);
	free(text);
}

/* Length of a well-formed UTF-8 character, 0: none. Only those that the names below have. */
static size_t character(const uint8_t *p)
{
	size_t n = p[0] < 0x80       ? 1
		   : p[0] >> 5 == 6  ? 2
		   : p[0] >> 4 == 14 ? 3
		   : p[0] >> 3 == 30 ? 4
				     : 0;

	for (size_t i = 1; i < n; i++)
		if (p[i] >> 6 != 2)
			return 0;
	return n;
}

/* The styles cut names: never inside a character, what is left of one could take the next in. */
static void a_cut_leaves_no_part_of_a_character(void **state)
{
	static const char *const styles[] = {"bcc", "bcc2019", "libbpf"};
	static const char *const characters[] = {"\u00e9", "\u4e2d", "\U0001f600"};

	(void)state;
	for (size_t s = 0; s < COUNT(styles); s++)
		for (size_t c = 0; c < COUNT(characters); c++)
			for (size_t before = 6; before < 17; before++) {
				char name[64], *text;

				snprintf(name, sizeof name, "%.*s%s%s", (int)before,
					"aaaaaaaaaaaaaaaaaaaa", characters[c], characters[c]);
				text = print_comm(styles[s], bytes_of(name));
				for (const uint8_t *p = (uint8_t *)text; *p; p += character(p))
					if (!character(p))
						fail_msg("style %s, name %s", styles[s], name);
				free(text);
			}
}

/* Only what a column says that it needs is decoded for it. */
static void each_column_shows_the_same_of_what_it_needs(void **state)
{
	static uint8_t record[RECORD_PAYLOAD_MAX];
	const struct process process = {.identity = 1, .pid = 10, .uid = 7, .comm = bytes_of("x")};
	struct batch_header header = {.session = "0123456789abcde"};
	struct batch_builder *builder = batch_builder_new();
	struct batch batch = {0};
	struct error error;
	struct bytes whole;
	int kind;

	(void)state;
	assert_non_null(builder);
	for (unsigned int i = 0; i < 4; i++) {
		struct event event = {.time_ns = 1000 + i,
			.process = &process,
			.tid = 11,
			.flags = i % 2 ? EVENT_NONBLOCKING : EVENT_MAPPED,
			.returned = (uint16_t)(i < 2 ? 1 : 112),
			.net_ns = 5,
			.saddr = {4, {10, 0, 0, 1}},
			.daddr = {4, {10, 0, 0, 2}},
			.lport = 1024,
			.dport = 443,
			.result = {(uint8_t)(i < 3 ? i : 2), (uint16_t)(i == 2 ? 111 : 0), 2, 99},
			.query = {(const uint8_t *)"a.net", i < 2 ? 5 : 0},
			.answered = i < 2 ? 5 + i : i - 2};

		assert_int_equal(batch_builder_add(builder, &event), 0);
	}
	whole.data = record;
	whole.length = batch_builder_encode(builder, &header, record);
	batch_builder_free(builder);
	assert_int_equal(record_parse(whole, &whole, &kind, &error), 0);
	assert_int_equal(batch_parse(&batch, whole, &error), 0);
	for (size_t i = 0; i < COLUMN_KINDS; i++)
		for (uint32_t row = 0; row < batch.events; row++) {
			const struct column_kind *column = &column_kinds[i];
			struct event full = {0}, part = {0};
			struct columns_row rows[] = {{.event = &full}, {.event = &part}};
			struct text texts[2] = {{0}};

			batch_event(&batch, row, &full);
			batch_event_part(&batch, row, column->needs, &part);
			for (size_t k = 0; k < 2; k++) {
				struct value value = column->get(&rows[k]);

				value_put_json(&value, column->value, column->name, &texts[k]);
			}
			assert_int_equal(texts[0].length, texts[1].length);
			assert_memory_equal(texts[0].data, texts[1].data, texts[0].length);
			text_release(&texts[0]);
			text_release(&texts[1]);
		}
	batch_release(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_columns_never_fuse),
		cmocka_unit_test(styles_are_those_of_the_peers_to_the_byte),
		cmocka_unit_test(any_columns_in_any_order),
		cmocka_unit_test(bad_choices_are_refused),
		cmocka_unit_test(clocks_are_of_the_zone_of_the_reader),
		cmocka_unit_test(the_clock_is_as_wide_as_its_zone_needs),
		cmocka_unit_test(times_may_be_anything),
		cmocka_unit_test(earlier_rows_have_negative_times),
		cmocka_unit_test(hostile_names_are_escaped_in_every_style),
		cmocka_unit_test(a_missing_name_is_a_dash),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(a_cut_leaves_no_part_of_a_character),
		cmocka_unit_test(each_column_shows_the_same_of_what_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
