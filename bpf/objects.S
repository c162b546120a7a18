/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiled programs as data of the recorder: object_NAME .. object_NAME_end. */
	.macro	object name
	.balign	8
	.global	object_\name, object_\name\()_end
object_\name:
	.incbin	"\name\().bpf.o"
object_\name\()_end:
	.endm

	.section .rodata
	object	fentry
	object	fentry_older
	object	kprobe
	object	kprobe_older
	object	cgroup
	object	cgroup_older
	object	cgroup_plain
	object	dns
	object	find_function
	.section .note.GNU-stack, "", %progbits
