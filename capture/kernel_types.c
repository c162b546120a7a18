/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From the types of the kernel to those that are wanted. */
struct copy {
	const struct btf *from;
	struct btf *to;
	int *ids;    /* by id in from: in to, 0: not yet there */
	int pointer; /* one for all of them */
	int error;   /* below 0: the first one */
};

int kernel_types_open(char path[static KERNEL_TYPES_PATH_SIZE])
{
	int fd = memfd_create("types", MFD_CLOEXEC);

	snprintf(path, KERNEL_TYPES_PATH_SIZE, "/proc/self/fd/%d", fd);
	if (fd >= 0 && access(path, R_OK)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int copy_type(struct copy *c, uint32_t id);

static void note(struct copy *c, int status)
{
	if (status < 0 && !c->error)
		c->error = status;
}

static void copy_members(struct copy *c, const struct btf_type *type, const char *name)
{
	const struct btf_member *m = btf_members(type);
	uint32_t count = btf_vlen(type);

	for (uint32_t i = 0; i < count; i++)
		copy_type(c, m[i].type);
	note(c, btf_is_struct(type) ? btf__add_struct(c->to, name, type->size)
				    : btf__add_union(c->to, name, type->size));
	for (uint32_t i = 0; i < count && !c->error; i++)
		note(c, btf__add_field(c->to, btf__name_by_offset(c->from, m[i].name_off),
				copy_type(c, m[i].type), btf_member_bit_offset(type, i),
				btf_member_bitfield_size(type, i)));
}

static void copy_values(struct copy *c, const struct btf_type *type, const char *name)
{
	uint32_t count = btf_vlen(type);

	if (btf_is_enum(type)) {
		const struct btf_enum *e = btf_enum(type);

		note(c, btf__add_enum(c->to, name, type->size));
		for (uint32_t i = 0; i < count && !c->error; i++)
			note(c, btf__add_enum_value(c->to,
					btf__name_by_offset(c->from, e[i].name_off), e[i].val));
	} else {
		const struct btf_enum64 *e = btf_enum64(type);

		note(c, btf__add_enum64(c->to, name, type->size, btf_kflag(type)));
		for (uint32_t i = 0; i < count && !c->error; i++)
			note(c, btf__add_enum64_value(c->to,
					btf__name_by_offset(c->from, e[i].name_off),
					btf_enum64_value(&e[i])));
	}
}

/* What is behind a pointer is never looked at: it has a name of its own, if it is read. */
static int copy_pointer(struct copy *c)
{
	if (!c->pointer) {
		c->pointer = btf__add_ptr(c->to, 0);
		note(c, c->pointer);
	}
	return c->pointer;
}

/* Returns its id there. 0, void: a kind that no member has. */
static int copy_type(struct copy *c, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(c->from, id);
	const char *name = type ? btf__name_by_offset(c->from, type->name_off) : NULL;
	int inner = 0;

	if (!id || !type || c->error)
		return 0;
	if (c->ids[id])
		return c->ids[id];
	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
		return copy_pointer(c);
	case BTF_KIND_INT:
		note(c, btf__add_int(c->to, name, type->size, btf_int_encoding(type)));
		break;
	case BTF_KIND_FLOAT:
		note(c, btf__add_float(c->to, name, type->size));
		break;
	case BTF_KIND_FWD:
		note(c, btf__add_fwd(
				c->to, name, btf_kflag(type) ? BTF_FWD_UNION : BTF_FWD_STRUCT));
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		copy_members(c, type, name);
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		copy_values(c, type, name);
		break;
	case BTF_KIND_ARRAY:
		inner = copy_type(c, btf_array(type)->type);
		note(c, btf__add_array(c->to, copy_type(c, btf_array(type)->index_type), inner,
				btf_array(type)->nelems));
		break;
	case BTF_KIND_TYPEDEF:
		inner = copy_type(c, type->type);
		note(c, btf__add_typedef(c->to, name, inner));
		break;
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		/* Left out where libbpf looks: they change neither size nor place. */
		c->ids[id] = copy_type(c, type->type);
		return c->ids[id];
	default:
		return 0;
	}
	if (!c->error)
		c->ids[id] = (int)btf__type_cnt(c->to) - 1;
	return c->ids[id];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* NULL: it has none of its own, as members and values, which go with what has them. */
static const char *name_of(const struct btf *btf, const struct btf_type *type)
{
	const char *name;

	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_TYPEDEF:
		name = btf__name_by_offset(btf, type->name_off);
		return *name ? name : NULL;
	}
	return NULL;
}

/* The names of the types, up to "___": what is behind that tells versions of one apart. */
static void *collect_names(const struct btf *btf)
{
	void *names = NULL;

	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const char *name = name_of(btf, btf__type_by_id(btf, id)), *end;
		char *copy, **found;

		if (!name)
			continue;
		end = strstr(name, "___");
		copy = strndup(name, end ? (size_t)(end - name) : strlen(name));
		found = copy ? tsearch(copy, &names, by_name) : NULL;
		if (!found || *found != copy)
			free(copy);
	}
	return names;
}

int kernel_types_write(int fd, const struct btf *all, const struct btf *wanted)
{
	struct copy c = {.from = all, .to = btf__new_empty()};
	void *names = collect_names(wanted);
	const void *data = NULL;
	uint32_t length = 0;
	int status = -1;

	c.ids = calloc(btf__type_cnt(all), sizeof *c.ids);
	if (c.ids && c.to)
		for (uint32_t id = 1, count = btf__type_cnt(all); id < count; id++) {
			const char *name = name_of(all, btf__type_by_id(all, id));

			if (name && tfind(name, &names, by_name))
				copy_type(&c, id);
		}
	if (c.ids && c.to && !c.error)
		data = btf__raw_data(c.to, &length);
	if (!data)
		data = btf__raw_data(all, &length);
	/* Into memory: all or nothing. */
	if (data && write(fd, data, length) == (ssize_t)length)
		status = 0;
	tdestroy(names, free);
	free(c.ids);
	btf__free(c.to);
	return status;
}
