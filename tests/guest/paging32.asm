; tests/guest/paging32.asm - 2-level paging: rights, error codes, accessed and
; dirty bits, 4 MiB pages, global pages, INVLPG, string restart.
;
; The first 4 MiB are one page table's worth of small pages, the next are
; PAGES, mapped as each test wants.
;
; SPDX-License-Identifier: MIT
%include "lib.inc"

%define PD	TABLES
%define PT_LOW	(TABLES + 0x1000)
%define PT	(TABLES + 0x2000)	; maps PAGES
%define P	1
%define W	2
%define U	4
%define A	0x20
%define D	0x40
%define PS	0x80
%define G	0x100

; The PTE of page n of PAGES, and the page
%define PTE(n)	PT + (n) * 4
%define VA(n)	PAGES + (n) * 0x1000

; MAP n, flags: to itself
%macro MAP 2
	mov	dword [PTE(%1)], (VA(%1)) | (%2)
	invlpg	[VA(%1)]
%endmacro

; PF_AT "text", code, address, instruction
%macro PF_AT 4+
	FAULTS	%1, PF, %2, %4
	EQ	{%1, ": CR2"}, dword [got_cr2], %3
%endmacro

main:	mov	edi, TABLES
	mov	ecx, 0x100000 / 4
	xor	eax, eax
	rep stosd
	mov	ecx, 1024
	mov	edi, PT_LOW
	mov	eax, P | W | U
.low:	stosd
	add	eax, 0x1000
	loop	.low
	mov	dword [PD], PT_LOW + (P | W | U)
	mov	dword [PD + 4], PT + (P | W | U)
	mov	eax, PD
	mov	cr3, eax
	mov	eax, cr0
	or	eax, 1 << 31
	mov	cr0, eax

	PF_AT	"not present", 0, VA(0) + 8, mov eax, [VA(0) + 8]
	PF_AT	"not present, write", 2, VA(0), mov [VA(0)], eax
	PF_AT	"no page directory entry", 0, 0x12345678, mov eax, [0x12345678]

	; accessed and dirty bits
	MAP	1, P | W | U
	and	dword [PD + 4], ~A
	WORKS	"read", mov eax, [VA(1)]
	BITS_EQ	"read sets A only", [PTE(1)], A | D, A
	BITS_EQ	"and in the directory", [PD + 4], A, A
	WORKS	"write", mov [VA(1)], eax
	BITS_EQ	"write sets D", [PTE(1)], A | D, A | D
	MAP	1, P
	mov	eax, cr0
	or	eax, 1 << 16
	mov	cr0, eax
	PF_AT	"write to a read-only page with WP", 3, VA(1), mov [VA(1)], eax
	BITS_EQ	"a fault sets neither bit", [PTE(1)], A | D, 0
	mov	eax, cr0
	and	eax, ~(1 << 16)
	mov	cr0, eax
	WORKS	"write to a read-only page without WP", mov [VA(1)], eax
	BITS_EQ	"it gets dirty", [PTE(1)], A | D, A | D

	; ring 3
	MAP	2, P | W
	USER_FAULTS "supervisor page", PF, 5, mov eax, [VA(2)]
	USER_FAULTS "supervisor page, write", PF, 7, mov [VA(2)], eax
	USER_FAULTS "page not there", PF, 4, mov eax, [VA(3)]
	MAP	2, P | U
	USER_WORKS "user page", mov eax, [VA(2)]
	USER_FAULTS "read-only user page", PF, 7, mov [VA(2)], eax
	and	dword [PD + 4], ~U
	mov	eax, cr3
	mov	cr3, eax
	USER_FAULTS "directory entry counts too", PF, 5, mov eax, [VA(2)]
	or	dword [PD + 4], U

	; an access across two pages writes neither if one faults
	MAP	4, P | W
	MAP	5, 0
	mov	dword [VA(4) + 0xffc], 0
	PF_AT	"across pages", 2, VA(5), mov dword [VA(4) + 0xffe], -1
	EQ	"nothing was written", dword [VA(4) + 0xffc], 0

	; REP MOVS stops at the page that is not there and can go on
	mov	esi, VA(4)
	mov	edi, VA(4) + 0xff0
	mov	ecx, 8
	PF_AT	"REP STOSD", 2, VA(5), rep stosd
	EQ	"its count", ecx, 4
	EQ	"its address", edi, VA(5)
	MAP	5, P | W
	WORKS	"the rest of it", rep stosd
	EQ	"count at the end", ecx, 0

	; a stale translation is kept until INVLPG, for a global page longer
	mov	eax, 1
	xor	ecx, ecx
	cpuid
	bt	edx, 13
	jnc	.no_global
	mov	eax, cr4
	or	eax, 1 << 7
	mov	cr4, eax
	MAP	6, P | W | G
	mov	eax, [VA(6)]
	mov	eax, cr3
	mov	cr3, eax
	WORKS	"global page", mov eax, [VA(6)]
	MAP	6, 0
	PF_AT	"INVLPG drops it", 0, VA(6), mov eax, [VA(6)]
.no_global:

	; 4 MiB pages
	mov	eax, 1
	cpuid
	bt	edx, 3
	jnc	.no_pse
	mov	eax, cr4
	or	eax, 1 << 4
	mov	cr4, eax
	mov	dword [PAGES + 0x400000 - 0x400000 + 0x5008], 0
	mov	dword [PD + 8], PAGES | P | W | U | PS	; 8 MiB is PAGES
	mov	dword [PTE(7)], (VA(7)) | P | W
	mov	dword [VA(7) + 4], 0x7777
	mov	eax, [PAGES + 0x400000 + 0x7000 + 4]
	EQ	"4 MiB page", eax, 0x7777
	BITS_EQ	"A in a 4 MiB page", [PD + 8], A | D, A
	mov	[PAGES + 0x400000 + 0x7000], eax
	BITS_EQ	"D in a 4 MiB page", [PD + 8], A | D, A | D
	mov	dword [PD + 12], PAGES | P | W | PS | 0x200000	; reserved bit
	PF_AT	"reserved bit", 9, 0xc00000, mov eax, [0xc00000]
.no_pse:
	PASS
