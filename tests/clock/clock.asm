; tests/clock/clock.asm - reads its clocks when it is told to.
;
; A letter comes in on COM1; the answer goes out as lines of 16 hex digits:
;
;   t  TSC                     p  8254 counter 0, counted up, modulo 10000h
;   h  HPET, modulo 2^32       a  ACPI PM timer, modulo 2^24
;   l  APIC timer, counted up, modulo APIC_PERIOD
;   P  H  L  interrupts so far of the 8254, HPET timer 1, and the APIC timer
;   r  at the RTC's next second: TSC before, TSC after, 00hhmmss (BCD)
;   q  ends the program
;
; All three interrupts come through the APICs; the processor sleeps between
; letters.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define COM1		0x3f8
%define PM_TIMER	0x608
%define LAPIC		0xfee00000
%define IOAPIC		0xfec00000
%define HPET		0xfed00000
%define SVR		0xf0
%define EOI		0xb0
%define LVT_TIMER	0x320
%define TIMER_COUNT	0x380
%define TIMER_NOW	0x390
%define TIMER_DIVIDE	0x3e0
%define PERIODIC	0x20000
%define APIC_PERIOD	3125000		; at 1 GHz / 16: 50 ms
%define HPET_PERIOD	5000000		; at 100 MHz: 50 ms
%define HPET_PIN	20
%define TN_PERIODIC	0x14c		; 32 bits, value set, periodic, enabled

%macro IOAPIC_PIN 2			; pin, vector
	mov	dword [IOAPIC], 0x11 + 2 * (%1)
	mov	dword [IOAPIC + 16], 0
	mov	dword [IOAPIC], 0x10 + 2 * (%1)
	mov	dword [IOAPIC + 16], %2
%endmacro

%macro COUNTER 2			; label, variable
%1:	inc	dword [%2]
	mov	dword [LAPIC + EOI], 0
	iretd
%endmacro

main:	SET_IDT	0x30, on_pit, 0x8e
	SET_IDT	0x31, on_hpet, 0x8e
	SET_IDT	0x32, on_apic, 0x8e
	SET_IDT	0x33, on_serial, 0x8e
	mov	dword [LAPIC + SVR], 0x1ff
	IOAPIC_PIN 2, 0x30
	IOAPIC_PIN HPET_PIN, 0x31
	IOAPIC_PIN 4, 0x33

	mov	al, 0x34		; 8254: mode 2, 65536
	out	0x43, al
	xor	al, al
	out	0x40, al
	out	0x40, al

	mov	eax, [HPET + 0x124]	; timer 1: where it may go
	bt	eax, HPET_PIN
	jc	.route
	SKIP	"HPET timer 1 does not reach the pin"
.route:	mov	dword [HPET + 0x120], TN_PERIODIC | HPET_PIN << 9
	mov	dword [HPET + 0x128], HPET_PERIOD
	mov	dword [HPET + 0x128], HPET_PERIOD
	mov	dword [HPET + 0x10], 1

	mov	dword [LAPIC + TIMER_DIVIDE], 3
	mov	dword [LAPIC + LVT_TIMER], PERIODIC | 0x32
	mov	dword [LAPIC + TIMER_COUNT], APIC_PERIOD

	mov	dx, COM1 + 1		; tell of received bytes
	mov	al, 1
	out	dx, al
	mov	dx, COM1 + 4		; OUT2 lets the interrupt through
	mov	al, 0x0b
	out	dx, al

	; ---- letters ----
next:	cli
	mov	dx, COM1 + 5
	in	al, dx
	test	al, 1
	jnz	.letter
	sti
	hlt
	jmp	next
.letter:
	sti
	mov	dx, COM1
	in	al, dx
	mov	esi, letters
.find:	cmp	byte [esi], 0
	je	next
	cmp	[esi], al
	je	.found
	add	esi, 5
	jmp	.find
.found:	call	[esi + 1]
	jmp	next

%macro LETTER 2
	db	%1
	dd	%2
%endmacro

letters:
	LETTER	't', tell_tsc
	LETTER	'p', tell_pit
	LETTER	'h', tell_hpet
	LETTER	'a', tell_pm
	LETTER	'l', tell_apic
	LETTER	'P', tell_pits
	LETTER	'H', tell_hpets
	LETTER	'L', tell_apics
	LETTER	'r', tell_rtc
	LETTER	'q', end
	db	0

tell_tsc:
	rdtsc
	jmp	say

tell_pit:
	cli
	mov	al, 0			; latch counter 0
	out	0x43, al
	in	al, 0x40
	mov	ah, al
	in	al, 0x40
	sti
	xchg	al, ah
	neg	ax			; 65536 is read as 0
	movzx	eax, ax
	jmp	say_low

tell_hpet:
	mov	eax, [HPET + 0xf0]
	jmp	say_low

tell_pm:
	mov	dx, PM_TIMER
	in	eax, dx
	jmp	say_low

tell_apic:
	mov	eax, APIC_PERIOD
	sub	eax, [LAPIC + TIMER_NOW]
	jmp	say_low

tell_pits:
	mov	eax, [pits]
	jmp	say_low

tell_hpets:
	mov	eax, [hpets]
	jmp	say_low

tell_apics:
	mov	eax, [apics]
	jmp	say_low

%macro CMOS 1				; al = register
	mov	al, %1
	out	0x70, al
	in	al, 0x71
%endmacro

; The second turns between the last look that found the old one, or an update
; under way, and the first that finds a new one.
tell_rtc:
	CMOS	0
	mov	bl, al
	rdtsc
.look:	mov	[before], eax
	mov	[before + 4], edx
	rdtsc
	mov	esi, eax
	mov	edi, edx
	CMOS	0x0a
	test	al, 0x80
	jnz	.same
	CMOS	0
	cmp	al, bl
	jne	.turned
.same:	mov	eax, esi
	mov	edx, edi
	jmp	.look
.turned:
	rdtsc
	push	edx
	push	eax
	CMOS	4
	movzx	ecx, al
	CMOS	2
	shl	ecx, 8
	mov	cl, al
	CMOS	0
	shl	ecx, 8
	mov	cl, al
	mov	eax, [before]
	mov	edx, [before + 4]
	call	say
	pop	eax
	pop	edx
	call	say
	mov	eax, ecx
	jmp	say_low

end:	EXIT	0

say_low:
	xor	edx, edx
; edx:eax as a line; keeps ecx
say:	push	ecx
	mov	ebx, eax
	mov	edi, edx
	mov	ecx, 16
.digit:	shld	edi, ebx, 4		; rotate left by a digit
	mov	eax, edx
	shr	eax, 28
	shl	ebx, 4
	mov	edx, edi
	cmp	al, 10
	jb	.number
	add	al, 'a' - '0' - 10
.number:
	add	al, '0'
	call	send
	loop	.digit
	mov	al, 10
	call	send
	pop	ecx
	ret

; al; keeps all but al
send:	push	edx
	push	eax
	mov	dx, COM1 + 5
.full:	in	al, dx
	test	al, 0x20
	jz	.full
	pop	eax
	mov	dx, COM1
	out	dx, al
	pop	edx
	ret

	COUNTER	on_pit, pits
	COUNTER	on_hpet, hpets
	COUNTER	on_apic, apics

on_serial:
	mov	dword [LAPIC + EOI], 0
	iretd

	align	8
before:	dq	0
pits:	dd	0
hpets:	dd	0
apics:	dd	0
