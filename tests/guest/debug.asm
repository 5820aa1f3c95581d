; tests/guest/debug.asm - single step, instruction, data and I/O breakpoints.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define DR7_BASE 0x400
%define WATCH	PAGES

; DR6_IS "text", mask, wanted
%macro DR6_IS 3
	mov	eax, dr6
	BITS_EQ	%1, eax, %2, %3
	mov	eax, 0xffff0ff0
	mov	dr6, eax
%endmacro

; TRAPS "text", instruction: #DB after it
%macro TRAPS 2+
	CATCH	%%after
	%2
%%next:	nop
	nop
%%after:
	CAUGHT	%1, DB, 0, %%next
%endmacro

%macro BREAK 2				; DR0 address, DR7
	mov	eax, %1
	mov	dr0, eax
	mov	eax, DR7_BASE | (%2)
	mov	dr7, eax
%endmacro

%macro STEP 0				; TF is on after the next instruction
	pushfd
	or	dword [esp], 0x100
	popfd
%endmacro

main:	mov	eax, dr6
	EQ	"DR6 after reset", eax, 0xffff0ff0
	mov	eax, dr7
	EQ	"DR7 after reset", eax, DR7_BASE
	mov	dword [WATCH], 0

	; single step
	CATCH	.step
	STEP
	nop
.stepped:
	nop
.step:	CAUGHT	"single step", DB, 0, .stepped
	BITS_EQ	"TF is pushed", [got_flags], 0x10100, 0x100
	DR6_IS	"single step: DR6", 0xe00f, 0x4000
	; not after MOV SS
	mov	eax, ss
	CATCH	.ss
	STEP
	mov	ss, ax
	nop
.after_ss:
	nop
.ss:	CAUGHT	"single step over MOV SS", DB, 0, .after_ss
	DR6_IS	"single step over MOV SS: DR6", 0xe00f, 0x4000
	; not into the handler of INT n, which finds TF pushed
	CATCH	.int
	STEP
	int	0x60
.int:	UNCATCH
	EQ	"INT n with TF", dword [got_vector], 0x60
	BITS_EQ	"INT n with TF: pushed", [got_flags], 0x100, 0x100
	DR6_IS	"INT n with TF: DR6", 0xe00f, 0
	; POPF that clears TF is still stepped
	CATCH	.popf
	pushfd
	STEP
	popfd
.popped:
	nop
.popf:	CAUGHT	"POPF clears TF", DB, 0, .popped
	DR6_IS	"POPF clears TF: DR6", 0xe00f, 0x4000
	; a fault comes alone
	CATCH	.fault
	STEP
.faults:
	ud2
.fault:	CAUGHT	"UD2 with TF", UD, 0, .faults
	DR6_IS	"UD2 with TF: DR6", 0xe00f, 0
	; a repeated string steps by iterations
	mov	edi, WATCH
	mov	ecx, 3
	CATCH	.rep
	STEP
.stos:	rep stosb
.rep:	CAUGHT	"single step in REP", DB, 0, .stos
	EQ	"one iteration", ecx, 2
	DR6_IS	"single step in REP: DR6", 0xe00f, 0x4000

	; instruction breakpoint
	BREAK	.here, 1
	CATCH	.broke
	inc	ebx
.here:	inc	ebx
.broke:	CAUGHT	"instruction breakpoint", DB, 0, .here
	DR6_IS	"instruction breakpoint: DR6", 0xe00f, 1
	; RF goes past it
	BREAK	.rf, 1
	CATCH	.past
	pushfd
	or	dword [esp], 0x10000
	push	dword CODE32
	push	dword .rf
	iretd
.rf:	nop
.past:	UNCATCH
	EQ	"RF", dword [got_vector], -1
	; global enable counts too, disabled does not
	BREAK	.here2, 2
	CATCH	.broke2
.here2:	nop
.broke2: CAUGHT	"global enable", DB, 0, .here2
	DR6_IS	"global enable: DR6", 0xe00f, 1
	BREAK	.here3, 0
	CATCH	.broke3
.here3:	nop
.broke3: UNCATCH
	EQ	"disabled breakpoint", dword [got_vector], -1
	; MOV SS holds it off on Intel's processors, not on AMD's
	xor	eax, eax
	cpuid
	xor	edi, edi
	cmp	ebx, 0x756e6547		; Genu
	je	.intel
	inc	edi
.intel:	mov	ecx, ss
	BREAK	.held, 1
	CATCH	.not_held
	mov	ss, cx
.held:	nop
.not_held:
	UNCATCH
	lea	edi, [edi * 2 - 1]	; -1: nothing, 1: #DB
	EQ	"breakpoint after MOV SS", dword [got_vector], edi

	; data breakpoints: write, 4 bytes
	mov	eax, 0xffff0ff0
	mov	dr6, eax
	BREAK	WATCH, 0xd0001
	TRAPS	"write", mov [WATCH], eax
	DR6_IS	"write: DR6", 0xe00f, 1
	TRAPS	"write of its last byte", mov [WATCH + 3], al
	TRAPS	"write across its start", mov [WATCH - 1], ax
	TRAPS	"read-modify-write", inc byte [WATCH + 1]
	mov	eax, 0xffff0ff0
	mov	dr6, eax
	WORKS	"read of a write breakpoint", mov eax, [WATCH]
	WORKS	"write after it", mov [WATCH + 4], eax
	WORKS	"write before it", mov [WATCH - 4], eax
	; read or write, 1 byte
	BREAK	WATCH + 2, 0x30001
	TRAPS	"read", mov eax, [WATCH]
	DR6_IS	"read: DR6", 0xe00f, 1
	WORKS	"read of a neighbour", mov al, [WATCH + 1]
	; string instructions
	mov	edi, WATCH - 2
	mov	ecx, 8
	CATCH	.string
.rep2:	rep stosb
	nop
.string: CAUGHT	"REP STOSB over it", DB, 0, .rep2
	EQ	"bytes left", ecx, 3
	; DR1 at the same time
	mov	eax, WATCH + 8
	mov	dr1, eax
	mov	eax, DR7_BASE | 0xd30005
	mov	dr7, eax
	mov	eax, 0xffff0ff0
	mov	dr6, eax
	TRAPS	"second breakpoint", mov [WATCH + 8], eax
	DR6_IS	"second breakpoint: DR6", 0xe00f, 2
	; and single step: one exception for both
	CATCH	.both
	STEP
	mov	[WATCH + 8], eax
.next:	nop
.both:	CAUGHT	"watch and step", DB, 0, .next
	DR6_IS	"watch and step: DR6", 0xe00f, 0x4002
	mov	eax, DR7_BASE
	mov	dr7, eax

	; INT1
	CATCH	.icebp
	db	0xf1
.after_icebp:
	nop
.icebp:	CAUGHT	"INT1", DB, 0, .after_icebp
	DR6_IS	"INT1: DR6", 0xe00f, 0
	; general detect
	mov	eax, DR7_BASE | 0x2000
	mov	dr7, eax
	FAULTS	"general detect", DB, 0, mov eax, dr0
	DR6_IS	"general detect: DR6", 0xe00f, 0x2000
	mov	eax, dr7
	BITS_EQ	"GD is cleared", eax, 0x2000, 0

	; DR4 and DR5
	WORKS	"DR5 is DR7", mov eax, dr5
	mov	eax, cr4
	or	eax, 8
	mov	cr4, eax
	FAULTS	"DR5 with CR4.DE", UD, 0, mov eax, dr5
	; I/O breakpoint
	BREAK	0x80, 0x20001
	TRAPS	"I/O breakpoint", out 0x80, al
	DR6_IS	"I/O breakpoint: DR6", 0xe00f, 1
	WORKS	"another port", in al, 0x81
	mov	eax, DR7_BASE
	mov	dr7, eax
	USER_FAULTS "DR7 in ring 3", GP, 0, mov eax, dr7
	PASS
