; tests/guest/gates64.asm - long mode: interrupts and stacks, IST, call gates,
; IRET, SYSCALL, SYSENTER, SWAPGS.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"
%include "lib64.inc"

%define GATE	FREE_SEL		; 16 bytes
%define GATE3	(FREE_SEL | 3)
%define LD	(FREE_SEL + 0x10)	; L and D both set
; SYSCALL: CS 80h, SS 88h; SYSRET: 32-bit 90h, SS 98h, 64-bit a0h
%define SYS	0x80

main:	call	enter_long
	bits	64
	SET_DESC LD, 0, 0xfffff, 0xe09b
	SET_DESC SYS, 0, 0xfffff, 0xa09b
	SET_DESC SYS + 8, 0, 0xfffff, 0xc093
	SET_DESC SYS + 16, 0, 0xfffff, 0xc0fb
	SET_DESC SYS + 24, 0, 0xfffff, 0xc0f3
	SET_DESC SYS + 32, 0, 0xfffff, 0xa0fb

	; the frame of an interrupt in ring 0
	mov	rbx, rsp
	sub	rsp, 5
	mov	rcx, rsp
	CATCH	.frame
	int	0x60
.frame:	UNCATCH
	mov	rsp, rbx
	mov	rsi, [got_frame]
	EQQ	"RSP pushed", [rsi + 24], rcx
	mov	eax, ss
	EQ	"SS pushed", [rsi + 32], eax
	lea	rdx, [rcx - 40]
	and	edx, 0xfffffff0
	add	edx, 0
	mov	rax, rcx
	and	rax, ~15
	sub	rax, 40
	mov	rdx, rax
	EQQ	"the stack is aligned", rsi, rdx

	; from ring 3: RSP0, null SS
	CATCH	.from3
	IN_USER	.in3
.in3:	int	0xfe
.from3:	UNCATCH
	EQQ	"RSP0", [got_frame], TSS_STACK - 40
	mov	eax, ss
	EQ	"SS is null", eax, 0
	; IST, also without a change of ring
	mov	byte [idt + 0x61 * 16 + 4], 1
	mov	rbx, rsp
	CATCH	.ist
	int	0x61
.ist:	UNCATCH
	EQQ	"IST1", [got_frame], IST1 - 40
	; an error code goes below
	mov	byte [idt + GP * 16 + 4], 1
	mov	eax, 0x200
	FAULTS	"error code on an IST stack", GP, 0x200, mov fs, ax
	EQQ	"IST1 with an error code", [got_frame], IST1 - 40
	mov	byte [idt + GP * 16 + 4], 0

	; gates that long mode refuses
	mov	byte [idt + 0x62 * 16 + 5], 0x86
	FAULTS	"16-bit gate", GP, 0x62 * 8 + 2, int 0x62
	mov	byte [idt + 0x62 * 16 + 5], 0x85
	FAULTS	"task gate", GP, 0x62 * 8 + 2, int 0x62
	mov	byte [idt + 0x62 * 16 + 5], 0x8e
	mov	word [idt + 0x62 * 16 + 2], CODE32
	FAULTS	"gate to 32-bit code", GP, CODE32, int 0x62
	mov	word [idt + 0x62 * 16 + 2], CODE64
	mov	dword [idt + 0x62 * 16 + 8], 0x8000
	FAULTS	"gate to an address that is not canonical", GP, 0, int 0x62
	USER_FAULTS "gate of ring 0", GP, 0x63 * 8 + 2, int 0x63

	; call gates
	SET_GATE gdt + GATE, CODE64, .gated, 0xec
	mov	qword [gdt + GATE + 8], 0
	USER_BEGIN
	mov	rbx, rsp
	call	far dword [.gate]
	sub	rbx, rsp
	USER_END "call gate"
	EQ	"stack after it", ebx, 0
	EQQ	"stack in it", [.seen], TSS_STACK - 32
	EQ	"CS in it", dword [.seen + 8], CODE64
	mov	dword [gdt + GATE + 12], 0x100
	USER_FAULTS "upper type of a call gate", GP, GATE, \
		call far dword [.gate]
	mov	dword [gdt + GATE + 12], 0
	mov	word [gdt + GATE + 2], CODE32
	USER_FAULTS "call gate to 32-bit code", GP, CODE32, \
		call far dword [.gate]
	CATCH	.after_ld
.jmp_ld:
	jmp	far dword [.ld]
.after_ld:
	CAUGHT	"L and D", GP, LD, .jmp_ld

	; IRET
	pushfq
	or	qword [rsp], 0x4000	; NT
	popfq
	push	qword 0
	push	rsp
	pushfq
	push	qword CODE64
	push	qword .bad
	FAULTS	"IRET with NT", GP, 0, iretq
	add	rsp, 40
	pushfq
	and	qword [rsp], ~0x4000
	popfq
	push	qword 0
	push	rsp
	pushfq
	push	qword UCODE64
	push	qword .bad
	FAULTS	"IRET to ring 3 with a null SS", GP, 0, iretq
	add	rsp, 40
	mov	rax, 0x800000000000
	push	qword UDATA32
	push	rsp
	pushfq
	push	qword UCODE64
	push	rax
	FAULTS	"IRET to an address that is not canonical", GP, 0, iretq
	add	rsp, 40
	mov	rbx, rsp
	push	qword 0
	push	rbx
	pushfq
	push	qword CODE64
	push	qword .iret
	iretq
.iret:	EQQ	"IRET in ring 0 with a null SS", rsp, rbx
	; to 32-bit code in ring 3 and back by INT
	CATCH	.from32
	push	qword UDATA32
	push	qword USER_STACK
	pushfq
	push	qword UCODE32
	push	qword .user32
	iretq
	bits	32
.user32:
	mov	ebx, 0x7fffffff
	inc	ebx
	dec	eax			; 48h: a REX prefix in 64-bit code
	int	0xfe
	bits	64
.from32:
	UNCATCH
	EQ	"32-bit ring 3: vector", dword [got_vector], 0xfe
	EQ	"32-bit ring 3: CS", dword [got_cs], UCODE32
	EQ	"32-bit ring 3: code", ebx, 0x80000000

	; SYSCALL and SYSRET
	mov	ecx, 0xc0000081
	xor	eax, eax
	mov	edx, (SYS + 16 | 3) << 16 | SYS
	wrmsr
	mov	ecx, 0xc0000082
	mov	eax, .syscall
	xor	edx, edx
	wrmsr
	mov	ecx, 0xc0000084
	mov	eax, 0x4000 | 1		; NT, CF
	wrmsr
	USER_BEGIN
	stc
	syscall
.back:	mov	rbx, cs
	mov	rdx, ss
	setc	sil
	USER_END "SYSCALL"
	EQ	"CS after SYSRET", ebx, SYS + 32 | 3
	EQ	"SS after SYSRET", edx, SYS + 24 | 3
	movzx	esi, sil
	EQ	"flags after SYSRET", esi, 1
	EQ	"CS in SYSCALL", dword [.seen], SYS
	EQ	"SS in SYSCALL", dword [.seen + 8], SYS + 8
	BITS_EQ	"FMASK", [.seen + 16], 0x4001, 0
	EQQ	"RCX in SYSCALL", [.seen + 24], .back
	; SYSRET to 32-bit code
	CATCH	.sysret32
	mov	ecx, .code32
	mov	r11d, 2
	mov	[.seen], rsp
	o32 sysret
	bits	32
.code32:
	mov	ebx, cs
	int	0xfe
	bits	64
.sysret32:
	UNCATCH
	EQ	"CS after 32-bit SYSRET", ebx, SYS + 16 | 3
	USER_FAULTS "SYSRET in ring 3", GP, 0, o64 sysret
	mov	ecx, 0xc0000080
	rdmsr
	and	eax, ~1
	wrmsr
	USER_FAULTS "SYSCALL without SCE", UD, 0, syscall
	or	eax, 1
	mov	ecx, 0xc0000080
	wrmsr

	; SYSENTER: Intel's only, in long mode
	xor	eax, eax
	cpuid
	cmp	ebx, 0x756e6547		; Genu
	jne	.amd
	mov	ecx, 0x174
	xor	eax, eax
	xor	edx, edx
	wrmsr
	USER_FAULTS "SYSENTER without CS", GP, 0, sysenter
	mov	ecx, 0x174
	mov	eax, SYS
	xor	edx, edx
	wrmsr
	mov	ecx, 0x175
	mov	eax, TSS_STACK
	wrmsr
	mov	ecx, 0x176
	mov	eax, .sysenter
	wrmsr
	USER_BEGIN
	mov	ecx, USER_STACK
	mov	edx, .exited
	sysenter
.exited:
	mov	ebx, cs
	USER_END "SYSENTER"
	EQ	"CS after SYSEXIT", ebx, SYS + 32 | 3
	EQ	"CS in SYSENTER", dword [.seen], SYS
	jmp	.gs
.amd:	USER_FAULTS "SYSENTER in long mode", UD, 0, sysenter
.gs:
	; SWAPGS
	mov	ecx, 0xc0000101
	mov	eax, 0x1111
	xor	edx, edx
	wrmsr
	mov	ecx, 0xc0000102
	mov	eax, PAGES
	mov	edx, 0xffff8000
	wrmsr
	swapgs
	mov	ecx, 0xc0000101
	rdmsr
	EQ	"SWAPGS", edx, 0xffff8000
	mov	ecx, 0xc0000102
	rdmsr
	EQ	"SWAPGS both ways", eax, 0x1111
	swapgs
	USER_FAULTS "SWAPGS in ring 3", GP, 0, swapgs
	FAULTS	"no LDS in 64-bit code", UD, 0, db 0xc5
	FAULTS	"PUSH CS", UD, 0, db 0x0e
	PASS
.bad:	FAIL	"this should not run", 0
	PASS

.gated:	mov	[.seen], rsp
	mov	rax, cs
	mov	[.seen + 8], rax
	o64 retf
.syscall:
	mov	dword [.seen], 0
	mov	[.seen], cs
	mov	[.seen + 8], ss
	pushfq				; on ring 3's stack
	pop	qword [.seen + 16]
	mov	[.seen + 24], rcx
	o64 sysret
.sysenter:
	mov	dword [.seen], 0
	mov	[.seen], cs
	o64 sysexit
	align	8
.seen:	times 8 dq 0
.gate:	dd	0
	dw	GATE3
.ld:	dd	.after_ld
	dw	LD
