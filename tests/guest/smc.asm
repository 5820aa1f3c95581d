; tests/guest/smc.asm - code that is written while it runs, by itself, by
; strings, across pages, and through another mapping.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define PD	TABLES
%define PT	(TABLES + 0x1000)

; CODE address, bytes...: write them there
%macro CODE 2+
	mov	esi, %%bytes
	mov	edi, %1
	mov	ecx, %%end - %%bytes
	rep movsb
	jmp	%%end
%%bytes: db	%2
%%end:
%endmacro

main:	; a function that is replaced between two calls
	CODE	PAGES, 0xb8, 1, 0, 0, 0, 0xc3	; mov eax, 1; ret
	mov	ebx, PAGES
	call	ebx
	EQ	"first version", eax, 1
	mov	byte [PAGES + 1], 2
	call	ebx
	EQ	"immediate changed", eax, 2
	mov	dword [PAGES + 1], 0x12345678
	call	ebx
	EQ	"changed as a dword", eax, 0x12345678
	CODE	PAGES, 0x31, 0xc0, 0x40, 0xc3	; xor eax, eax; inc eax; ret
	call	ebx
	EQ	"changed by a string", eax, 1
	mov	byte [PAGES + 4], 0xc3
	lock and byte [PAGES + 3], 0x40		; RET becomes INC EAX
	call	ebx
	EQ	"one instruction more", eax, 2

	; the next instruction
	xor	eax, eax
	mov	byte [.next], 0x90
	jmp	.next
.next:	inc	eax
	EQ	"next instruction", eax, 0
	mov	byte [.next2 + 1], 7
.next2:	mov	eax, 3
	EQ	"next instruction's immediate", eax, 7
	; in a loop, the loop's own body
	xor	eax, eax
	mov	ecx, 10
.loop:	add	eax, 1
	inc	byte [.loop + 2]
	dec	ecx
	jnz	.loop
	EQ	"loop body", eax, 55

	; an instruction across two pages, its second part changed
	CODE	PAGES + 0xffd, 0xb8, 1, 0, 0, 0, 0xc3
	mov	ebx, PAGES + 0xffd
	call	ebx
	EQ	"across pages", eax, 1
	mov	byte [PAGES + 0x1001], 1
	call	ebx
	EQ	"second part changed", eax, 0x01000001
	mov	byte [PAGES + 0xffe], 2
	call	ebx
	EQ	"first part changed", eax, 0x01000002
	; a store across the same pages
	mov	dword [PAGES + 0xffe], 0x00050004
	call	ebx
	EQ	"both parts changed", eax, 0x00050004

	; a REP STOS that writes over itself
	CODE	PAGES + 0x100, 0xf3, 0xaa, 0xc3	; rep stosb; ret
	mov	edi, PAGES + 0x103
	mov	ecx, 0x40
	mov	al, 0x90
	mov	ebx, PAGES + 0x100
	call	ebx
	EQ	"REP STOS after itself", ecx, 0

	; the same page by two linear addresses
	mov	edi, TABLES
	mov	ecx, 0x2000 / 4
	xor	eax, eax
	rep stosd
	mov	dword [PD], 0x83
	mov	dword [PD + 4], PAGES + 0x83
	mov	dword [PD + 8], PT + 3		; 8 MiB: one small page
	mov	dword [PT], PAGES + 3
	mov	eax, cr4
	or	eax, 0x10
	mov	cr4, eax
	mov	eax, PD
	mov	cr3, eax
	mov	eax, cr0
	or	eax, 1 << 31
	mov	cr0, eax
	CODE	PAGES, 0xb8, 1, 0, 0, 0, 0xc3
	mov	ebx, PAGES
	call	ebx
	EQ	"before", eax, 1
	mov	byte [0x800001], 9
	call	ebx
	EQ	"changed by another address", eax, 9
	; another page comes to the same address
	CODE	PAGES + 0x2000, 0xb8, 0x22, 0, 0, 0, 0xc3
	mov	ebx, 0x800000
	call	ebx
	EQ	"by the second address", eax, 9
	mov	dword [PT], PAGES + 0x2000 + 3
	invlpg	[ebx]
	call	ebx
	EQ	"another page", eax, 0x22
	PASS
