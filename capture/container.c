/* SPDX-License-Identifier: BSD-2-Clause */
#include "container.h"

#define ID_LENGTH 64
#define POD_LENGTH 36
#define HASH_LENGTH 32

enum id_kind {
	ID_HEX,  /* 64 hexadecimal digits */
	ID_LAST, /* the same, behind the last colon if there is one */
	ID_POD,  /* a UUID, with dashes or, in names of systemd, underscores; or 32 digits */
	ID_NAME, /* anything */
	ID_BELOW /* the next component, anything */
};

/* What a component of the path looks like; the first row that fits counts. */
static const struct pattern {
	const char *prefix, *suffix;
	enum id_kind kind;
} patterns[] = {
	/* cgroupfs drivers: /docker/ID, /kubepods/podUID/ID; containerd: SLICE:cri-containerd:ID */
	{"", "", ID_LAST},
	{"docker-", ".scope", ID_HEX},            /* docker, systemd driver */
	{"cri-containerd-", ".scope", ID_HEX},    /* containerd for kubernetes */
	{"nerdctl-", ".scope", ID_HEX},           /* containerd by hand */
	{"crio-", ".scope", ID_HEX},              /* cri-o */
	{"crio-", "", ID_HEX},                    /* .. with the cgroupfs driver */
	{"libpod-", ".scope", ID_HEX},            /* podman */
	{"libpod-", "", ID_HEX},                  /* .. with the cgroupfs driver */
	{"libpod-payload-", "", ID_HEX},          /* .. below a unit of its own */
	{"machine-qemu\\x2d", ".scope", ID_NAME}, /* libvirt: a virtual machine */
	{"machine-", ".scope", ID_NAME},          /* systemd-nspawn and other machines */
	{"systemd-nspawn@", ".service", ID_NAME},
	{"lxc.payload.", "", ID_NAME},      /* lxc 4 and newer */
	{"lxc.payload", "", ID_BELOW},      /* lxc 3.1 */
	{"lxc", "", ID_BELOW},              /* older lxc, lxd */
	{"pod", "", ID_POD},                /* kubernetes, cgroupfs driver */
	{"kubepods-pod", ".slice", ID_POD}, /* .. systemd driver */
	{"kubepods-burstable-pod", ".slice", ID_POD},
	{"kubepods-besteffort-pod", ".slice", ID_POD},
	/* kind puts its own in front */
	{"kubelet-kubepods-pod", ".slice", ID_POD},
	{"kubelet-kubepods-burstable-pod", ".slice", ID_POD},
	{"kubelet-kubepods-besteffort-pod", ".slice", ID_POD},
};

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_hex_id(struct bytes text, size_t length)
{
	if (text.length != length)
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (!is_hex(text.data[i]))
			return false;
	return true;
}

/* Pods from a file of the node have a hash instead of a UUID. */
static bool is_pod_uid(struct bytes text)
{
	if (text.length != POD_LENGTH)
		return is_hex_id(text, HASH_LENGTH);
	for (size_t i = 0; i < text.length; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		uint8_t c = text.data[i];

		if (dash ? c != '-' && c != '_' : !is_hex(c))
			return false;
	}
	return true;
}

/* Cuts prefix and suffix off; false: it does not have both around something. */
static bool strip(struct bytes *text, const char *prefix, const char *suffix)
{
	size_t before = strlen(prefix), after = strlen(suffix);

	if (text->length <= before + after || memcmp(text->data, prefix, before) ||
		memcmp(text->data + text->length - after, suffix, after))
		return false;
	*text = (struct bytes){text->data + before, text->length - before - after};
	return true;
}

/* Takes the next component off the path; false: there is none. */
static bool next_component(struct bytes *path, struct bytes *component)
{
	const uint8_t *end;

	while (path->length && *path->data == '/')
		*path = (struct bytes){path->data + 1, path->length - 1};
	if (!path->length)
		return false;
	end = memchr(path->data, '/', path->length);
	*component = (struct bytes){path->data, end ? (size_t)(end - path->data) : path->length};
	*path = (struct bytes){path->data + component->length, path->length - component->length};
	return true;
}

static bool fits(const struct pattern *p, struct bytes component, struct bytes *id)
{
	const uint8_t *colon = memrchr(component.data, ':', component.length);

	*id = component;
	if (p->kind == ID_BELOW)
		return bytes_equal(component, bytes_of(p->prefix));
	if (!strip(id, p->prefix, p->suffix))
		return false;
	if (p->kind == ID_LAST && colon)
		*id = (struct bytes){
			colon + 1, (size_t)(component.data + component.length - colon) - 1};
	return p->kind == ID_NAME ||
	       (p->kind == ID_POD ? is_pod_uid(*id) : is_hex_id(*id, ID_LENGTH));
}

static const struct pattern *find_pattern(struct bytes component, struct bytes *id)
{
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		if (fits(&patterns[i], component, id))
			return &patterns[i];
	return NULL;
}

struct bytes container_of(struct bytes cgroup, char uid[static 36])
{
	struct bytes component, id, found = {NULL, 0};

	while (next_component(&cgroup, &component)) {
		const struct pattern *p = find_pattern(component, &id);

		if (!p || (p->kind == ID_BELOW && !next_component(&cgroup, &id)))
			continue;
		found = id;
		if (p->kind != ID_POD)
			continue;
		for (size_t i = 0; i < id.length; i++)
			uid[i] = id.data[i] == '_' ? '-' : (char)id.data[i];
		found.data = (const uint8_t *)uid;
	}
	return found;
}

struct bytes unit_of(struct bytes cgroup)
{
	struct bytes component, rest, found = {NULL, 0};

	while (next_component(&cgroup, &component)) {
		rest = component;
		if (strip(&rest, "", ".service") || strip(&rest, "", ".scope"))
			found = component;
	}
	return found;
}
