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
	object	kprobe
	object	cgroup
	object	cgroup_plain
	.section .note.GNU-stack, "", %progbits
