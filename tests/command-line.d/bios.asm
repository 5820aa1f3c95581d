; tests/command-line.d/bios.asm - a BIOS of 64 KiB: prints "bios" through
; the debug console, from where it shows below 1 MiB, finds that it cannot
; write itself, and leaves with status 33.
;
; SPDX-License-Identifier: MIT
bits 16
org 0

start:	mov ax, cs
	mov ds, ax
	mov si, text
next:	lodsb
	test al, al
	jz done
	out 0xe9, al
	jmp next
done:	mov byte [text], 'x'	; ROM
	mov al, [text]
	out 0xe9, al
	mov al, 16
	out 0xf4, al
stop:	hlt
	jmp stop
text:	db "bios ", 0

	times 0xfff0 - ($ - $$) db 0xff
	jmp 0xf000:start	; where the processor starts
	times 0x10000 - ($ - $$) db 0xff
