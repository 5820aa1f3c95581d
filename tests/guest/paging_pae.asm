; tests/guest/paging_pae.asm - 3-level paging: PDPTEs, 2 MiB pages, NX, reserved
; bits.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define PDPT	TABLES
%define PD	(TABLES + 0x1000)
%define PT	(TABLES + 0x2000)	; maps PAGES
%define P	1
%define W	2
%define U	4
%define A	0x20
%define D	0x40
%define PS	0x80
%define PTE(n)	PT + (n) * 8
%define VA(n)	PAGES + (n) * 0x1000

; MAP n, flags, high dword
%macro MAP 3
	mov	dword [PTE(%1)], (VA(%1)) | (%2)
	mov	dword [PTE(%1) + 4], %3
	invlpg	[VA(%1)]
%endmacro

%macro PF_AT 4+
	FAULTS	%1, PF, %2, %4
	EQ	{%1, ": CR2"}, dword [got_cr2], %3
%endmacro

main:	NEED_CPUID 1, edx, 6, "PAE"
	mov	edi, TABLES
	mov	ecx, 0x100000 / 4
	xor	eax, eax
	rep stosd
	mov	dword [PDPT], PD + P
	mov	dword [PD], P | W | U | PS
	mov	dword [PD + 8], 0x200000 | P | W | U | PS
	mov	dword [PD + 16], PT + (P | W | U)
	mov	eax, cr4
	or	eax, 1 << 5
	mov	cr4, eax
	; a reserved bit in a PDPTE is found when CR3 is loaded
	mov	dword [PDPT + 8], P | 0x1e0
	mov	eax, PDPT
	mov	cr3, eax		; paging is off: not read yet
	mov	ebx, cr0
	or	ebx, 1 << 31
	FAULTS	"reserved bit in a PDPTE", GP, 0, mov cr0, ebx
	mov	dword [PDPT + 8], 0
	WORKS	"paging on", mov cr0, ebx

	PF_AT	"not present", 0, VA(0), mov eax, [VA(0)]
	PF_AT	"no PDPTE", 0, 0x40000000, mov eax, [0x40000000]
	MAP	0, P | W | U, 0
	WORKS	"small page", mov eax, [VA(0)]
	BITS_EQ	"A", [PTE(0)], A | D, A
	WORKS	"small page write", mov [VA(0)], eax
	BITS_EQ	"D", [PTE(0)], A | D, A | D
	; PDPTEs are read with CR3 only
	mov	dword [PDPT + 8], PD + P
	PF_AT	"PDPTE not yet loaded", 0, 0x40400000, mov eax, [0x40400000]
	mov	eax, cr3
	mov	cr3, eax
	WORKS	"PDPTE loaded", mov eax, [0x40400000]
	; reserved bits
	MAP	1, P | W, 0x00100000
	PF_AT	"reserved address bit", 9, VA(1), mov eax, [VA(1)]
	MAP	1, P | W, 0x80000000
	PF_AT	"NX without NXE", 9, VA(1), mov eax, [VA(1)]
	mov	dword [PD + 24], PAGES | P | W | PS | 0x2000
	PF_AT	"reserved bit of a 2 MiB page", 9, 0x600000, mov eax, [0x600000]

	mov	eax, 0x80000001
	cpuid
	bt	edx, 20
	jnc	.no_nx
	mov	ecx, 0xc0000080
	rdmsr
	or	eax, 1 << 11
	wrmsr
	MAP	1, P | W | U, 0x80000000
	mov	byte [VA(1)], 0xc3
	WORKS	"NX pages can be read", mov eax, [VA(1)]
	CATCH	.nx
	call	VA(1)
.nx:	CAUGHT	"NX", PF, 0x11, VA(1)
	EQ	"NX: CR2", dword [got_cr2], VA(1)
	CATCH	.nx_user
	IN_USER	VA(1)
.nx_user:
	CAUGHT	"NX in ring 3", PF, 0x15, VA(1)
	MAP	1, P | W | U, 0
	WORKS	"no NX", call VA(1)
	MAP	1, P | W, 0
	CATCH	.us
	IN_USER	VA(1)
.us:	CAUGHT	"fetch from a supervisor page", PF, 0x15, VA(1)
.no_nx:	PASS
