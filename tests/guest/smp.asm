; tests/guest/smp.asm - starting processors with INIT and SIPI, IPIs between
; them, locked instructions, and INIT again.
;
; options: -smp 2
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define LAPIC	0xfee00000
%define ICR	0x300
%define OTHERS	0xc0000			; all but itself
%define ROUNDS	20000
%define AP_STACK 0x95000

%macro APIC 2
	mov	dword [LAPIC + %1], %2
%endmacro

%macro WAIT_UNTIL 2
	mov	ecx, 200000000
%%more:	cmp	dword [%1], %2
	je	%%done
	pause
	dec	ecx
	jnz	%%more
%%done:
%endmacro

	section	.low
	bits	16
	times	(0x1000 - ($ - $$)) db 0	; 8000h: SIPI vector 08h
ap_start:
	cli
	mov	ax, cs
	mov	ds, ax
	mov	[0x0ff0], ax		; CS as started: 8ff0h
	mov	eax, cr0
	mov	[0x0ff4], eax
	lgdt	[ap_gdt - ap_start]
	or	al, 1
	mov	cr0, eax
	jmp	dword CODE32:ap32
ap_gdt:	dw	0x1ff
	dd	gdt
	section	.text
	bits	32

ap32:	mov	ax, DATA32
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	esp, AP_STACK
	lidt	[idt_pointer]
	mov	eax, [LAPIC + 0x20]
	shr	eax, 24
	mov	[ap_id], eax
	mov	dword [LAPIC + 0xf0], 0x1ff
	inc	dword [ap_starts]
	cmp	dword [ap_starts], 2
	jae	.again
	; the race: locked increments, and a spin lock around plain ones
	mov	ecx, ROUNDS
.race:	lock inc dword [counter]
	call	locked_add
	loop	.race
	mov	dword [ap_raced], 1
	sti
.sleep:	hlt
	jmp	.sleep
.again:	cli
	hlt
	jmp	.again

locked_add:
	mov	eax, 1
.spin:	xchg	eax, [spin]
	test	eax, eax
	jz	.mine
	pause
	jmp	locked_add
.mine:	mov	eax, [guarded]
	inc	eax
	mov	[guarded], eax
	mov	dword [spin], 0
	ret

start_ap:
	APIC	ICR, OTHERS | 0x4500	; INIT
	mov	ecx, 100000
.wait:	pause
	loop	.wait
	APIC	ICR, OTHERS | 0x4608	; SIPI, twice
	mov	ecx, 100000
.wait2:	pause
	loop	.wait2
	APIC	ICR, OTHERS | 0x4608
	ret

main:	SET_IDT	0x70, ipi, 0x8e
	APIC	0xf0, 0x1ff
	BITS_EQ	"this is the boot processor", [LAPIC + 0x20], 0xff000000, 0
	mov	ecx, 0x1b
	rdmsr
	BITS_EQ	"APIC_BASE says so", eax, 0x100, 0x100
	call	start_ap
	WAIT_UNTIL ap_starts, 1
	EQ	"the other has started, once", dword [ap_starts], 1
	EQ	"its ID", dword [ap_id], 1
	movzx	eax, word [0x8ff0]
	EQ	"its CS", eax, 0x800
	BITS_EQ	"its CR0", [0x8ff4], 0xe0000011, 0x60000010
	mov	ecx, ROUNDS
.race:	lock inc dword [counter]
	call	locked_add
	loop	.race
	WAIT_UNTIL ap_raced, 1
	EQ	"locked increments", dword [counter], 2 * ROUNDS
	EQ	"a spin lock", dword [guarded], 2 * ROUNDS
	; an IPI wakes it from HLT
	APIC	0x310, 1 << 24
	APIC	ICR, 0x4070
	WAIT_UNTIL ipis, 1
	EQ	"IPI", dword [ipis], 1
	EQ	"IPI came to the other", dword [ipi_id], 1
	; a SIPI that nobody waits for is nothing
	APIC	ICR, OTHERS | 0x4608
	mov	ecx, 1000000
.wait:	pause
	loop	.wait
	EQ	"SIPI without INIT", dword [ap_starts], 1
	; INIT takes it out of its loop
	call	start_ap
	WAIT_UNTIL ap_starts, 2
	EQ	"started again", dword [ap_starts], 2
	PASS

ipi:	push	eax
	mov	eax, [LAPIC + 0x20]
	shr	eax, 24
	mov	[ipi_id], eax
	APIC	0xb0, 0
	lock inc dword [ipis]
	pop	eax
	iretd
	align	4
ap_id:	dd	0
ap_starts: dd	0
ap_raced: dd	0
counter: dd	0
guarded: dd	0
spin:	dd	0
ipis:	dd	0
ipi_id:	dd	-1
