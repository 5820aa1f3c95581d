; tests/guest/v86.asm - virtual-8086 mode: what traps, IOPL, I/O bit map, and
; the virtual-mode extensions.
;
; options: -cpu max
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define V86_SS	0x800			; stack below 9000h
%define V86_SP	0x1000
%define VME	1

	section	.low
	bits	16
v_int:	int	0x60
v_cli:	cli
v_sti:	sti
v_pushf: pushf
v_popf:	popf
v_iret:	iret
v_in:	in	al, 0x80
v_hlt:	hlt
v_lgdt:	lgdt	[0]
v_int3:	int3
v_into:	into
v_sldt:	sldt	ax
v_pushfd:
	pushfd
; what a program sees of its flags
v_look:	pushf
	pop	bx
	sti
	pushf
	pop	cx
	cli
	pushf
	pop	dx
	hlt
; INT 61h handled by its own handler
v_own:	int	0x61
	mov	dx, 0x1234
	hlt
own_handler:
	pushf
	pop	cx			; in the handler
	mov	bp, sp
	mov	bx, [bp + 4]		; as pushed
	iret
v_popf_tf:
	push	word 0x100
	popf
v_popf_if:
	push	word 0x200
	popf
	hlt
	section	.text
	bits	32

; V86 address, flags: run until a fault is caught
%macro V86 2
	CATCH	%%after
	times 4 push dword 0
	push	dword V86_SS
	push	dword V86_SP
	push	dword 0x20002 | (%2)
	push	dword LOW >> 4
	push	dword %1 - LOW
	iretd
%%after:
	UNCATCH
%endmacro

; V86_FAULTS "text", vector, code, address, flags
%macro V86_FAULTS 5
	V86	%4, %5
	EQ	{%1, ": vector"}, dword [got_vector], %2
	EQ	{%1, ": code"}, dword [got_code], %3
	EQ	{%1, ": address"}, dword [got_ip], %4 - LOW
	EQ	{%1, ": CS"}, dword [got_cs], LOW >> 4
%endmacro

%define IOPL3 0x3000

main:	mov	byte [idt + 0x60 * 8 + 5], 0xee
	; without IOPL
	V86_FAULTS "INT n", GP, 0, v_int, 0
	V86_FAULTS "CLI", GP, 0, v_cli, 0
	V86_FAULTS "STI", GP, 0, v_sti, 0
	V86_FAULTS "PUSHF", GP, 0, v_pushf, 0
	V86_FAULTS "POPF", GP, 0, v_popf, 0
	V86_FAULTS "IRET", GP, 0, v_iret, 0
	V86_FAULTS "HLT", GP, 0, v_hlt, IOPL3
	V86_FAULTS "LGDT", GP, 0, v_lgdt, IOPL3
	V86_FAULTS "SLDT", UD, 0, v_sldt, IOPL3
	V86	v_int3, 0
	EQ	"INT3 needs no IOPL", dword [got_vector], BP
	EQ	"INT3: address", dword [got_ip], v_int3 + 1 - LOW
	V86	v_into, 0x800
	EQ	"INTO needs no IOPL", dword [got_vector], OF
	; IOPL does not open ports; the bit map does
	V86_FAULTS "IN", GP, 0, v_in, IOPL3
	and	byte [tss_map + 0x80 / 8], 0xfe
	V86	v_in, 0			; goes on to HLT
	EQ	"IN with the bit map", dword [got_ip], v_hlt - LOW
	or	byte [tss_map + 0x80 / 8], 1
	; with IOPL
	V86	v_int, IOPL3
	EQ	"INT n with IOPL", dword [got_vector], 0x60
	V86	v_look, IOPL3
	EQ	"flags with IOPL: end", dword [got_vector], GP
	BITS_EQ	"PUSHF", ebx, 0x3200, 0x3000
	BITS_EQ	"STI", ecx, 0x3200, 0x3200
	BITS_EQ	"CLI", edx, 0x3200, 0x3000
	; the handler must be in ring 0
	mov	word [idt + 0x60 * 8 + 2], UCODE32
	V86_FAULTS "handler in ring 3", GP, UCODE32 & ~3, v_int, IOPL3
	mov	word [idt + 0x60 * 8 + 2], CODE32

	; virtual-mode extensions
	mov	eax, 1
	cpuid
	bt	edx, 1
	jc	.vme
	PASS
.vme:	mov	eax, cr4
	or	eax, VME
	mov	cr4, eax
	mov	ebx, 0x61 * 4
	mov	word [ebx], own_handler - LOW
	mov	word [ebx + 2], LOW >> 4
	; IOPL 0, interrupt 61h not redirected to the monitor
	V86	v_own, 0x80000		; VIF
	EQ	"own handler: end", dword [got_vector], GP
	BITS_EQ	"own handler: went on", edx, 0xffff, 0x1234
	BITS_EQ	"pushed: IF is VIF, IOPL 3", ebx, 0x3200, 0x3200
	BITS_EQ	"VIF is off in it", ecx, 0x3200, 0x3000
	BITS_EQ	"IRET puts VIF back", [got_flags], 0x80200, 0x80000
	V86	v_own, IOPL3 | 0x200
	BITS_EQ	"with IOPL: pushed IF", ebx, 0x3200, 0x3200
	BITS_EQ	"with IOPL: IF is off in it", ecx, 0x3200, 0x3000
	; redirected to the monitor
	or	byte [tss_redirect + 0x61 / 8], 1 << (0x61 & 7)
	V86_FAULTS "redirected without IOPL", GP, 0, v_own, 0
	mov	byte [idt + 0x61 * 8 + 5], 0xee
	V86	v_own, IOPL3
	EQ	"redirected with IOPL", dword [got_vector], 0x61
	; flags without IOPL
	V86	v_look, 0
	BITS_EQ	"VME: PUSHF", ebx, 0x3200, 0x3000
	BITS_EQ	"VME: STI", ecx, 0x3200, 0x3200
	BITS_EQ	"VME: CLI", edx, 0x3200, 0x3000
	BITS_EQ	"VME: IF is left alone", [got_flags], 0x3200, 0
	V86_FAULTS "VME: 32-bit PUSHF", GP, 0, v_pushfd, 0
	V86_FAULTS "VME: STI with VIP", GP, 0, v_sti, 0x100000
	V86	v_popf_tf, 0
	EQ	"VME: POPF of TF", dword [got_vector], GP
	EQ	"VME: POPF of TF: address", dword [got_ip], v_popf_tf + 3 - LOW
	V86	v_popf_if, 0
	BITS_EQ	"VME: POPF of IF", [got_flags], 0x80200, 0x80000
	V86	v_popf_if, 0x100000
	EQ	"VME: POPF of IF with VIP", dword [got_ip], v_popf_if + 3 - LOW

	; protected-mode virtual interrupts; only IRET clears VIP
	pushfd
	and	dword [esp], ~0x180000
	push	dword CODE32
	push	dword .no_vip
	iretd
.no_vip:
	mov	eax, cr4
	or	eax, 2
	mov	cr4, eax
	USER_WORKS "PVI: STI", sti
	BITS_EQ	"PVI: VIF", [got_flags], 0x80200, 0x80000
	USER_WORKS "PVI: CLI", cli
	BITS_EQ	"PVI: no VIF", [got_flags], 0x80200, 0
	PASS
