; tests/guest/limits.asm - segment limits and types, and alignment checks:
; what QEMU's TCG leaves out.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define SMALL	FREE_SEL		; 1000h bytes at PAGES
%define RDONLY	(FREE_SEL + 0x08)
%define DOWN	(FREE_SEL + 0x10)	; valid from 1000h on
%define XONLY	(FREE_SEL + 0x18)
%define SMALLCS	(FREE_SEL + 0x20)
%define DOWN16	(FREE_SEL + 0x28)

	section	.low
	bits	16
to_real:
	mov	eax, cr0
	and	eax, ~1
	mov	cr0, eax
	jmp	0:.real
.real:	lidt	[real_idt]
	mov	ax, 0x800
	mov	ds, ax
	mov	ss, ax
	mov	sp, 0x1000
	xor	ax, ax
	mov	fs, ax
	mov	word [fs:13 * 4], .gp
	mov	word [fs:13 * 4 + 2], 0
	mov	word [fs:12 * 4], .ss
	mov	word [fs:12 * 4 + 2], 0
	xor	cx, cx
	mov	si, 0xffff
.fault:	mov	ax, [si]		; the byte past 64 KiB
	cmp	cx, 0x1313
	jne	.out
	mov	bp, 0xffff
	mov	ax, [bp]
	cmp	cx, 0x1212
	jne	.out
	mov	byte [cs:verdict], 0
.out:	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	dword CODE32:from_real
.gp:	mov	cx, 0x1313
	jmp	.skip
.ss:	mov	cx, 0x1212
.skip:	pop	bx			; no error code: IP is on top
	add	bx, 2			; both instructions: 2 or 3 bytes
	cmp	byte [cs:bx - 1], 0x46	; [bp + disp8]
	jne	.two
	inc	bx
.two:	push	bx
	iret
verdict: db	1
	align	4
real_idt: dw	0x3ff
	dd	0
	section	.text
	bits	32

main:	SET_DESC SMALL, PAGES, 0xfff, 0x4093
	SET_DESC RDONLY, PAGES, 0xfff, 0x4091
	SET_DESC DOWN, PAGES, 0xfff, 0x4097
	SET_DESC DOWN16, PAGES, 0xfff, 0x0097
	SET_DESC XONLY, 0, 0xfffff, 0xc099
	SET_DESC SMALLCS, 0, 0xfff, 0x409b
	mov	ax, SMALL
	mov	fs, ax
	WORKS	"the last dword", mov eax, [fs:0xffc]
	FAULTS	"a dword past the limit", GP, 0, mov eax, [fs:0xffd]
	FAULTS	"a byte past the limit", GP, 0, mov al, [fs:0x1000]
	FAULTS	"a write past the limit", GP, 0, mov [fs:0xffe], eax
	FAULTS	"a far offset", GP, 0, mov al, [fs:0xffffffff]
	mov	ax, RDONLY
	mov	fs, ax
	WORKS	"read-only data can be read", mov eax, [fs:0]
	FAULTS	"read-only data cannot be written", GP, 0, mov [fs:0], eax
	FAULTS	"nor by read-modify-write", GP, 0, inc dword [fs:0]
	FAULTS	"code cannot be written", GP, 0, mov [cs:PAGES], eax
	mov	ax, DOWN
	mov	fs, ax
	WORKS	"above an expand-down limit", mov eax, [fs:0x1000]
	WORKS	"far above", mov eax, [fs:0x20000]
	FAULTS	"below an expand-down limit", GP, 0, mov al, [fs:0xfff]
	mov	ax, DOWN16
	mov	fs, ax
	FAULTS	"above 64 KiB of a 16-bit one", GP, 0, mov al, [fs:0x10000]
	xor	eax, eax
	mov	fs, ax
	FAULTS	"a null segment", GP, 0, mov eax, [fs:0x1000]
	; stack
	mov	ebx, esp
	mov	ax, SMALL
	mov	ss, ax
	mov	esp, 0x800
	FAULTS	"past the stack's limit", SS_, 0, mov [ss:0x1000], eax
	FAULTS	"also by EBP", SS_, 0, mov eax, [ebp + PAGES]
	mov	ax, DATA32
	mov	ss, ax
	mov	esp, ebx
	; code
	CATCH	.no_read
	jmp	XONLY:.xonly
.xonly:	mov	eax, [cs:.xonly]
.no_read:
	jmp	CODE32:.back
.back:	CAUGHT	"execute-only code cannot be read", GP, 0, .xonly
	FAULTS	"a jump past the code limit", GP, 0, jmp SMALLCS:0x2000
	; alignment check
	mov	eax, cr0
	or	eax, 1 << 18
	mov	cr0, eax
	pushfd
	or	dword [esp], 1 << 18
	popfd
	WORKS	"no alignment check in ring 0", mov eax, [gdt + 1]
	USER_FAULTS "alignment check", AC, 0, mov eax, [gdt + 1]
	pushfd
	and	dword [esp], ~(1 << 18)
	popfd

	; real mode
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
	mov	esp, STACK
	lidt	[idt_pointer]
	movzx	ebx, byte [verdict]
	EQ	"real mode limits", ebx, 0
	PASS
