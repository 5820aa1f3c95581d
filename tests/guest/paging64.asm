; tests/guest/paging64.asm - 4-level paging: canonical addresses, NX, 1 GiB
; pages, SMEP, SMAP, PCIDs, UMIP.
;
; options: -cpu max
;
; SPDX-License-Identifier: MIT
%include "lib.inc"
%include "lib64.inc"

%define PT	TABLES_FREE		; maps PAGES
%define P	1
%define W	2
%define U	4
%define A	0x20
%define D	0x40
%define PS	0x80
%define PTE(n)	PT + (n) * 8
%define VA(n)	PAGES + (n) * 0x1000

%macro MAP 3
	mov	dword [PTE(%1)], (VA(%1)) | (%2)
	mov	dword [PTE(%1) + 4], %3
	invlpg	[VA(%1)]
%endmacro

; PF_AT "text", code, address, instruction
%macro PF_AT 4+
	FAULTS	%1, PF, %2, %4
	EQQ	{%1, ": CR2"}, [got_cr2], %3
%endmacro

; HAVE_CPUID leaf, register, bit, label if not
%macro HAVE_CPUID 4
	mov	eax, %1
	xor	ecx, ecx
	cpuid
	bt	%2, %3
	jnc	%4
%endmacro

main:	call	enter_long
	bits	64
	mov	qword [PD + 2 * 8], PT + (P | W | U)

	PF_AT	"not present", 0, VA(0), mov eax, [VA(0)]
	mov	rbx, 0x0000800000000000
	FAULTS	"not canonical", GP, 0, mov eax, [rbx]
	mov	rbp, rbx
	FAULTS	"not canonical by RBP", SS_, 0, mov eax, [rbp]
	mov	rbx, 0x00007ffffffffffc
	PF_AT	"highest low half", 0, 0x00007ffffffffffc, mov eax, [rbx]
	mov	rbx, 0xffff800000000000
	PF_AT	"lowest high half", 0, 0xffff800000000000, mov eax, [rbx]

	MAP	0, P | W | U, 0
	WORKS	"read", mov eax, [VA(0)]
	BITS_EQ	"A", [PTE(0)], A | D, A
	WORKS	"write", mov [VA(0)], eax
	BITS_EQ	"D", [PTE(0)], A | D, A | D
	MAP	0, P | U, 0
	PF_AT	"write-protected", 3, VA(0), mov [VA(0)], eax
	USER_FAULTS "write-protected for ring 3", PF, 7, mov [VA(0)], eax
	MAP	0, P | W, 0
	USER_FAULTS "supervisor page", PF, 5, mov eax, [VA(0)]
	MAP	0, P | W, 0x00080000
	FAULTS	"reserved bit", PF, 9, mov eax, [VA(0)]

	; NX at each level
	MAP	1, P | W | U, 0
	mov	byte [VA(1)], 0xc3
	WORKS	"executable", call VA(1)
	MAP	1, P | W | U, 0x80000000
	CATCH	.nx
	call	VA(1)
.nx:	CAUGHT	"NX", PF, 0x11, VA(1)
	MAP	1, P | W | U, 0
	mov	dword [PD + 2 * 8 + 4], 0x80000000
	invlpg	[VA(1)]
	CATCH	.nx_pd
	call	VA(1)
.nx_pd:	CAUGHT	"NX in a page directory", PF, 0x11, VA(1)
	mov	dword [PD + 2 * 8 + 4], 0

	; 1 GiB pages
	HAVE_CPUID 0x80000001, edx, 26, .no_gib
	mov	rax, P | W | PS
	mov	[PDPT + 5 * 8], rax	; 5 GiB on is memory from 0
	mov	rbx, 5 << 30
	mov	dword [VA(1) + 8], 0x5151
	mov	eax, [rbx + VA(1) + 8]
	EQ	"1 GiB page", eax, 0x5151
	BITS_EQ	"A in a 1 GiB page", [PDPT + 5 * 8], A | D, A
	mov	rax, P | W | PS | 0x2000
	mov	[PDPT + 6 * 8], rax
	mov	rbx, 6 << 30
	FAULTS	"reserved bit of a 1 GiB page", PF, 9, mov eax, [rbx]
.no_gib:
	; PML4 entries have no size bit
	mov	qword [PML4 + 8], PDPT + (P | W | PS)
	mov	rbx, 512 << 30
	FAULTS	"size bit in a PML4E", PF, 9, mov eax, [rbx]
	mov	qword [PML4 + 8], 0

	; UMIP
	HAVE_CPUID 7, ecx, 2, .no_umip
	mov	rax, cr4
	or	eax, 1 << 11
	mov	cr4, rax
	USER_FAULTS "UMIP: SGDT", GP, 0, sgdt [USER_STACK]
	USER_FAULTS "UMIP: SMSW", GP, 0, smsw ax
	USER_FAULTS "UMIP: STR", GP, 0, str ax
	WORKS	"UMIP in ring 0", str ax
.no_umip:

	; SMEP and SMAP need the program itself in supervisor pages
	and	byte [PD], ~U
	and	byte [PD + 8], ~U
	mov	rax, cr3
	mov	cr3, rax
	HAVE_CPUID 7, ebx, 7, .no_smep
	mov	rax, cr4
	or	eax, 1 << 20
	mov	cr4, rax
	MAP	1, P | W | U, 0
	CATCH	.smep
	call	VA(1)
.smep:	CAUGHT	"SMEP", PF, 0x11, VA(1)
	MAP	1, P | W, 0
	WORKS	"SMEP and a supervisor page", call VA(1)
.no_smep:
	HAVE_CPUID 7, ebx, 20, .no_smap
	mov	rax, cr4
	or	eax, 1 << 21
	mov	cr4, rax
	MAP	2, P | W | U, 0
	PF_AT	"SMAP read", 1, VA(2), mov eax, [VA(2)]
	PF_AT	"SMAP write", 3, VA(2), mov [VA(2)], eax
	stac
	WORKS	"AC lifts SMAP", mov [VA(2)], eax
	clac
	PF_AT	"CLAC puts it back", 1, VA(2), mov eax, [VA(2)]
	pushfq
	or	qword [rsp], 1 << 18
	popfq
	WORKS	"AC by POPF", mov eax, [VA(2)]
	clac
	; the processor's own accesses are not lifted by AC: an LDT there
	MAP	3, P | W | U, 0
	stac
	mov	rax, [gdt + DATA32]
	mov	[VA(3)], rax
	SET_DESC FREE_SEL, VA(3), 0xfff, 0x82
	mov	qword [gdt + FREE_SEL + 8], 0
	mov	eax, FREE_SEL
	lldt	ax
	mov	eax, 4
	PF_AT	"descriptor in a user page", 1, VA(3), mov fs, ax
	xor	eax, eax
	lldt	ax
	clac
.no_smap:
	mov	rax, cr4
	and	eax, ~(3 << 20)
	mov	cr4, rax
	or	byte [PD], U
	or	byte [PD + 8], U

	; PCIDs
	HAVE_CPUID 1, ecx, 17, .no_pcid
	mov	rax, cr4
	or	eax, 1 << 17
	mov	rbx, PML4 + 0x18
	mov	cr3, rbx
	FAULTS	"PCIDE cannot be set with CR3 bits 11:0", GP, 0, mov cr4, rax
	mov	rbx, PML4
	mov	cr3, rbx
	WORKS	"PCIDE", mov cr4, rax
	mov	rax, PML4 + 1
	WORKS	"CR3 with a PCID", mov cr3, rax
	MAP	4, P | W, 0
	mov	dword [VA(4)], 0x44
	mov	rax, 0x8000000000000000 + PML4 + 2
	WORKS	"CR3 that keeps the TLB", mov cr3, rax
	mov	rax, cr3
	EQQ	"bit 63 is not kept", rax, PML4 + 2
	HAVE_CPUID 7, ebx, 10, .no_invpcid
	mov	qword [.invpcid], 2
	mov	qword [.invpcid + 8], VA(4)
	mov	qword [PTE(4)], 0
	xor	ecx, ecx
	WORKS	"INVPCID of an address", invpcid rcx, [.invpcid]
	PF_AT	"it is gone", 0, VA(4), mov eax, [VA(4)]
	mov	ecx, 4
	FAULTS	"INVPCID type 4", GP, 0, invpcid rcx, [.invpcid]
	mov	qword [.invpcid], 0x1000
	xor	ecx, ecx
	FAULTS	"INVPCID reserved bits", GP, 0, invpcid rcx, [.invpcid]
.no_invpcid:
	mov	rax, PML4
	mov	cr3, rax
	mov	rax, cr4
	and	eax, ~(1 << 17)
	WORKS	"PCIDs off", mov cr4, rax
.no_pcid:
	mov	rax, cr4
	and	eax, ~(1 << 5)
	FAULTS	"PAE stays in long mode", GP, 0, mov cr4, rax
	mov	rax, cr0
	mov	rbx, 1 << 32
	or	rax, rbx
	FAULTS	"CR0 has 32 bits", GP, 0, mov cr0, rax
	PASS
	align	8
.invpcid:
	dq	0, 0
