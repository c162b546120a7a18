/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../fuzz/process_world.h"

static struct world world;

/* Random worlds: whatever is said is right, and much is said. */
static void what_is_said_is_right(void **state)
{
	static const size_t limits[] = {2, 3, 5, 8192};
	static uint8_t bytes[4000];
	uint64_t seed = 4;
	size_t found = 0, known = 0;

	(void)state;
	for (unsigned int round = 0; round < 400; round++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)random_next(&seed);
		bytes[0] = round % 16 ? 0 : 0xff;
		world_run(&world, bytes, sizeof bytes, limits[round % COUNT(limits)]);
		if (limits[round % COUNT(limits)] > 1000) {
			found += world.found;
			known += world.known;
		}
	}
	assert_true(found > 1000);
	assert_true(known > found / 8);
}

/* One process that is scripted: what /proc says of pid 7 now, and what happened. */
static struct script {
	uint64_t now_ns;
	struct proc_reading reading;
	bool gone;
	unsigned int reads;
	struct proc_change changes[8];
	size_t count;
} script;

static int script_read(void *context, uint32_t pid, bool with_args, struct proc_reading *reading)
{
	(void)context;
	script.reads++;
	*reading = script.reading;
	reading->begin_ns = script.now_ns++;
	reading->end_ns = script.now_ns++;
	if (!with_args)
		reading->process.args.length = 0;
	return script.gone || pid != 7 ? -1 : 0;
}

static int script_drain(void *context, proc_events_change *change, void *change_context)
{
	(void)context;
	for (size_t i = 0; i < script.count; i++)
		change(change_context, &script.changes[i]);
	script.count = 0;
	return 0;
}

static uint64_t script_now(void *context)
{
	(void)context;
	return script.now_ns++;
}

static struct process_cache *start_with(size_t limit, bool with_args)
{
	const struct process_source source = {script_read, script_drain, script_now, NULL};

	memset(&script, 0, sizeof script);
	script.now_ns = 1000000;
	script.reading.settled = true;
	script.reading.process = (struct process){.pid = 7,
		.uid = 10,
		.gid = 20,
		.euid = 11,
		.egid = 21,
		.loginuid = 12,
		.audit_session = 13,
		.ppid = 1,
		.pid_inside = 2,
		.mount_ns = 3,
		.pid_ns = 4,
		.comm = bytes_of("main"),
		.exe = bytes_of("/bin/x"),
		.args = {(const uint8_t *)"x\0y", 4},
		.cgroup = bytes_of("/system.slice/x.service")};
	return process_cache_new(&source, limit, with_args);
}

static struct process_facts facts_of(uint32_t pid, uint64_t time_ns)
{
	return (struct process_facts){.time_ns = time_ns,
		.tid = pid,
		.process = {.pid = pid,
			.uid = 10,
			.gid = 20,
			.euid = UNKNOWN_ID,
			.egid = UNKNOWN_ID,
			.loginuid = UNKNOWN_ID,
			.audit_session = UNKNOWN_ID,
			.comm = bytes_of("thread")}};
}

static void a_process_is_described(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts facts = facts_of(7, script.now_ns++);
	const struct process *p = process_cache_find(c, &facts);

	(void)state;
	assert_int_equal(p->pid, 7);
	assert_true(bytes_equal(p->comm, bytes_of("thread")));
	assert_true(bytes_equal(p->exe, bytes_of("/bin/x")));
	assert_int_equal(p->args.length, 4);
	assert_true(bytes_equal(p->cgroup, bytes_of("/system.slice/x.service")));
	assert_true(bytes_equal(p->unit, bytes_of("x.service")));
	assert_int_equal(p->euid, 11);
	assert_int_equal(p->egid, 21);
	assert_int_equal(p->loginuid, 12);
	assert_int_equal(p->audit_session, 13);
	assert_int_equal(p->pid_inside, 2);
	assert_int_equal(p->mount_ns, 3);
	assert_int_equal(p->pid_ns, 4);
	assert_int_not_equal(p->identity, 0);
	process_cache_free(c);
	process_cache_free(NULL);
}

static void a_described_process_is_not_read_again_and_keeps_its_identity(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts facts = facts_of(7, script.now_ns++);
	uint64_t identity = process_cache_find(c, &facts)->identity;
	unsigned int reads = script.reads;

	(void)state;
	for (int i = 0; i < 100; i++) {
		facts.time_ns = script.now_ns++;
		facts.process.comm = i % 2 ? bytes_of("a") : bytes_of("b");
		assert_int_equal(process_cache_find(c, &facts)->identity, identity);
	}
	assert_int_equal(script.reads, reads);
	/* Another user: another identity, and nothing that /proc says of the old one. */
	facts.process.uid = 99;
	assert_int_not_equal(process_cache_find(c, &facts)->identity, identity);
	assert_int_equal(process_cache_find(c, &facts)->uid, 99);
	assert_int_equal(process_cache_find(c, &facts)->euid, UNKNOWN_ID);
	process_cache_free(c);
}

static void an_answer_is_recalled_while_it_holds(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts facts = facts_of(7, script.now_ns++);
	struct event event = {.tid = 7, .process = &facts.process};
	const struct process *found;

	(void)state;
	assert_null(process_cache_recall(c, &event, NULL));
	process_cache_find(c, &facts);
	facts.time_ns = event.time_ns = script.now_ns++;
	found = process_cache_find(c, &facts);
	facts.process.comm = bytes_of("another");
	assert_ptr_equal(process_cache_recall(c, &event, NULL), found);
	assert_true(bytes_equal(found->comm, bytes_of("another")));
	facts.process.uid = 99;
	assert_null(process_cache_recall(c, &event, NULL));
	facts.process.uid = 10;
	event.tid = 8;
	assert_null(process_cache_recall(c, &event, NULL));
	event.tid = 7;
	assert_null(process_cache_recall(c, &event, &(struct description){.id = 1}));
	/* What happened until then is not known yet. */
	event.time_ns = script.now_ns;
	assert_null(process_cache_recall(c, &event, NULL));
	event.time_ns = facts.time_ns;
	assert_ptr_equal(process_cache_recall(c, &event, NULL), found);
	script.changes[script.count++] = (struct proc_change){
		.kind = CHANGE_EXEC, .pid = 7, .tid = 7, .time_ns = script.now_ns++};
	process_cache_follow(c, false);
	assert_null(process_cache_recall(c, &event, NULL));
	process_cache_free(c);
}

static void an_exec_after_the_sample_is_not_given_to_it(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts before = facts_of(7, script.now_ns++);

	(void)state;
	script.changes[script.count++] = (struct proc_change){
		.kind = CHANGE_EXEC, .pid = 7, .tid = 7, .time_ns = script.now_ns++};
	assert_int_equal(process_cache_find(c, &before)->exe.length, 0);
	before.time_ns = script.now_ns++;
	assert_true(bytes_equal(process_cache_find(c, &before)->exe, bytes_of("/bin/x")));
	process_cache_free(c);
}

static void a_reading_that_may_show_an_exec_is_not_used_for_what_was_before(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts facts = facts_of(7, script.now_ns++);

	(void)state;
	script.reading.settled = false;
	assert_int_equal(process_cache_find(c, &facts)->exe.length, 0);
	/* Seen again without an exec: it was none. */
	facts.time_ns = script.now_ns++;
	assert_int_not_equal(process_cache_find(c, &facts)->exe.length, 0);
	process_cache_free(c);
}

static void arguments_are_left_out(void **state)
{
	struct process_cache *c = start_with(100, false);
	struct process_facts facts = facts_of(7, script.now_ns++);
	const struct process *p;

	(void)state;
	facts.process.exe = bytes_of("/from/kernel");
	facts.process.args = bytes_of("secret");
	facts.process.flags = PROCESS_ARGS_CUT;
	p = process_cache_find(c, &facts);
	assert_true(bytes_equal(p->exe, bytes_of("/from/kernel")));
	assert_int_equal(p->args.length, 0);
	assert_int_equal(p->flags, 0);
	process_cache_free(c);
}

static void what_the_kernel_says_is_taken_as_it_is(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts facts = facts_of(7, script.now_ns++);
	uint8_t exe[] = "/from/kernel";
	const struct process *p;
	uint64_t identity;

	(void)state;
	script.gone = true;
	facts.process.exe = (struct bytes){exe, sizeof exe - 1};
	facts.process.args = (struct bytes){(const uint8_t *)"k", 2};
	facts.process.euid = 0;
	facts.process.start_ns = 123456789;
	facts.process.cgroup = bytes_of("/lxc.payload.web/a.service");
	p = process_cache_find(c, &facts);
	identity = p->identity;
	memset(exe, 'x', sizeof exe); /* the sample is gone, the answer stays */
	process_cache_see(c, 8, script.now_ns++);
	assert_true(bytes_equal(p->exe, bytes_of("/from/kernel")));
	assert_true(bytes_equal(p->container, bytes_of("web")));
	assert_true(bytes_equal(p->unit, bytes_of("a.service")));
	assert_int_equal(p->euid, 0);
	assert_int_equal(p->start_ns, 120000000);
	facts.process.exe = bytes_of("/from/kernel");
	assert_int_equal(process_cache_find(c, &facts)->identity, identity);
	facts.process.args = (struct bytes){(const uint8_t *)"l", 2};
	assert_int_not_equal(process_cache_find(c, &facts)->identity, identity);
	process_cache_free(c);
}

/* A child of pid 7, of which nothing can be read, as the kernel describes it. */
static struct description child_of_7(bool same_image)
{
	script.now_ns = 50000000000;
	script.reading.process.start_ns = 20000000000;
	return (struct description){.id = 1,
		.process = {.pid = 8,
			.ppid = 7,
			.start_ns = 30000000001,
			.euid = 1,
			.egid = 2,
			.loginuid = 3,
			.audit_session = 4},
		.parent_start_ns = 20000000001,
		.parent_comm = bytes_of("parent"),
		.same_image = same_image};
}

static void a_fork_has_the_program_of_its_parent(void **state)
{
	(void)state;
	for (int same = 0; same < 2; same++) {
		struct process_cache *c = start_with(100, true);
		struct description described = child_of_7(same);
		struct process_facts facts = facts_of(8, script.now_ns++);
		const struct process *p;

		facts.described = &described;
		p = process_cache_find(c, &facts);
		assert_int_equal(p->ppid, 7);
		assert_int_equal(p->euid, 1);
		assert_int_equal(p->start_ns, 30000000000);
		assert_true(bytes_equal(p->exe, same ? bytes_of("/bin/x") : bytes_of("")));
		assert_int_equal(p->args.length, same ? 4 : 0);
		assert_int_equal(p->parent->pid, 7);
		assert_true(bytes_equal(p->parent->comm, bytes_of("main")));
		process_cache_free(c);
	}
}

/* The pid of the parent is another's by now. */
static void a_parent_that_is_gone_is_what_the_kernel_said(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct description described = child_of_7(true);
	struct process_facts facts = facts_of(8, script.now_ns++);
	const struct process *p;

	(void)state;
	described.parent_start_ns = 10000000000;
	facts.described = &described;
	p = process_cache_find(c, &facts);
	assert_int_equal(p->exe.length, 0);
	assert_int_equal(p->ppid, 7);
	assert_int_equal(p->parent->pid, 7);
	assert_int_equal(p->parent->start_ns, 10000000000);
	assert_true(bytes_equal(p->parent->comm, bytes_of("parent")));
	assert_int_equal(p->parent->exe.length, 0);
	assert_null(p->parent->parent);
	process_cache_free(c);
}

static void what_is_described_whole_is_not_read(void **state)
{
	struct process_cache *c = start_with(100, true);
	struct process_facts facts = facts_of(7, script.now_ns++);
	struct description described = {.id = 1,
		.process = {.pid = 7,
			.start_ns = 1,
			.euid = 1,
			.egid = 2,
			.loginuid = 3,
			.audit_session = 4,
			.exe = bytes_of("/bin/told"),
			.args = bytes_of("told"),
			.cgroup = bytes_of("/a.scope")}};
	const struct process *p;
	uint64_t identity;

	(void)state;
	facts.described = &described;
	p = process_cache_find(c, &facts);
	identity = p->identity;
	assert_true(bytes_equal(p->exe, bytes_of("/bin/told")));
	assert_true(bytes_equal(p->unit, bytes_of("a.scope")));
	for (int i = 0; i < 100; i++) {
		facts.time_ns = script.now_ns++;
		assert_int_equal(process_cache_find(c, &facts)->identity, identity);
	}
	assert_int_equal(script.reads, 0);
	/* A new description is another answer. */
	described.id = 2;
	described.process.euid = 9;
	assert_int_equal(process_cache_find(c, &facts)->euid, 9);
	/* Of another process: not of this. */
	described.id = 3;
	described.process.pid = 8;
	facts.time_ns = script.now_ns++;
	assert_true(bytes_equal(process_cache_find(c, &facts)->exe, bytes_of("/bin/x")));
	process_cache_free(c);
}

/* Weeks in short: more processes than there is room for, with much text. */
static void memory_is_bounded(void **state)
{
	struct process_cache *c = start_with(1000, true);
	static uint8_t text[PROC_TEXT_MAX];

	(void)state;
	script.reading.process.exe = script.reading.process.args =
		(struct bytes){text, sizeof text};
	for (uint32_t pid = 1; pid < 100000; pid++) {
		struct process_facts facts = facts_of(pid, script.now_ns);

		script.changes[script.count++] = (struct proc_change){.kind = CHANGE_FORK,
			.pid = pid,
			.tid = pid,
			.parent = 1,
			.time_ns = script.now_ns++};
		facts.time_ns = script.now_ns++;
		facts.process.exe = facts.process.cgroup = (struct bytes){text, sizeof text};
		text[0] = (uint8_t)pid;
		process_cache_find(c, &facts);
		assert_true(process_cache_count(c) <= 1000);
		assert_true(process_cache_bytes(c) < 34u << 20);
	}
	process_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_right),
		cmocka_unit_test(a_process_is_described),
		cmocka_unit_test(a_described_process_is_not_read_again_and_keeps_its_identity),
		cmocka_unit_test(an_answer_is_recalled_while_it_holds),
		cmocka_unit_test(an_exec_after_the_sample_is_not_given_to_it),
		cmocka_unit_test(a_reading_that_may_show_an_exec_is_not_used_for_what_was_before),
		cmocka_unit_test(arguments_are_left_out),
		cmocka_unit_test(what_the_kernel_says_is_taken_as_it_is),
		cmocka_unit_test(a_fork_has_the_program_of_its_parent),
		cmocka_unit_test(a_parent_that_is_gone_is_what_the_kernel_said),
		cmocka_unit_test(what_is_described_whole_is_not_read),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
