; tests/guest/apic.asm - interrupts: 8259 and 8254, local APIC with its timer,
; I/O APIC, x2APIC, NMI; HLT, and what holds interrupts off.
;
; options: -cpu max
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define LAPIC	0xfee00000
%define IOAPIC	0xfec00000
%define ID	0x20
%define TPR	0x80
%define EOI	0xb0
%define SVR	0xf0
%define ISR	0x100
%define IRR	0x200
%define ICR	0x300
%define ICR_HIGH 0x310
%define LVT_TIMER 0x320
%define LVT_LINT0 0x350
%define TIMER_COUNT 0x380
%define TIMER_NOW 0x390
%define TIMER_DIVIDE 0x3e0
%define SELF	0x40000			; destination shorthand
%define MASKED	0x10000

%macro APIC 2				; register, value
	mov	dword [LAPIC + %1], %2
%endmacro

; WAIT_FOR counter, value: with interrupts on, a few seconds at most
%macro WAIT_FOR 2
	mov	ecx, 200000000
%%more:	cmp	dword [%1], %2
	jae	%%done
	pause
	dec	ecx
	jnz	%%more
%%done:
%endmacro

%macro PIT 2				; mode, count
	mov	al, 0x30 | (%1) << 1
	out	0x43, al
	mov	al, (%2) & 0xff
	out	0x40, al
	mov	al, (%2) >> 8
	out	0x40, al
%endmacro

%macro IOAPIC_WRITE 2
	mov	dword [IOAPIC], %1
	mov	dword [IOAPIC + 16], %2
%endmacro

main:	NEED_CPUID 1, edx, 9, "APIC"
	SET_IDT	0x20, irq0, 0x8e
	SET_IDT	0x70, ipi, 0x8e
	SET_IDT	0x71, timer, 0x8e
	SET_IDT	0x72, timer, 0x8e
	SET_IDT	0x90, high, 0x8e
	SET_IDT	2, nmi, 0x8e
	APIC	SVR, 0x1ff
	BITS_EQ	"ID", [LAPIC + ID], 0xff000000, 0
	BITS_EQ	"version", [LAPIC + 0x30], 0xf0, 0x10

	; an IPI to itself waits for IF
	APIC	ICR, SELF | 0x70
	EQ	"IF is off", dword [ipis], 0
	BITS_EQ	"pending", [LAPIC + IRR + 0x30], 1 << 16, 1 << 16
	sti
	nop
	WAIT_FOR ipis, 1
	cli
	EQ	"IPI", dword [ipis], 1
	EQ	"in service", dword [in_service], 1 << 16
	BITS_EQ	"after EOI", [LAPIC + ISR + 0x30], 1 << 16, 0
	; STI holds it off for one instruction
	APIC	ICR, SELF | 0x70
	sti
	cli
	EQ	"STI, CLI", dword [ipis], 1
	pushfd
	sti
	nop
	popfd
	EQ	"STI, NOP", dword [ipis], 2
	; the task priority
	APIC	TPR, 0x70
	APIC	ICR, SELF | 0x70
	sti
	times 10 nop
	EQ	"TPR holds it off", dword [ipis], 2
	APIC	TPR, 0x60
	WAIT_FOR ipis, 3
	cli
	EQ	"lower TPR", dword [ipis], 3
	APIC	TPR, 0
	; higher first, and nested in lower
	APIC	ICR, SELF | 0x70
	APIC	ICR, SELF | 0x90
	mov	dword [order], 0
	sti
	nop
	WAIT_FOR highs, 1
	cli
	EQ	"higher priority first", dword [order], 0x9070

	; NMI, and none in its handler
	APIC	ICR, 0x4400		; to APIC 0: itself
	WAIT_FOR nmis, 2
	EQ	"NMI with IF off, and the one it sent", dword [nmis], 2
	EQ	"it waited for IRET", dword [nmi_nested], 0

	; the timer
	APIC	TIMER_DIVIDE, 0xb	; by 1
	APIC	LVT_TIMER, 0x71
	APIC	TIMER_COUNT, 100000
	sti
	hlt
	cli
	EQ	"one-shot timer wakes HLT", dword [ticks], 1
	EQ	"one-shot: count is 0", dword [LAPIC + TIMER_NOW], 0
	APIC	LVT_TIMER, 0x20071
	APIC	TIMER_COUNT, 100000
	sti
	WAIT_FOR ticks, 4
	cli
	cmp	dword [ticks], 4
	jae	.periodic
	FAIL	"periodic timer", [ticks]
.periodic:
	APIC	LVT_TIMER, MASKED
	APIC	TIMER_COUNT, 0
	sti				; one may be pending still
	nop
	cli
	mov	eax, 1
	cpuid
	bt	ecx, 24
	jnc	.no_deadline
	APIC	LVT_TIMER, 0x40071
	mov	dword [ticks], 0
	rdtsc
	add	eax, 1000000
	adc	edx, 0
	mov	ecx, 0x6e0
	wrmsr
	sti
	WAIT_FOR ticks, 1
	cli
	EQ	"TSC deadline", dword [ticks], 1
	mov	ecx, 0x6e0
	rdmsr
	EQ	"TSC deadline reads 0 then", eax, 0
	APIC	LVT_TIMER, MASKED
.no_deadline:

	; 8254 by the 8259s and LINT0
	mov	al, 0x11
	out	0x20, al
	mov	al, 0x20
	out	0x21, al
	mov	al, 4
	out	0x21, al
	mov	al, 1
	out	0x21, al
	mov	al, 0xfe
	out	0x21, al
	APIC	LVT_LINT0, 0x700	; ExtINT
	PIT	2, 11932		; 100 Hz
	sti
	WAIT_FOR irqs, 2
	cli
	cmp	dword [irqs], 2
	jae	.irqs
	FAIL	"8254 by the 8259", [irqs]
.irqs:
	mov	al, 0xff
	out	0x21, al
	APIC	LVT_LINT0, MASKED
	; 8254 by the I/O APIC, pin 2
	mov	dword [ticks], 0
	IOAPIC_WRITE 1, 0
	BITS_EQ	"I/O APIC pins", [IOAPIC + 16], 0xff0000, 0x170000
	IOAPIC_WRITE 0x15, 0
	IOAPIC_WRITE 0x14, 0x72
	sti
	WAIT_FOR ticks, 2
	cli
	cmp	dword [ticks], 2
	jae	.ticks
	FAIL	"8254 by the I/O APIC", [ticks]
.ticks:
	IOAPIC_WRITE 0x14, MASKED

	; x2APIC
	mov	eax, 1
	cpuid
	bt	ecx, 21
	jnc	.no_x2apic
	mov	ecx, 0x1b
	rdmsr
	or	eax, 0x400
	wrmsr
	mov	ecx, 0x802
	rdmsr
	EQ	"x2APIC ID", eax, 0
	mov	byte [x2], 1
	mov	dword [ipis], 0
	mov	ecx, 0x83f
	mov	eax, 0x70
	xor	edx, edx
	wrmsr
	sti
	nop
	WAIT_FOR ipis, 1
	cli
	EQ	"self IPI register", dword [ipis], 1
	mov	ecx, 0x80e
	FAULTS	"no such register", GP, 0, rdmsr
.no_x2apic:
	PASS

eoi:	cmp	byte [x2], 0
	jne	.x2
	APIC	EOI, 0
	ret
.x2:	push	ecx
	push	edx
	push	eax
	mov	ecx, 0x80b
	xor	eax, eax
	xor	edx, edx
	wrmsr
	pop	eax
	pop	edx
	pop	ecx
	ret
ipi:	push	eax
	inc	dword [ipis]
	cmp	byte [x2], 0
	jne	.done
	mov	eax, [LAPIC + ISR + 0x30]
	mov	[in_service], eax
	shl	dword [order], 8
	or	dword [order], 0x70
.done:	call	eoi
	pop	eax
	iretd
high:	inc	dword [highs]
	shl	dword [order], 8
	or	dword [order], 0x90
	call	eoi
	iretd
timer:	inc	dword [ticks]
	call	eoi
	iretd
irq0:	inc	dword [irqs]
	push	eax
	mov	al, 0x20
	out	0x20, al
	pop	eax
	iretd
; The first sends itself another, which must not come before IRET.
nmi:	cmp	dword [in_nmi], 0
	je	.outer
	inc	dword [nmi_nested]
.outer:	inc	dword [in_nmi]
	cmp	dword [nmis], 0
	jne	.last
	APIC	ICR, 0x4400		; to APIC 0: itself
	times 10 nop
.last:	inc	dword [nmis]
	dec	dword [in_nmi]
	iretd
	align	4
ipis:	dd	0
highs:	dd	0
ticks:	dd	0
irqs:	dd	0
nmis:	dd	0
in_nmi:	dd	0
nmi_nested: dd	0
order:	dd	0
in_service: dd	0
x2:	db	0
