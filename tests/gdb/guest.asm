; tests/gdb/guest.asm - what gdb looks at: a loop in 32-bit code, then the same
; in 64-bit code if the processor has long mode; ends with status 33.
;
; SPDX-License-Identifier: MIT

%define EXIT_PORT 0xf4
%define EXIT_VALUE 16			; husk exits with 2 * 16 + 1

section .text
bits 32
	dd 0x1badb002, 0, -0x1badb002	; multiboot header

global start, count32, add32, count64, add64, finish
start:
	mov esp, stack_top
	xor ecx, ecx
count32:
	inc ecx
	call add32
	cmp ecx, 100
	jb count32
	mov eax, 0x80000001
	cpuid
	bt edx, 29			; long mode
	jnc finish
	mov dword [level4], level3 + 3
	mov dword [level3], level2 + 3
	mov dword [level2], 0x83	; 2 MiB at 0
	mov eax, level4
	mov cr3, eax
	mov eax, cr4
	or eax, 1 << 5 | 1 << 9		; PAE, OSFXSR
	mov cr4, eax
	mov ecx, 0xc0000080
	rdmsr
	or eax, 1 << 8			; LME
	wrmsr
	mov eax, cr0
	or eax, 1 << 31
	mov cr0, eax
	lgdt [gdt_pointer]
	jmp 8:enter64

add32:
	add dword [sum], 2
	mov eax, [sum]
	ret

finish:
	mov dword [marker], 0x1234
	mov dx, EXIT_PORT
	mov al, EXIT_VALUE
	out dx, al
stop:
	hlt
	jmp stop

bits 64
enter64:
	mov esp, stack_top
	xor ecx, ecx
	mov r15, 0x1122334455667788
	movq xmm3, r15
count64:
	inc rcx
	call add64
	cmp rcx, 100
	jb count64
	mov dword [rel marker], 0x5678
	mov dx, EXIT_PORT
	mov al, EXIT_VALUE
	out dx, al
	jmp $

add64:
	add qword [rel sum64], 3
	mov rax, [rel sum64]
	ret

section .data
align 8
gdt:
	dq 0
	dq 0x00af9a000000ffff
gdt_pointer:
	dw 15
	dd gdt
global sum, sum64, marker
align 8
sum:	dd 0
marker:	dd 0
sum64:	dq 0

section .bss
alignb 4096
level4:	resb 4096
level3:	resb 4096
level2:	resb 4096
	resb 4096
stack_top:
