; tests/guest/modes.asm - through all modes and back: protected, long,
; compatibility, 64-bit, real, unreal, virtual-8086.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"
%include "lib64.inc"

	section	.low
	bits	16
; Real mode from protected mode: entered with 16-bit segments loaded.
to_real:
	mov	eax, cr0
	and	eax, ~1
	mov	cr0, eax
	jmp	0:.real
.real:	lidt	[real_idt]
	mov	ax, 0x800
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	sp, 0x1000
	xor	ax, ax
	mov	fs, ax
	; INT through the vector table
	mov	word [fs:0x60 * 4], .handler
	mov	word [fs:0x60 * 4 + 2], 0
	xor	bx, bx
	sti
	int	0x60
	cli
	cmp	bx, 0x6060
	jne	.bad
	; a far call pushes 16 bits of CS and IP
	call	0:.far
	cmp	bx, 0x1234
	jne	.bad
	; unreal mode: a 4 GiB limit survives the way back
	mov	edx, PAGES
	lgdt	[cs:low_gdt_pointer]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	mov	bx, DATA32
	mov	gs, bx
	and	al, ~1
	mov	cr0, eax
	xor	bx, bx
	mov	gs, bx
	mov	dword [gs:edx], 0x12345678
	cmp	dword [gs:edx], 0x12345678
	jne	.bad
	; and back
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	dword CODE32:from_real

.handler:
	pushf
	pop	ax
	test	ax, 0x200		; IF is off
	jnz	.bad
	mov	bx, 0x6060
	iret
.far:	mov	bx, 0x1234
	retf
.bad:	mov	byte [cs:verdict], 1
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	dword CODE32:from_real
verdict: db	0
	align	4
real_idt: dw	0x3ff
	dd	0
low_gdt_pointer:
	dw	0x1ff
	dd	gdt

; A virtual-8086 program: INT 60h leads to the 32-bit handler.
v86:	mov	ax, 0x1234
	mov	bx, cs
	int	0x60
	hlt
	section	.text
	bits	32

main:	call	enter_long
	bits	64
	mov	ecx, 0xc0000080
	rdmsr
	BITS_EQ	"EFER.LMA", eax, 0x500, 0x500
	mov	rax, 0x123456789abcdef0
	mov	rbx, rax
	shr	rbx, 32
	EQ	"64-bit registers", ebx, 0x12345678
	mov	r8, -1
	mov	r8d, r8d
	shr	r8, 32
	EQ	"32-bit writes clear the upper half", r8d, 0
	; compatibility mode and back
	push	qword CODE32
	push	qword .compat
	retfq
	bits	32
.compat:
	mov	ax, DATA32
	mov	ss, ax
	mov	eax, 0x7fffffff
	inc	eax			; 40h is not a REX prefix here
	EQ	"compatibility mode", eax, 0x80000000
	mov	ecx, 0xc0000080
	rdmsr
	BITS_EQ	"LMA in compatibility mode", eax, 0x500, 0x500
	jmp	CODE64:.again
	bits	64
.again:	FAULTS	"no task switch in long mode", GP, TSS_SEL, jmp far dword [.tss_far]
	; out of long mode
	push	qword CODE32
	push	qword .leave
	retfq
.tss_far: dd	0
	dw	TSS_SEL
	bits	32
.leave:	mov	ax, DATA32
	mov	ss, ax
	mov	ds, ax
	mov	eax, cr0
	and	eax, 0x7fffffff
	mov	cr0, eax
	mov	ecx, 0xc0000080
	rdmsr
	and	eax, ~0x100
	wrmsr
	rdmsr
	BITS_EQ	"long mode left", eax, 0x500, 0
	; real mode
	mov	esp, STACK
	mov	ax, DATA16
	mov	ds, ax
	mov	es, ax
	mov	fs, ax
	mov	gs, ax
	mov	ss, ax
	jmp	CODE16:to_real
from_real:
	mov	ax, DATA32
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	fs, ax
	mov	gs, ax
	mov	esp, STACK
	lgdt	[gdt_pointer]
	lidt	[idt_pointer]
	movzx	ebx, byte [verdict]
	EQ	"real mode", ebx, 0
	; virtual-8086 mode
	mov	ecx, 256
	mov	edi, idt
	mov	eax, stubs32
.gate:	mov	[edi], ax
	mov	word [edi + 2], CODE32
	mov	word [edi + 4], 0xee00
	mov	edx, eax
	shr	edx, 16
	mov	[edi + 6], dx
	add	edi, 8
	add	eax, 16
	loop	.gate
	mov	dword [tss + 8], DATA32
	mov	byte [gdt + TSS_SEL + 5], 0x89
	mov	ax, TSS_SEL
	ltr	ax
	CATCH	.back
	push	dword 0x4444		; GS FS DS ES
	push	dword 0x3333
	push	dword 0x2222
	push	dword 0x1111
	push	dword 0x900		; SS
	push	dword 0x800
	push	dword 0x23002		; VM, IOPL 3
	push	dword LOW >> 4
	push	dword v86 - LOW
	iretd
.back:	UNCATCH
	EQ	"interrupt of v86: vector", dword [got_vector], 0x60
	EQ	"interrupt of v86: CS", dword [got_cs], LOW >> 4
	movzx	ebx, bx
	EQ	"what v86 code did", ebx, LOW >> 4
	BITS_EQ	"interrupt of v86: flags", dword [got_flags], 0x23000, 0x23000
	mov	esi, [got_frame]
	EQ	"v86 SP", dword [esi + 12], 0x800
	EQ	"v86 SS", dword [esi + 16], 0x900
	EQ	"v86 ES", dword [esi + 20], 0x1111
	EQ	"v86 GS", dword [esi + 32], 0x4444
	mov	eax, gs
	EQ	"GS is null after v86", eax, 0
	PASS
