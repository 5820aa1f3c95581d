; tests/guest/gates32.asm - call, interrupt and trap gates of 32 and 16 bits,
; rings, returns, error codes.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define GATE	FREE_SEL
%define GATE3	(FREE_SEL | 3)
%define CONFORM	(FREE_SEL + 0x08)
%define ABSENT	(FREE_SEL + 0x10)
%define CODE1	(FREE_SEL + 0x18)
%define DATA1	(FREE_SEL + 0x20)
%define XONLY	(FREE_SEL + 0x28)

; ERROR "text", vector, code, bad selector: loading DS
%macro LOAD_DS 4
	mov	ax, %4
	FAULTS	%1, %2, %3, mov ds, ax
%endmacro

main:	SET_DESC CONFORM, 0, 0xfffff, 0xc09f
	SET_DESC ABSENT, 0, 0xfffff, 0xc013
	SET_DESC CODE1, 0, 0xfffff, 0xc0bb
	SET_DESC DATA1, 0, 0xfffff, 0xc0b3
	SET_DESC XONLY, 0, 0xfffff, 0xc099

	; segment loads
	LOAD_DS	"system segment", GP, TSS_SEL, TSS_SEL
	LOAD_DS	"execute-only", GP, XONLY, XONLY
	LOAD_DS	"not present", NP, ABSENT, ABSENT
	LOAD_DS	"past the table", GP, 0x200, 0x200
	LOAD_DS	"no LDT", GP, 4, 4
	LOAD_DS	"RPL over DPL", GP, DATA32, DATA32 | 3
	mov	ax, UDATA32
	FAULTS	"SS of another ring", GP, 0x38, mov ss, ax
	mov	ax, CODE32
	FAULTS	"SS with code", GP, CODE32, mov ss, ax
	mov	ax, ABSENT
	FAULTS	"SS not present", SS_, ABSENT, mov ss, ax
	xor	eax, eax
	FAULTS	"null SS", GP, 0, mov ss, ax
	FAULTS	"LTR of a busy TSS", GP, TSS_SEL, ltr [.tss]
	FAULTS	"LLDT of no LDT", GP, DATA32, lldt [.data]
	jmp	.calls
.tss:	dw	TSS_SEL
.data:	dw	DATA32
.calls:
	; from ring 3 through a call gate with two parameters
	SET_GATE gdt + GATE, CODE32, .gated, 0xec
	mov	byte [gdt + GATE + 4], 2
	USER_BEGIN
	push	dword 0x1111
	push	dword 0x2222
	mov	ebx, esp
	call	GATE3:0
	sub	esp, ebx
	mov	ebx, esp
	USER_END "call gate"
	EQ	"retf pops parameters of both stacks", ebx, 8
	EQ	"stack in the gate", dword [.seen], TSS_STACK - 24
	EQ	"SS", dword [.seen + 4], UDATA32
	EQ	"ESP", dword [.seen + 8], USER_STACK - 8
	EQ	"first parameter", dword [.seen + 12], 0x1111
	EQ	"second parameter", dword [.seen + 16], 0x2222
	EQ	"CS", dword [.seen + 20], UCODE32
	EQ	"CPL", dword [.seen + 24], CODE32

	mov	byte [gdt + GATE + 5], 0x8c
	USER_FAULTS "gate of ring 0", GP, GATE, call GATE3:0
	mov	byte [gdt + GATE + 5], 0x6c
	USER_FAULTS "gate not present", NP, GATE, call GATE3:0
	mov	byte [gdt + GATE + 5], 0xec
	USER_FAULTS "JMP inwards", GP, CODE32, jmp GATE3:0
	mov	word [gdt + GATE + 2], DATA32
	USER_FAULTS "gate to data", GP, DATA32, call GATE3:0
	mov	word [gdt + GATE + 2], 0
	USER_FAULTS "gate to null", GP, 0, call GATE3:0
	mov	word [gdt + GATE + 2], CODE32
	USER_FAULTS "direct call inwards", GP, CODE32, call CODE32:.gated
	USER_BEGIN
	jmp	CONFORM:.conforming
.conforming:
	mov	ebx, cs
	jmp	UCODE32:.conformed
.conformed:
	USER_END "conforming code"
	EQ	"CPL in conforming code", ebx, CONFORM | 3
	FAULTS	"null CS", GP, 0, jmp 0:0
	FAULTS	"CS with data", GP, DATA32, jmp DATA32:0
	FAULTS	"inner code from outside", GP, 0x30, jmp UCODE32:0

	; returns
	push	dword CODE32
	push	dword .ring0
	retf
.ring0:	push	dword 0
	push	dword 0
	FAULTS	"RETF to null", GP, 0, retf
	add	esp, 8
	push	dword ABSENT
	push	dword 0
	FAULTS	"RETF to data", GP, ABSENT, retf
	add	esp, 8
	push	dword DATA32
	push	dword 0
	push	dword UCODE32
	push	dword .ring0
	FAULTS	"RETF outwards with ring 0's stack", GP, DATA32, retf
	add	esp, 16
	; IRET to ring 1, and by INT back
	mov	ax, UDATA32
	mov	fs, ax
	CATCH	.from1
	push	dword DATA1 | 1
	push	dword USER_STACK
	push	dword 2
	push	dword CODE1 | 1
	push	dword .ring1
	iretd
.ring1:	mov	ebx, cs
	mov	ecx, ds
	mov	edx, fs
	int	0xfe
.from1:	UNCATCH
	EQ	"CS of ring 1", ebx, CODE1 | 1
	EQ	"DS is dropped", ecx, 0
	EQ	"FS is kept", edx, UDATA32

	; interrupt and trap gates
	SET_IDT	0x40, .int, 0xee
	SET_IDT	0x41, .int, 0xef
	SET_GATE idt + 0x42 * 8, CODE16, .int16, 0x86
	pushfd
	or	dword [esp], 0x4200	; IF, NT
	popfd
	int	0x40
	BITS_EQ	"an interrupt gate clears IF, NT, TF", [.flags], 0x4300, 0
	BITS_EQ	"flags pushed", [.pushed], 0x4300, 0x4200
	int	0x41
	BITS_EQ	"a trap gate keeps IF", [.flags], 0x4300, 0x200
	pushfd
	and	dword [esp], ~0x4200
	popfd
	SET_IDT	0x43, .int, 0x8e
	USER_FAULTS "gate of ring 0 by INT", GP, 0x43 * 8 + 2, int 0x43
	SET_IDT	0x43, .int, 0x0e
	FAULTS	"IDT gate not present", NP, 0x43 * 8 + 2, int 0x43
	SET_IDT	0x43, .int, 0x8c
	FAULTS	"call gate in the IDT", GP, 0x43 * 8 + 2, int 0x43
	SET_GATE idt + 0x43 * 8, DATA32, .int, 0x8e
	FAULTS	"gate to data in the IDT", GP, DATA32, int 0x43
	SET_GATE idt + 0x43 * 8, UCODE32, .int, 0x8e
	FAULTS	"gate outwards in the IDT", GP, UCODE32 & ~3, int 0x43
	mov	word [.short_idt], 0x43 * 8 + 6
	mov	dword [.short_idt + 2], idt
	lidt	[.short_idt]
	FAULTS	"past the IDT", GP, 0x43 * 8 + 2, int 0x43
	lidt	[idt_pointer]

	; exceptions with and without code
	FAULTS	"UD2", UD, 0, ud2
	xor	ebx, ebx
	FAULTS	"division", DE, 0, div ebx
	WORKS	"INTO without OF", into
	mov	eax, 0x7fffffff
	inc	eax
	CATCH	.into
	into
.ip:
.into:	CAUGHT	"INTO", OF, 0, .ip
	CATCH	.int3
	int3
.ip3:
.int3:	CAUGHT	"INT3", BP, 0, .ip3
	mov	ebx, 5
	FAULTS	"BOUND", BR, 0, bound ebx, [.bounds]
	USER_FAULTS "HLT in ring 3", GP, 0, hlt
	USER_FAULTS "CLI in ring 3", GP, 0, cli
	USER_FAULTS "LGDT in ring 3", GP, 0, lgdt [gdt_pointer]
	USER_FAULTS "MOV from CR0 in ring 3", GP, 0, mov eax, cr0
	USER_FAULTS "IN in ring 3", GP, 0, in al, 0x80
	and	byte [tss_map + 0x80 / 8], 0xfe
	USER_WORKS "IN with the bit map", in al, 0x80
	USER_FAULTS "wider than the bit map allows", GP, 0, in ax, 0x80
	or	byte [tss_map + 0x80 / 8], 1
	; LAR, LSL, VERR, VERW, ARPL
	mov	ebx, DATA32
	lar	eax, ebx
	BITS_EQ	"LAR", eax, 0xf0ff00, 0xc09300
	lsl	eax, ebx
	EQ	"LSL", eax, 0xffffffff
	mov	eax, 0x1234
	mov	ebx, 0x200
	lar	eax, ebx
	jz	.bad_lar
	EQ	"LAR keeps its register", eax, 0x1234
	mov	ebx, XONLY
	verr	bx
	jz	.bad_lar
	verw	bx
	jz	.bad_lar
	mov	ebx, DATA32
	verw	bx
	jnz	.bad_lar
	mov	eax, 3
	arpl	bx, ax
	jnz	.bad_lar
	EQ	"ARPL", ebx, DATA32 | 3
	jmp	.done
.bad_lar:
	FAIL	"ZF of LAR, VERR, VERW, ARPL", ebx
.done:	PASS

.gated:				; DS is the caller's, flat
	mov	[.seen], esp
	mov	eax, [esp + 20]
	mov	[.seen + 4], eax
	mov	eax, [esp + 16]
	mov	[.seen + 8], eax
	mov	eax, [esp + 12]
	mov	[.seen + 12], eax
	mov	eax, [esp + 8]
	mov	[.seen + 16], eax
	mov	eax, [esp + 4]
	mov	[.seen + 20], eax
	mov	eax, cs
	mov	[.seen + 24], eax
	retf	8
.int:	push	eax
	pushfd
	pop	dword [.flags]
	mov	eax, [esp + 12]
	mov	[.pushed], eax
	pop	eax
	iretd
.int16:	iret
	align	4
.seen:	times 8 dd 0
.flags:	dd	0
.pushed: dd	0
.bounds: dd	1, 4
.short_idt:
	dw	0
	dd	0
