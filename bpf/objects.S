/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiled backends as data of the recorder: backend_NAME .. backend_NAME_end. */
	.macro	object name
	.balign	8
	.global	backend_\name, backend_\name\()_end
backend_\name:
	.incbin	"\name\().bpf.o"
backend_\name\()_end:
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
	.section .note.GNU-stack, "", %progbits
