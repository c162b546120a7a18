/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/kernel_types.h"

#include <unistd.h>

/* What is written for wanted, read again as libbpf does it. Freed by the caller. */
static struct btf *written(const struct btf *all, const struct btf *wanted)
{
	char path[KERNEL_TYPES_PATH_SIZE];
	int fd = kernel_types_open(path);
	struct btf *types;

	assert_true(fd >= 0);
	assert_int_equal(kernel_types_write(fd, all, wanted), 0);
	types = btf__parse(path, NULL);
	assert_non_null(types);
	close(fd);
	return types;
}

static const struct btf_type *find(const struct btf *btf, const char *name, uint32_t kind)
{
	return btf__type_by_id(btf, (uint32_t)btf__find_by_name_kind(btf, name, kind));
}

/* A kernel with a structure of each kind of member, and one that nobody asks for. */
static struct btf *make_kernel(void)
{
	struct btf *btf = btf__new_empty();
	int number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int byte = btf__add_int(btf, "char", 1, 0);
	int other = btf__add_struct(btf, "other", 4), pointer, constant, array, inner, alias;

	btf__add_field(btf, "x", number, 0, 0);
	pointer = btf__add_ptr(btf, other);
	constant = btf__add_const(btf, number);
	array = btf__add_array(btf, number, byte, 16);
	inner = btf__add_union(btf, NULL, 4);
	btf__add_field(btf, "whole", number, 0, 0);
	btf__add_field(btf, "part", byte, 0, 0);
	alias = btf__add_typedef(btf, "alias_t", inner);
	btf__add_enum(btf, "choice", 4);
	btf__add_enum_value(btf, "FIRST", 1);
	btf__add_enum_value(btf, "LAST", -1);
	btf__add_enum64(btf, "wide", 8, false);
	btf__add_enum64_value(btf, "FAR", UINT64_C(1) << 40);
	btf__add_struct(btf, "task", 48);
	btf__add_field(btf, "parent", pointer, 0, 0);
	btf__add_field(btf, "fixed", constant, 64, 0);
	btf__add_field(btf, "name", array, 96, 0);
	btf__add_field(btf, NULL, inner, 224, 0);
	btf__add_field(btf, "named", alias, 256, 0);
	btf__add_field(btf, "bits", number, 288, 3);
	return btf;
}

static void what_is_wanted_is_copied_with_all_inside(void **state)
{
	struct btf *kernel = make_kernel(), *wanted = btf__new_empty(), *types;
	const struct btf_type *task, *choice, *wide;

	(void)state;
	btf__add_struct(wanted, "task___since_6", 0);
	btf__add_enum(wanted, "choice", 4);
	btf__add_enum64(wanted, "wide", 8, false);
	btf__add_struct(wanted, "unknown", 0);
	types = written(kernel, wanted);
	task = find(types, "task", BTF_KIND_STRUCT);
	assert_non_null(task);
	assert_int_equal(task->size, 48);
	assert_int_equal(btf_vlen(task), 6);
	assert_string_equal(btf__name_by_offset(types, btf_members(task)[2].name_off), "name");
	assert_int_equal(btf_member_bit_offset(task, 2), 96);
	assert_int_equal(btf__resolve_size(types, btf_members(task)[2].type), 16);
	assert_int_equal(btf_member_bit_offset(task, 3), 224);
	assert_int_equal(btf_member_bitfield_size(task, 5), 3);
	/* Inside, without a name; and with one. */
	assert_int_equal(btf__resolve_size(types, btf_members(task)[3].type), 4);
	assert_int_equal(btf_vlen(btf__type_by_id(types, btf_members(task)[3].type)), 2);
	assert_non_null(find(types, "alias_t", BTF_KIND_TYPEDEF));
	/* Not what it points to. */
	assert_true(btf_is_ptr(btf__type_by_id(types, btf_members(task)[0].type)));
	assert_true(btf__find_by_name(types, "other") < 0);
	assert_true(btf__find_by_name(types, "unknown") < 0);
	choice = find(types, "choice", BTF_KIND_ENUM);
	assert_non_null(choice);
	assert_int_equal(btf_enum(choice)[1].val, -1);
	wide = find(types, "wide", BTF_KIND_ENUM64);
	assert_non_null(wide);
	assert_true(btf_enum64_value(btf_enum64(wide)) == UINT64_C(1) << 40);
	btf__free(types);
	btf__free(wanted);
	btf__free(kernel);
}

/* Each type of each that the recorder may want, with the same size and members. */
static void types_of_this_kernel_are_the_same(void **state)
{
	static const char *const names[] = {"sock", "tcp_sock", "task_struct", "cred", "dentry"};
	struct btf *kernel = btf__load_vmlinux_btf(), *wanted = btf__new_empty(), *types;

	(void)state;
	if (!kernel) {
		print_message("this kernel has no BTF\n");
		btf__free(wanted);
		skip();
	}
	for (size_t i = 0; i < COUNT(names); i++)
		btf__add_struct(wanted, names[i], 0);
	types = written(kernel, wanted);
	assert_true(btf__type_cnt(types) < btf__type_cnt(kernel) / 20);
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct btf_type *a = find(kernel, names[i], BTF_KIND_STRUCT);
		const struct btf_type *b = find(types, names[i], BTF_KIND_STRUCT);

		assert_non_null(b);
		assert_int_equal(a->size, b->size);
		assert_int_equal(btf_vlen(a), btf_vlen(b));
		for (uint32_t m = 0; m < btf_vlen(a); m++) {
			assert_string_equal(btf__name_by_offset(kernel, btf_members(a)[m].name_off),
				btf__name_by_offset(types, btf_members(b)[m].name_off));
			assert_int_equal(btf_member_bit_offset(a, m), btf_member_bit_offset(b, m));
			assert_int_equal(btf__resolve_size(kernel, btf_members(a)[m].type),
				btf__resolve_size(types, btf_members(b)[m].type));
		}
	}
	btf__free(types);
	btf__free(wanted);
	btf__free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wanted_is_copied_with_all_inside),
		cmocka_unit_test(types_of_this_kernel_are_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
