; tests/guest/task.asm - hardware task switches: JMP, CALL, IRET, task gates,
; 16-bit tasks, faults before and after the switch.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define TSS_B	FREE_SEL
%define TSS_16	(FREE_SEL + 0x08)
%define TGATE	(FREE_SEL + 0x10)
%define ABSENT	(FREE_SEL + 0x18)
%define SHORT_	(FREE_SEL + 0x20)	; a TSS with too small a limit
%define ABSENT_TSS (FREE_SEL + 0x28)
%define TSS_F	(FREE_SEL + 0x30)	; the task that catches faults
%define STACK_B	0x97000
%define STACK_F	0x96000

; A 32-bit TSS: entry, stack, flags
%macro TASK 3
	dd	0
	times 6 dd 0
	dd	0			; CR3
	dd	%1, (%3) | 2
	dd	0xa, 0xc, 0xd, 0xb, %2, 0xbb, 0x51, 0xd1
	dd	DATA32, CODE32, DATA32, DATA32, DATA32, DATA32
	dd	0			; LDT
	dw	0, 0x68
%endmacro

%macro TASK_DESC 3			; selector, TSS, type
	SET_GATE gdt + (%1), 0, %2, %3	; base 15:0 and 31:24 fall elsewhere
	mov	eax, %2
	mov	word [gdt + (%1)], 0x67
	mov	[gdt + (%1) + 2], ax
	shr	eax, 16
	mov	[gdt + (%1) + 4], al
	mov	byte [gdt + (%1) + 5], %3
	mov	byte [gdt + (%1) + 6], 0
	mov	[gdt + (%1) + 7], ah
%endmacro

; TYPE_IS "text", selector, type
%macro TYPE_IS 3
	movzx	eax, byte [gdt + (%2) + 5]
	EQ	%1, eax, %3
%endmacro

; Start the task at an address, from its beginning
%macro START_B 1
	mov	dword [tss_b + 0x20], %1
	mov	dword [tss_b + 0x24], 2
	mov	dword [tss_b + 0x38], STACK_B
	mov	byte [gdt + TSS_B + 5], 0x89
%endmacro

; Start the other task, which raises #TS(%2) before its first instruction.
%macro TASK_CATCH 2
	START_B	.task
	mov	dword [tss_f + 0x20], .catcher
	mov	dword [tss_f + 0x24], 2
	mov	dword [tss_f + 0x38], STACK_F
	mov	byte [gdt + TSS_F + 5], 0x89
	mov	dword [.code], -1
	jmp	TSS_B:0
	EQ	{%1, ": code"}, dword [.code], %2
	EQ	{%1, ": EIP"}, dword [tss_b + 0x20], .task
	EQ	{%1, ": task"}, dword [tss_f], TSS_B
%endmacro

	section	.low
	bits	16
task16:	mov	[seen16], ax
	mov	[seen16 + 2], cs
	iret
.end:
seen16:	dw	0, 0
	section	.text
	bits	32

main:	TASK_DESC TSS_B, tss_b, 0x89
	TASK_DESC TSS_16, tss_16, 0x81
	mov	word [gdt + TSS_16], 0x2b
	TASK_DESC SHORT_, tss_b, 0x89
	mov	word [gdt + SHORT_], 0x66
	TASK_DESC ABSENT_TSS, tss_b, 0x09
	TASK_DESC TSS_F, tss_f, 0x89
	mov	dword [gdt + TGATE], TSS_B << 16
	mov	dword [gdt + TGATE + 4], 0xe500
	SET_DESC ABSENT, 0, 0xfffff, 0xc013

	; refused in the old task
	FAULTS	"busy TSS", GP, TSS_SEL, jmp TSS_SEL:0
	FAULTS	"TSS not present", NP, ABSENT_TSS, jmp ABSENT_TSS:0
	FAULTS	"TSS too small", TS, SHORT_, jmp SHORT_:0
	USER_FAULTS "TSS of ring 0", GP, TSS_B, jmp TSS_B:0

	; JMP there and JMP back
	clts
	START_B	.task
	mov	ebx, 0xb0b
	mov	ebp, 0x5a5a
	stc
	jmp	TSS_B:0x9999
.back:	setc	byte [.carry]
	EQ	"EBX is back", ebx, 0xb0b
	EQ	"EBP is back", ebp, 0x5a5a
	movzx	eax, byte [.carry]
	EQ	"CF is back", eax, 1
	EQ	"EBX in the task", dword [.seen], 0xb
	EQ	"EDI in the task", dword [.seen + 4], 0xd1
	EQ	"ESP in the task", dword [.seen + 8], STACK_B
	EQ	"TR in the task", dword [.seen + 12], TSS_B
	EQ	"EIP saved", dword [tss + 0x20], .back
	BITS_EQ	"CR0.TS", [.seen + 16], 8, 8
	TYPE_IS	"JMP frees the old task", TSS_B, 0x89
	TYPE_IS	"and takes the new", TSS_SEL, 0x8b

	; CALL by a gate, and IRET
	START_B	.nested
	call	TGATE:0
	EQ	"back link", dword [tss_b], TSS_SEL
	BITS_EQ	"NT in the nested task", [.seen], 0x4000, 0x4000
	EQ	"the caller stays busy", dword [.seen + 4], 0x8b
	TYPE_IS	"IRET frees the task", TSS_B, 0x89
	BITS_EQ	"NT is not saved", [tss_b + 0x24], 0x4000, 0
	; it goes on where it left
	call	TSS_B:0
	EQ	"where IRET left the task", dword [.seen + 8], 0x77

	; INT by a task gate
	START_B	.nested
	mov	dword [idt + 0x50 * 8], TSS_B << 16
	mov	dword [idt + 0x50 * 8 + 4], 0xe500
	mov	dword [.seen + 4], 0
	int	0x50
	EQ	"INT by a task gate", dword [.seen + 4], 0x8b
	; from ring 3
	START_B	.nested
	USER_WORKS "INT by a task gate in ring 3", int 0x50

	; a fault by a task gate: the error code is on the new stack
	START_B	.fault
	mov	dword [idt + NP * 8], TSS_B << 16
	mov	dword [idt + NP * 8 + 4], 0xe500
	mov	ax, ABSENT
.np:	mov	fs, ax
	SET_IDT NP, stubs32 + NP * 16, 0x8e
	EQ	"code on the task's stack", dword [.seen], ABSENT
	EQ	"ESP there", dword [.seen + 4], STACK_B - 4
	EQ	"EIP of the fault", dword [.seen + 8], .np
	BITS_EQ	"RF in the saved flags", [.seen + 12], 0x10000, 0x10000

	; a 16-bit task
	call	TSS_16:0
	movzx	eax, word [seen16]
	EQ	"AX in the 16-bit task", eax, 0xaaaa
	movzx	eax, word [seen16 + 2]
	EQ	"CS in the 16-bit task", eax, CODE16
	movzx	eax, word [tss_16]
	EQ	"back link of 16 bits", eax, TSS_SEL
	movzx	eax, word [tss_16 + 0x0e]
	EQ	"IP saved", eax, task16.end

	; faults in the new task: caught by another task
	mov	dword [idt + TS * 8], TSS_F << 16
	mov	dword [idt + TS * 8 + 4], 0xe500
	mov	dword [tss_b + 0x4c], ABSENT
	TASK_CATCH "code segment is data", ABSENT
	mov	dword [tss_b + 0x4c], CODE32
	mov	dword [tss_b + 0x50], 0
	TASK_CATCH "null stack segment", 0
	mov	dword [tss_b + 0x50], UDATA32
	TASK_CATCH "stack segment of ring 3", 0x38
	mov	dword [tss_b + 0x50], DATA32
	mov	dword [tss_b + 0x54], CODE64 + 0x1000
	TASK_CATCH "data segment past the table", CODE64 + 0x1000
	mov	dword [tss_b + 0x54], DATA32
	mov	dword [tss_b + 0x60], DATA32
	TASK_CATCH "LDT is no LDT", DATA32
	mov	dword [tss_b + 0x60], 0

	; the debug trap bit
	mov	word [tss_b + 0x64], 1
	START_B	.task
	CATCH	.trapped
	jmp	TSS_B:0
.trapped:
	UNCATCH
	EQ	"T bit: vector", dword [got_vector], DB
	EQ	"T bit: address", dword [got_ip], .task
	mov	eax, dr6
	BITS_EQ	"T bit: DR6", eax, 0x8000, 0x8000
	PASS

.task:	mov	[.seen], ebx
	mov	[.seen + 4], edi
	mov	[.seen + 8], esp
	str	eax
	mov	[.seen + 12], eax
	mov	eax, cr0
	mov	[.seen + 16], eax
	jmp	TSS_SEL:0
.nested:
	pushfd
	pop	dword [.seen]
	movzx	eax, byte [gdt + TSS_SEL + 5]
	mov	[.seen + 4], eax
	iretd
	mov	dword [.seen + 8], 0x77
	iretd
.fault:	mov	eax, [esp]
	mov	[.seen], eax
	mov	[.seen + 4], esp
	mov	eax, [tss + 0x20]
	mov	[.seen + 8], eax
	mov	eax, [tss + 0x24]
	mov	[.seen + 12], eax
	mov	dword [tss + 0x20], .np + 2
	add	esp, 4
	iretd
.catcher:
	pop	dword [.code]
	jmp	TSS_SEL:0
	align	4
.seen:	times 8 dd 0
.code:	dd	0
.carry:	db	0
	align	4
tss_b:	TASK	0, STACK_B, 0
tss_f:	TASK	0, STACK_F, 0
tss_16:	dw	0, 0, 0, 0, 0, 0, 0
	dw	task16, 2
	dw	0xaaaa, 0, 0, 0, 0x6f00, 0, 0, 0
	dw	DATA16, CODE16, DATA16, DATA16, 0
