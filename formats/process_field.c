/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_field.h"
#include "record.h"

#include <stdlib.h>

#define AT(member) offsetof(struct process, member)

const struct process_field process_fields[PROCESS_FIELDS] = {
	{PROCESS_PID, FIELD_U32, AT(pid), "pid"},
	{PROCESS_UID, FIELD_U32, AT(uid), "uid"},
	{PROCESS_GID, FIELD_U32, AT(gid), "gid"},
	{PROCESS_COMM, FIELD_TEXT, AT(comm), "comm"},
	{PROCESS_EUID, FIELD_ID, AT(euid), "euid"},
	{PROCESS_EGID, FIELD_ID, AT(egid), "egid"},
	{PROCESS_LOGINUID, FIELD_ID, AT(loginuid), "login uid"},
	{PROCESS_AUDIT_SESSION, FIELD_ID, AT(audit_session), "audit session"},
	{PROCESS_START, FIELD_U64, AT(start_ns), "start time"},
	{PROCESS_PARENT, FIELD_PARENT, AT(parent), "parent"},
	{PROCESS_PPID, FIELD_U32, AT(ppid), "parent's pid"},
	{PROCESS_PID_INSIDE, FIELD_U32, AT(pid_inside), "pid inside"},
	{PROCESS_MOUNT_NS, FIELD_U32, AT(mount_ns), "mount namespace"},
	{PROCESS_PID_NS, FIELD_U32, AT(pid_ns), "PID namespace"},
	{PROCESS_FLAGS, FIELD_U32, AT(flags), "flags"},
	{PROCESS_EXE, FIELD_TEXT, AT(exe), "exe"},
	{PROCESS_ARGS, FIELD_TEXT, AT(args), "args"},
	{PROCESS_CGROUP, FIELD_TEXT, AT(cgroup), "cgroup"},
	{PROCESS_USER, FIELD_TEXT, AT(user), "user"},
	{PROCESS_CONTAINER, FIELD_TEXT, AT(container), "container"},
	{PROCESS_UNIT, FIELD_TEXT, AT(unit), "unit"},
};

static struct bytes *text_of(struct process *process, const struct process_field *field)
{
	return (struct bytes *)((char *)process + field->at);
}

struct process *process_copy(const struct process *process)
{
	struct process *copies;
	size_t count = 0, length = 0;
	uint8_t *texts;

	for (const struct process *p = process; p && count <= ANCESTORS_MAX; p = p->parent, count++)
		for (size_t i = 0; i < PROCESS_FIELDS; i++)
			if (process_fields[i].kind == FIELD_TEXT)
				length += text_of((struct process *)p, &process_fields[i])->length;
	copies = malloc(count * sizeof *copies + length);
	if (!copies)
		return NULL;
	texts = (uint8_t *)(copies + count);
	for (size_t k = 0; k < count; k++, process = process->parent) {
		copies[k] = *process;
		copies[k].parent = k + 1 < count ? &copies[k + 1] : NULL;
		for (size_t i = 0; i < PROCESS_FIELDS; i++) {
			struct bytes *text = text_of(&copies[k], &process_fields[i]);

			if (process_fields[i].kind != FIELD_TEXT || !text->length)
				continue;
			memcpy(texts, text->data, text->length);
			text->data = texts;
			texts += text->length;
		}
	}
	return copies;
}
