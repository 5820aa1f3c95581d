; tests/command-line.d/bzimage.asm - a "Linux kernel" of protocol 2.15 that
; prints its command line and its initrd's first letters, then leaves with
; status 33.
;
; SPDX-License-Identifier: MIT
bits 32
org 0

	times 0x1f1 - ($ - $$) db 0
	db 1			; setup_sects
	dw 0
	dd (end - code + 15) / 16	; syssize
	times 0x200 - ($ - $$) db 0
	db 0xeb, 0x6a		; jump over the header
	db "HdrS"
	dw 0x20f
	times 0x211 - ($ - $$) db 0
	db 1			; loadflags: loaded high
	times 0x22c - ($ - $$) db 0
	dd 0x7fffffff		; initrd_addr_max
	times 0x238 - ($ - $$) db 0
	dd 100			; cmdline_size
	times 0x260 - ($ - $$) db 0
	dd 0x100000		; init_size
	times 1024 - ($ - $$) db 0

code:	mov esp, 0x90000
	mov ebx, esi
	mov esi, [ebx + 0x228]
	mov ecx, 100
	call print
	mov al, ' '
	out dx, al
	mov esi, [ebx + 0x218]
	mov ecx, [ebx + 0x21c]
	call print
	mov al, 16
	out 0xf4, al
stop:	hlt
	jmp stop

print:	mov dx, 0x3f8
	jecxz .done
	lodsb
	test al, al
	jz .done
	out dx, al
	loop print
.done:	ret
	times 512 db 0x90
end:
