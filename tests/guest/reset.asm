; tests/guest/reset.asm - the state after RESET, as a ROM of 64 KiB that takes
; the firmware's place finds it.
;
; loader: bios
;
; The verdicts are lib.inc's.
;
; SPDX-License-Identifier: MIT

%define SAVE	0x6000
%define CODE32	0x08
%define DATA32	0x10

	bits	16
	org	0

; IS "text", operand, value
%macro IS 3
	cmp	%2, %3
	je	%%good
	mov	si, %%text
	call	fail
	jmp	%%good
%%text:	db	%1, 10, 0
%%good:
%endmacro

print:	mov	al, [cs:si]
	inc	si
	test	al, al
	jz	.end
	out	0xe9, al
	jmp	print
.end:	ret
fail:	mov	byte [ss:SAVE], 1
	push	si
	mov	si, text_fail
	call	print
	pop	si
	jmp	print
text_fail: db	"fail: ", 0

begin:	mov	[SAVE + 16], eax
	mov	[SAVE + 20], ebx
	mov	[SAVE + 24], ecx
	mov	[SAVE + 28], edx
	mov	[SAVE + 32], esp
	mov	[SAVE + 36], ss
	mov	[SAVE + 38], ds
	mov	byte [SAVE], 0
	mov	esp, 0x7000
	pushfd
	pop	eax
	IS	"flags", eax, 2
	mov	ax, cs
	IS	"CS", ax, 0xf000
	IS	"SS", word [SAVE + 36], 0
	IS	"DS", word [SAVE + 38], 0
	IS	"EAX", dword [SAVE + 16], 0
	IS	"EBX", dword [SAVE + 20], 0
	IS	"ECX", dword [SAVE + 24], 0
	IS	"ESP", dword [SAVE + 32], 0
	mov	eax, 1
	cpuid
	IS	"EDX is the signature", eax, dword [SAVE + 28]
	mov	eax, cr0
	IS	"CR0", eax, 0x60000010
	mov	eax, cr4
	IS	"CR4", eax, 0
	mov	eax, dr6
	IS	"DR6", eax, 0xffff0ff0
	mov	eax, dr7
	IS	"DR7", eax, 0x400
	smsw	ax
	IS	"SMSW", ax, 0x10
	sidt	[SAVE + 40]
	IS	"IDT limit", word [SAVE + 40], 0xffff
	fninit
	fnstcw	[SAVE + 48]
	IS	"x87 control word", word [SAVE + 48], 0x37f

	; the ROM is where CS's base says, at the end of 4 GiB, read-only
	mov	eax, [cs:mark]
	mov	[cs:mark], dword 0
	IS	"the ROM is not written", dword [cs:mark], eax
	; a far jump to the copy below 1 MiB
	jmp	0xf000:.low
.low:	IS	"the copy below 1 MiB", dword [cs:mark], eax
	; A20 by port 92h
	mov	ax, 0xffff
	mov	es, ax
	in	al, 0x92
	and	al, ~1
	or	al, 2
	out	0x92, al
	mov	dword [0x500], 0x11111111
	mov	dword [es:0x510], 0x22222222
	IS	"A20 open", dword [0x500], 0x11111111
	in	al, 0x92
	and	al, ~3
	out	0x92, al
	mov	dword [es:0x510], 0x33333333
	IS	"A20 closed", dword [0x500], 0x33333333
	in	al, 0x92
	or	al, 2
	and	al, ~1
	out	0x92, al
	IS	"A20 open again", dword [es:0x510], 0x22222222
	; protected mode, where port 92h resets once
	mov	ebx, 0x00600000
	o32 lgdt [cs:gdt_pointer]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	dword CODE32:0xf0000 + protected
back:	mov	ax, 0
	mov	ss, ax
	mov	ds, ax
	mov	dx, 0x501
	mov	al, [SAVE]
	xor	ah, ah
	out	dx, ax
	hlt

	bits	32
protected:
	mov	ax, DATA32
	mov	ds, ax
	mov	ss, ax
	cmp	dword [ebx], 0x12345678
	je	.done
	cmp	byte [SAVE], 0
	jne	.done
	mov	dword [ebx], 0x12345678
	in	al, 0x92
	or	al, 1
	out	0x92, al
.wait:	jmp	.wait
.done:	mov	dword [ebx], 0
	mov	eax, cr0
	and	al, ~1
	mov	cr0, eax
	jmp	0xf000:back

	align	8
gdt:	dq	0
	dq	0x00cf9b000000ffff
	dq	0x00cf93000000ffff
gdt_pointer:
	dw	23
	dd	0xf0000 + gdt
mark:	dd	0x524f4d21

	times	0xfff0 - ($ - $$) db 0xf4
	db	0xe9			; jmp begin
	dw	(begin - $$ - 0xfff3) & 0xffff
	times	0x10000 - ($ - $$) db 0
