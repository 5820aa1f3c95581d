; tests/command-line.d/talk.asm - a multiboot guest that does what it is
; told over COM1, one letter at a time:
;
;   x	leave by isa-debug-exit (port F4h) with status 33
;   p	power off by ACPI		r	reset by the 8042
;   n	panic by pvpanic		c	print the command line
;
; Other letters are echoed, a break is printed as "<break>", and it says "ready"
; when it starts.  D goes to the debug console.
;
; SPDX-License-Identifier: MIT
bits 32
org 0x100000

header:	dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
	dd header, header, 0, 0, start

start:	mov esp, stack
	mov edi, ebx
	mov al, 'D'
	out 0xe9, al
	mov dx, 0x3fa		; FIFOs, so that a break overruns nothing
	mov al, 1
	out dx, al
	mov esi, ready
	call print
again:	mov dx, 0x3fd
poll:	in al, dx
	test al, 1
	jz poll
	mov ah, al
	mov dl, 0xf8
	in al, dx
	test ah, 0x10
	jnz break
	cmp al, 'x'
	je leave
	cmp al, 'p'
	je power_off
	cmp al, 'r'
	je reset
	cmp al, 'n'
	je panic
	cmp al, 'c'
	je cmdline
	call put
	jmp again
break:	mov esi, break_text
	call print
	jmp again
cmdline: mov esi, [edi + 16]
	call print
	mov al, 10
	call put
	jmp again
leave:	mov al, 16
	out 0xf4, al
	jmp again
power_off: mov dx, 0x604
	mov ax, 0x2000
	out dx, ax
	jmp again
reset:	mov al, 0xfe
	out 0x64, al
	jmp again
panic:	mov dx, 0x505
	mov al, 1
	out dx, al
	jmp again

put:	push eax
	mov dx, 0x3fd
.wait:	in al, dx
	test al, 0x20
	jz .wait
	pop eax
	mov dl, 0xf8
	out dx, al
	ret

print:	lodsb
	test al, al
	jz .done
	call put
	jmp print
.done:	ret

ready:	db "ready", 10, 0
break_text: db "<break>", 0
	align 16
	times 256 db 0
stack:
