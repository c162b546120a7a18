/* SPDX-License-Identifier: BSD-2-Clause */
#include "capture.h"
#include "clock.h"
#include "dns_hook.h"
#include "first_attach.h"
#include "kernel_types.h"
#include "sweep.h"
#include "targets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#define WAKEUP_FRACTION 4 /* of the ring: full enough to wake the reader */
#define PLACES_OF_CPU 32  /* at least: an eighth of them is for those that claim at one time */
#define SWEEP_NS 60000000000ull
#define DRAIN_ROUNDS 1000 /* of a millisecond: the most to wait for running programs */

struct capture {
	const struct backend *backend;
	struct bpf_object *object;
	struct first_attach *first;
	struct bpf_link *links[BACKEND_PROGRAMS_MAX];
	struct dns_hook *dns; /* NULL: names are not asked for */
	struct samples *samples;
	struct capture_control *control; /* mapped; shared with the programs */
	bool can_claim;                  /* the programs can claim places for their samples */
	uint32_t places;                 /* so many */
	unsigned int left_out;           /* features that run without, a bit for each */
	unsigned int again;              /* enum again */
	bool can_preempt;                /* see below */
	bool failed_only;
	bool refused;       /* for want of permission: no other set of features will do better */
	uint32_t under_way; /* at the end */
	struct sweep_maps maps;
	uint64_t swept_ns, swept;       /* when last; entries */
	struct capture_counters missed; /* what the programs could not count themselves */
	capture_sample *sample;
	void *context;
};

static int print_verbose(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, arguments);
}

static struct bpf_map *find_map(const struct capture *c, const char *name)
{
	return bpf_object__find_map_by_name(c->object, name);
}

/* NULL: not in this object. */
static struct bpf_program *find_program(
	const struct capture *c, const struct backend_program *program)
{
	return bpf_object__find_program_by_name(c->object, program->name);
}

static int map_fd(const struct capture *c, const char *name)
{
	struct bpf_map *map = find_map(c, name);

	return map ? bpf_map__fd(map) : -1;
}

/* How many rows a hash needs for the values; ports have their bitmap instead. */
static uint32_t list_size(const struct filter_list *list)
{
	return list->count ? (uint32_t)list->count : 1;
}

/* In a lockdown of the level confidentiality no program may read kernel memory by a helper. */
static bool may_read(void)
{
	char levels[128] = "";
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");

	if (file && !fgets(levels, sizeof levels, file))
		levels[0] = '\0';
	if (file)
		fclose(file);
	return !strstr(levels, "[confidentiality]");
}

/*
 * Whether another task may get the CPU in the middle of a program of a tracepoint, which is then
 * left out for that task: in real-time kernels, and in all of them since about 7.0.
 */
static bool can_preempt(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return true;
	return major > 6 || (major == 6 && minor >= 19) || !access("/sys/kernel/realtime", F_OK);
}

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, helper, NULL) == 1;
}

/* Whether an atomic addition tells what it has found: since 5.12, or later in some hardware. */
static bool can_claim(void)
{
	static const struct bpf_insn add[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
			.dst_reg = BPF_REG_10,
			.off = -8,
			.imm = BPF_ADD | BPF_FETCH},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "add", "Dual BSD/GPL", add,
		sizeof add / sizeof *add, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* For about as many bytes as the ring has; more than all CPUs claim at one time. */
static uint32_t count_places(size_t ring_bytes)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t count = 64;

	while ((cpus > 0 && count < (uint32_t)cpus * PLACES_OF_CPU) ||
		count * sizeof(union sample_place) < ring_bytes)
		count *= 2;
	return count;
}

/* Where the section of data has that variable; size: of the section, if it has none. */
static size_t offset_of(const struct btf *btf, const char *section, const char *name, size_t size)
{
	int id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	const struct btf_var_secinfo *v = type ? btf_var_secinfos(type) : NULL;

	for (__u32 i = 0; v && i < btf_vlen(type); i++, v++)
		if (!strcmp(btf__name_by_offset(btf, btf__type_by_id(btf, v->type)->name_off),
			    name))
			return v->offset;
	return size;
}

/* Beside them stands what the compiler has put there. */
static int set_settings(const struct capture *c, const struct capture_settings *settings)
{
	struct bpf_map *map = find_map(c, ".rodata");
	char values[4096];
	size_t size = 0, offset;
	const void *now = map ? bpf_map__initial_value(map, &size) : NULL;

	offset = offset_of(bpf_object__btf(c->object), ".rodata", "settings", size);
	if (!now || size > sizeof values || offset + sizeof *settings > size) {
		errno = EINVAL;
		return -1;
	}
	memcpy(values, now, size);
	memcpy(values + offset, settings, sizeof *settings);
	return bpf_map__set_initial_value(map, values, size);
}

static int configure(struct capture *c, const struct capture_options *options, struct error *error)
{
	const struct filter *f = options->filter;
	struct capture_settings settings = {
		.filters = (f->family ? FILTER_FAMILY : 0) | (f->pids.count ? FILTER_PID : 0) |
			   (f->uids.count ? FILTER_UID : 0) | (f->ports.count ? FILTER_PORT : 0) |
			   (f->pids.negated ? FILTER_PID_NOT : 0) |
			   (f->uids.negated ? FILTER_UID_NOT : 0) |
			   (f->ports.negated ? FILTER_PORT_NOT : 0) |
			   (options->cgroup_map >= 0 ? FILTER_CGROUP : 0) |
			   (options->mount_map >= 0 ? FILTER_MOUNT : 0),
		.family = f->family,
		.wakeup_bytes = options->ring_bytes / WAKEUP_FRACTION,
		.wakeup_places = c->places / WAKEUP_FRACTION,
		.places_mask = c->places - 1,
		.places_full = c->places - c->places / 8,
		.failed_only = c->failed_only,
		.may_read = may_read(),
		.outcome_hook = !(c->left_out & FEATURE_OUTCOME),
		.may_type = c->backend->on_cgroup && has_helper(BPF_FUNC_get_current_task_btf),
		.mptcp = c->backend->on_cgroup && !(c->left_out & FEATURE_CLOSE) &&
			 has_helper(BPF_FUNC_skc_to_mptcp_sock),
		.describe = !(c->left_out & FEATURE_DESCRIBE),
		.arguments = options->arguments,
		.can_preempt = c->can_preempt,
		.end_callback = c->again & AGAIN_AT_END || c->left_out & FEATURE_OUTCOME,
	};
	struct bpf_map *held = find_map(c, "held"), *places = find_map(c, "places");

	if (options->mount_map >= 0 &&
		((c->backend->plain.begin && c->left_out & FEATURE_OUTCOME) ||
			!has_helper(BPF_FUNC_get_current_task_btf)))
		return error_set(error, "--mntnsmap: this kernel cannot tell mount namespaces: it "
					"needs BTF, and Linux 6.1 suffices");
	if ((options->cgroup_map >= 0 &&
		    bpf_map__reuse_fd(find_map(c, "filter_cgroups"), options->cgroup_map)) ||
		(options->mount_map >= 0 &&
			bpf_map__reuse_fd(find_map(c, "filter_mounts"), options->mount_map)))
		return error_set(error, "cannot use the pinned maps: %s", strerror(errno));
	if (set_settings(c, &settings) ||
		bpf_map__set_max_entries(find_map(c, "ring"), (uint32_t)options->ring_bytes) ||
		bpf_map__set_max_entries(find_map(c, "filter_pids"), list_size(&f->pids)) ||
		bpf_map__set_max_entries(find_map(c, "filter_uids"), list_size(&f->uids)) ||
		(places && bpf_map__set_max_entries(places, c->places)) ||
		(held && c->failed_only && bpf_map__set_max_entries(held, OPEN_MAX)))
		return error_set(error, "cannot set up the maps: %s", strerror(errno));
	return 0;
}

static int fill_hash(struct capture *c, const char *map, const struct filter_list *list)
{
	const uint8_t present = 1;

	for (size_t i = 0; i < list->count; i++)
		if (bpf_map__update_elem(
			    find_map(c, map), &list->ranges[i].low, 4, &present, 1, BPF_ANY))
			return -1;
	return 0;
}

static int fill_ports(struct capture *c, const struct filter_list *ports)
{
	uint64_t bits[PORT_BITMAP_WORDS] = {0};

	for (size_t i = 0; i < ports->count; i++)
		for (uint32_t p = ports->ranges[i].low; p <= ports->ranges[i].high; p++)
			bits[p / 64] |= 1ull << (p % 64);
	for (uint32_t word = 0; word < PORT_BITMAP_WORDS; word++)
		if (bits[word] && bpf_map__update_elem(find_map(c, "filter_ports"), &word, 4,
					  &bits[word], 8, BPF_ANY))
			return -1;
	return 0;
}

/* Opens the object and chooses from its programs. types: where those of the kernel will be. */
static int open_object(struct capture *c, const char *types, const struct capture_options *options,
	struct error *error)
{
	const struct backend *b = c->backend;
	const struct backend_object *object = b->plain.begin && c->left_out & FEATURE_OUTCOME
						      ? &b->plain
					      : c->can_claim ? &b->object
							     : &b->older;
	LIBBPF_OPTS(
		bpf_object_open_opts, open, .object_name = "tcpconnect", .btf_custom_path = types);

	c->object =
		bpf_object__open_mem(object->begin, (size_t)(object->end - object->begin), &open);
	if (!c->object)
		return error_set(error, "cannot open the programs: %s", strerror(errno));
	for (const struct backend_program *p = b->programs; p->name; p++) {
		struct bpf_program *program = find_program(c, p);

		if (program && !p->also_of &&
			(p->feature & c->left_out || (p->again && !(p->again & c->again))))
			bpf_program__set_autoload(program, false);
	}
	return configure(c, options, error);
}

/* Opens and loads the object without the programs of the features that are left out. */
static int load(struct capture *c, const struct capture_options *options, struct error *error)
{
	char types[KERNEL_TYPES_PATH_SIZE];
	struct btf *kernel;
	int fd, status;

	if (c->backend->on_functions && !c->first)
		c->first = first_attach_begin();
	kernel = btf__load_vmlinux_btf();
	fd = kernel ? kernel_types_open(types) : -1;
	targets_begin();
	status = open_object(c, fd >= 0 ? types : NULL, options, error);
	if (!status && targets_find(c->object, kernel))
		status = error_set(error, "cannot find %s: %s", c->backend->hooks, strerror(errno));
	if (!status && fd >= 0 && kernel_types_write(fd, kernel, bpf_object__btf(c->object)))
		status = error_set(
			error, "cannot write down the types of the kernel: %s", strerror(errno));
	btf__free(kernel);
	if (!status && bpf_object__load(c->object)) {
		c->refused = errno == EPERM && !c->backend->on_cgroup;
		status = error_set(error, "the kernel refuses its programs: %s (%s)",
			strerror(errno), c->backend->hooks);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

static int attach(struct capture *c, struct error *error)
{
	const struct backend *b = c->backend;
	int cgroup = -1, status = 0;
	char path[4096];

	first_attach_wait(c->first);
	if (b->on_cgroup) {
		if (backend_cgroup_root(path, sizeof path, error))
			return -1;
		cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (cgroup < 0)
			return error_set(error, "cannot open %s: %s", path, strerror(errno));
	}
	for (size_t i = 0; b->programs[i].name && !status; i++) {
		struct bpf_program *program = find_program(c, &b->programs[i]);

		if (!program || !bpf_program__autoload(program) ||
			b->programs[i].feature & c->left_out)
			continue;
		if (b->programs[i].also_of)
			c->links[i] =
				bpf_program__attach_kprobe(program, true, b->programs[i].also_of);
		else if (bpf_program__type(program) == BPF_PROG_TYPE_TRACING)
			c->links[i] = bpf_program__attach_trace(program);
		else if (b->on_cgroup)
			c->links[i] = bpf_program__attach_cgroup(program, cgroup);
		else
			c->links[i] = bpf_program__attach(program);
		if (!c->links[i])
			status = error_set(error, "cannot attach %s: %s", b->programs[i].name,
				strerror(errno));
	}
	if (cgroup >= 0)
		close(cgroup);
	return status;
}

static int open_ring(struct capture *c, struct error *error)
{
	void *control = mmap(NULL, sizeof *c->control, PROT_READ | PROT_WRITE, MAP_SHARED,
		map_fd(c, ".data.control"), 0);
	const struct bpf_map *slots = find_map(c, ".bss");

	if (control == MAP_FAILED)
		return error_set(error, "cannot map the control page: %s", strerror(errno));
	c->control = control;
	c->maps = (struct sweep_maps){.calls = map_fd(c, "calls"),
		.open_attempts = map_fd(c, "open_attempts"),
		.held = c->failed_only ? map_fd(c, "held") : -1};
	if (slots) {
		void *mapped = mmap(NULL, bpf_map__value_size(slots), PROT_READ, MAP_SHARED,
			bpf_map__fd(slots), 0);

		if (mapped == MAP_FAILED)
			return error_set(error, "cannot map the slots: %s", strerror(errno));
		c->maps.slots = mapped;
		c->maps.slot_size = bpf_map__value_size(slots) / OPEN_SLOTS;
	}
	c->samples = samples_new(&(struct samples_source){.ring = map_fd(c, "ring"),
					 .places = map_fd(c, "places"),
					 .count = c->places,
					 .control = c->control,
					 .sample = c->sample,
					 .context = c->context},
		error);
	return c->samples ? 0 : -1;
}

static void detach(struct capture *c)
{
	/* The programs at the end of the list begin an attempt: they go first. */
	for (size_t i = BACKEND_PROGRAMS_MAX; i-- > 0;) {
		bpf_link__destroy(c->links[i]);
		c->links[i] = NULL;
	}
	dns_hook_free(c->dns);
	c->dns = NULL;
}

static void unload(struct capture *c)
{
	detach(c);
	samples_free(c->samples);
	if (c->control)
		munmap(c->control, sizeof *c->control);
	if (c->maps.slots)
		munmap((void *)c->maps.slots, c->maps.slot_size * OPEN_SLOTS);
	bpf_object__close(c->object);
	c->samples = NULL;
	c->control = NULL;
	c->maps.slots = NULL;
	c->object = NULL;
}

/* With all features but those that are left out, from nothing to attached. */
static int start(struct capture *c, const struct capture_options *options, struct error *error)
{
	const struct filter *f = options->filter;

	c->failed_only = f->failed && c->backend->can_hold && !(c->left_out & FEATURE_OUTCOME);
	if (load(c, options, error))
		return -1;
	if (fill_hash(c, "filter_pids", &f->pids) || fill_hash(c, "filter_uids", &f->uids) ||
		fill_ports(c, &f->ports))
		return error_set(error, "cannot fill the filters: %s", strerror(errno));
	return open_ring(c, error) || attach(c, error) ? -1 : 0;
}

static const struct {
	unsigned int feature;
	const char *without;
} features[] = {
	{FEATURE_DESCRIBE, "processes that end at once may stay unknown"},
	{FEATURE_OUTCOME, "outcomes, or their reasons, are not recorded"},
	{FEATURE_CLOSE, "attempts that a program gave up look as if they had failed"},
	{FEATURE_IPV6, "IPv6 connects are not recorded"},
	{FEATURE_REFUSAL, "what a program of a cgroup refuses is not recorded"},
};

struct capture *capture_open(const struct backend *backend, const struct capture_options *options,
	capture_sample *sample, void *context, struct error *warning, struct error *error)
{
	struct capture *c;
	struct error first;
	int status = -1;

	warning->text[0] = '\0';
	if (backend->check(error))
		return NULL;
	libbpf_set_print(options->verbose ? print_verbose : NULL);
	c = calloc(1, sizeof *c);
	if (!c) {
		error_set(error, "out of memory");
		return NULL;
	}
	c->backend = backend;
	c->sample = sample;
	c->context = context;
	c->can_preempt = can_preempt();
	c->can_claim = can_claim();
	c->places = count_places(options->ring_bytes);
	c->again = backend->again;
	if (c->can_preempt) /* sockops is not left out then */
		c->again = AGAIN_AT_STATE | (backend->on_cgroup ? AGAIN_AT_END : 0);
	/* A kernel that refuses one hook may take the others: each set of features in turn. */
	while (c->left_out <= FEATURES_ALL) {
		status = start(c, options, error);
		if (!status)
			break;
		unload(c);
		if (!c->left_out)
			first = *error;
		if (c->refused)
			break;
		if (c->again & AGAIN_AT_END)
			c->again = AGAIN_AT_STATE;
		else
			c->left_out++;
	}
	if (status) {
		*error = first; /* what kept it from working whole */
		capture_close(c);
		return NULL;
	}
#ifdef __GLIBC__
	malloc_trim(0); /* the types of the kernel, which libbpf has read: megabytes */
#endif
	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		if (c->left_out & features[i].feature)
			error_set(warning, "%s: %s", features[i].without, first.text);
	return c;
}

int capture_hear_answers(struct capture *c, struct error *error)
{
	c->dns = dns_hook_new(map_fd(c, "ring"), map_fd(c, ".data.control"), error);
	return c->dns ? 0 : -1;
}

bool capture_failed_only(const struct capture *c)
{
	return c->failed_only;
}

bool capture_describes(const struct capture *c)
{
	return may_read() && !(c->left_out & FEATURE_DESCRIBE);
}

int capture_fd(const struct capture *c)
{
	return bpf_map__fd(find_map(c, "ring"));
}

void capture_request_wakeup(struct capture *c, enum wakeup_request request)
{
	__atomic_store_n(&c->control->wakeup, (__u32)request, __ATOMIC_SEQ_CST);
}

int capture_consume(struct capture *c, struct error *error)
{
	return samples_consume(c->samples, error);
}

/* Calls that the kernel did not show to a program, because it was preempted in another one. */
static uint64_t recursion_misses(const struct capture *c)
{
	uint64_t misses = 0;

	for (const struct backend_program *p = c->backend->programs; p->name; p++) {
		struct bpf_program *program = find_program(c, p);
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof info;

		if (p->counts_misses && program && bpf_program__autoload(program) &&
			!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			misses += info.recursion_misses;
	}
	return misses;
}

static uint64_t value_of(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

struct capture_counters capture_count(const struct capture *c)
{
	const struct capture_counters *counted = &c->control->counters;
	struct capture_counters sum = c->missed;
	uint64_t misses = recursion_misses(c);

	sum.seen += misses;
	sum.lost += misses;
	sum.seen += value_of(&counted->seen);
	sum.submitted += value_of(&counted->submitted);
	sum.filtered += value_of(&counted->filtered);
	sum.lost += value_of(&counted->lost);
	sum.partial += value_of(&counted->partial);
	return sum;
}

uint64_t capture_answers_lost(const struct capture *c)
{
	return value_of(&c->control->answers_lost);
}

uint64_t capture_answers_lost_since(const struct capture *c)
{
	return value_of(&c->control->answers_lost_since);
}

void capture_sweep(struct capture *c, uint64_t now_ns)
{
	struct swept swept;

	if (now_ns - c->swept_ns < SWEEP_NS)
		return;
	c->swept_ns = now_ns;
	swept = sweep(&c->maps, now_ns);
	c->missed.seen += swept.calls;
	c->missed.lost += swept.calls + swept.held;
	c->missed.partial += swept.outcomes;
	c->swept += swept.calls + swept.returns + swept.outcomes + swept.held;
}

int capture_drain(struct capture *c, struct error *error)
{
	uint64_t calls;

	detach(c);
	/* Attempts that were held back until they fail, and have not: the filter drops them. */
	c->missed.filtered += sweep_count(c->maps.held);
	c->under_way = sweep_count(c->maps.open_attempts) +
		       sweep_count_slots(&c->maps, clock_boot_ns()) + sweep_count(c->maps.calls);
	/* Calls whose return was missed, or had not come when it was detached. */
	calls = sweep_calls(c->maps.calls, UINT64_MAX);
	c->missed.seen += calls;
	c->missed.lost += calls;
	for (int round = 0; round < DRAIN_ROUNDS; round++) {
		struct capture_counters count = capture_count(c);

		if (capture_consume(c, error) < 0)
			return -1;
		if (round && count.seen == count.submitted + count.filtered + count.lost)
			break;
		usleep(1000);
	}
	return capture_consume(c, error) < 0 ? -1 : 0;
}

uint32_t capture_under_way(const struct capture *c)
{
	return c->under_way;
}

uint64_t capture_swept(const struct capture *c)
{
	return c->swept;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	unload(c);
	first_attach_free(c->first);
	free(c);
}
