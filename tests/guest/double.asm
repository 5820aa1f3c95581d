; tests/guest/double.asm - exceptions while an exception is delivered: double
; faults by a gate and by a task gate, and the triple fault, which resets.
;
; The reset is told by a mark in memory, which it leaves alone.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"
%include "lib64.inc"

%define MARK	0x700000
%define MAGIC	0x5ec0d7e0
%define TSS_F	FREE_SEL
%define ABSENT	(FREE_SEL + 8)
%define PD32	(TABLES + 0x80000)

main:	cmp	dword [MARK], MAGIC
	je	.after_reset
	SET_DESC ABSENT, 0, 0xfffff, 0xc013
	SET_DESC TSS_F, 0, 0x67, 0x89
	mov	eax, tss_f
	mov	[gdt + TSS_F + 2], ax
	shr	eax, 16
	mov	[gdt + TSS_F + 4], al
	mov	[gdt + TSS_F + 7], ah

	; #NP while #GP is delivered: both contributory
	mov	byte [idt + GP * 8 + 5], 0x0e
	mov	eax, 0x200
	FAULTS	"#NP in #GP", DF, 0, mov fs, ax
	; #NP while #UD is delivered: one after the other
	mov	byte [idt + UD * 8 + 5], 0x0e
	FAULTS	"#NP in #UD", NP, UD * 8 + 3, ud2
	; a software interrupt is benign, and its fault has no EXT
	FAULTS	"#NP in INT 13", NP, GP * 8 + 2, int GP
	mov	byte [idt + UD * 8 + 5], 0x8e
	; #GP by a gate to a bad code segment, in #DE
	mov	word [idt + DE * 8 + 2], DATA32
	xor	ebx, ebx
	mov	byte [idt + GP * 8 + 5], 0x8e
	FAULTS	"#GP in #DE", DF, 0, div ebx
	mov	word [idt + DE * 8 + 2], CODE32

	; a double fault by a task gate, because the stack is bad
	mov	dword [idt + DF * 8], TSS_F << 16
	mov	dword [idt + DF * 8 + 4], 0x8500
	mov	word [tss + 8], UDATA32	; SS0
	mov	[resume_sp], esp
	CATCH	.bad
	IN_USER	.user
.user:	ud2				; #TS, and #TS again: #DF
.bad:	FAIL	"a handler ran on a bad stack", 0
.df:	mov	esp, [resume_sp]
	UNCATCH
	mov	word [tss + 8], DATA32
	EQ	"double fault by a task gate: code", dword [.code], 0
	EQ	"its EIP", dword [.ip], .user
	EQ	"its CS", dword [.cs], UCODE32

	; #PF while #PF is delivered
	SET_IDT	DF, stubs32 + DF * 16, 0x8e
	mov	edi, PD32
	mov	ecx, 1024
	mov	eax, 0x83
.pd:	stosd
	add	eax, 0x400000
	loop	.pd
	mov	eax, cr4
	or	eax, 0x10
	mov	cr4, eax
	mov	eax, PD32
	mov	cr3, eax
	mov	dword [PD32 + 4 * 3], 0	; 12 MiB is not there
	mov	eax, cr0
	or	eax, 1 << 31
	mov	cr0, eax
	; the IDT, with its entry of #PF in 12 MiB and those before below
	mov	eax, 0xc00000 - PF * 8
	mov	[.far_idt + 2], eax
	mov	esi, idt
	mov	edi, eax
	mov	ecx, PF * 2
	rep movsd
	lidt	[.far_idt]
	FAULTS	"#PF in #PF", DF, 0, mov eax, [0xc00000]
	EQ	"CR2 of the second", dword [got_cr2], 0xc00000
	lidt	[idt_pointer]
	mov	eax, cr0
	and	eax, 0x7fffffff
	mov	cr0, eax

	call	enter_long
	bits	64
	mov	byte [idt + GP * 16 + 5], 0x0e
	mov	byte [idt + DF * 16 + 4], 1
	mov	eax, 0x200
	FAULTS	"double fault in long mode", DF, 0, mov fs, ax
	EQQ	"its stack", [got_frame], IST1 - 40
	; the triple fault
	cmp	dword [failures], 0
	jne	.end
	mov	dword [MARK], MAGIC
	mov	byte [idt + DF * 16 + 5], 0x0e
	mov	fs, ax
	FAIL	"no reset", 0
.end:	PASS
	bits	32
.after_reset:
	mov	dword [MARK], 0
	PASS

task_f:	pop	dword [main.code]
	mov	eax, [tss + 0x20]
	mov	[main.ip], eax
	mov	eax, [tss + 0x4c]
	mov	[main.cs], eax
	mov	dword [tss + 0x20], main.df
	mov	dword [tss + 0x24], 2
	mov	dword [tss + 0x4c], CODE32
	mov	dword [tss + 0x50], DATA32
	mov	dword [tss + 0x54], DATA32
	mov	dword [tss + 0x48], DATA32
	mov	byte [gdt + TSS_SEL + 5], 0x89
	jmp	TSS_SEL:0
	align	8
main.code: dd	-1
main.ip: dd	0
main.cs: dd	0
main.far_idt:
	dw	0x7ff
	dq	0
tss_f:	times 7 dd 0
	dd	0
	dd	task_f, 2
	dd	0, 0, 0, 0, 0x96000, 0, 0, 0
	dd	DATA32, CODE32, DATA32, DATA32, 0, 0
	dd	0
	dw	0, 0x68
