/* Start of a program on an Xtensa core with windowed registers: vectors that spill and load register
    * windows, then .bss and main. The assembler does not know SIMCALL: .byte 0x00, 0x51, 0x00. */
    .section .vectors,"ax"
    .p2align 10
    .global vectors
vectors:
/* WindowOverflow4 @0x000 */
    s32e a0, a5, -16
    s32e a1, a5, -12
    s32e a2, a5, -8
    s32e a3, a5, -4
    rfwo
    .p2align 6
/* WindowUnderflow4 @0x040 */
    l32e a0, a5, -16
    l32e a1, a5, -12
    l32e a2, a5, -8
    l32e a3, a5, -4
    rfwu
    .p2align 6
/* WindowOverflow8 @0x080 */
    s32e a0, a9, -16
    l32e a0, a1, -12
    s32e a1, a9, -12
    s32e a2, a9, -8
    s32e a3, a9, -4
    s32e a4, a0, -32
    s32e a5, a0, -28
    s32e a6, a0, -24
    s32e a7, a0, -20
    rfwo
    .p2align 6
/* WindowUnderflow8 @0x0c0 */
    l32e a0, a9, -16
    l32e a1, a9, -12
    l32e a2, a9, -8
    l32e a7, a1, -12
    l32e a3, a9, -4
    l32e a4, a7, -32
    l32e a5, a7, -28
    l32e a6, a7, -24
    l32e a7, a7, -20
    rfwu
    .p2align 6
/* WindowOverflow12 @0x100 */
    s32e a0, a13, -16
    l32e a0, a1, -12
    s32e a1, a13, -12
    s32e a2, a13, -8
    s32e a3, a13, -4
    s32e a4, a0, -48
    s32e a5, a0, -44
    s32e a6, a0, -40
    s32e a7, a0, -36
    s32e a8, a0, -32
    s32e a9, a0, -28
    s32e a10, a0, -24
    s32e a11, a0, -20
    rfwo
    .p2align 6
/* WindowUnderflow12 @0x140 */
    l32e a0, a13, -16
    l32e a1, a13, -12
    l32e a2, a13, -8
    l32e a11, a1, -12
    l32e a3, a13, -4
    l32e a4, a11, -48
    l32e a5, a11, -44
    l32e a6, a11, -40
    l32e a7, a11, -36
    l32e a8, a11, -32
    l32e a9, a11, -28
    l32e a10, a11, -24
    l32e a11, a11, -20
    rfwu
    .p2align 6
/* 0x180 to 0x2c0: interrupts, of which there are none */
    .rept 6
    j fail
    .p2align 6
    .endr
/* 0x300 and 0x340, exceptions of kernel and user: only MOVSP asks for help, which is cause 5. */
    wsr a0, excsave1
    rsr a0, exccause
    bnei a0, 5, .Lx0
    j alloca
.Lx0: j fail
    .p2align 6
    wsr a0, excsave1
    rsr a0, exccause
    bnei a0, 5, .Lx1
    j alloca
.Lx1: j fail
    .p2align 6
    .rept 4
    j fail
    .p2align 6
    .endr
/* Ends the simulation with exit code 99. */
fail:
    movi a2, 1
    movi a3, 99
    .byte 0x00, 0x51, 0x00
/* MOVSP with the caller's registers spilled: turn around and load them, by their window's size. */
alloca:
    rsr a0, windowbase
    rotw -1
    rsr a2, ps
    extui a3, a2, 8, 4
    xor a3, a3, a4
    rsr a4, excsave1
    slli a3, a3, 8
    xor a2, a2, a3
    wsr a2, ps
    movi a3, 255
    wsr a3, cpenable
    rsync
    bbsi a4, 31, 1f
    j vectors+0x40
1: rotw -1
    bbsi a8, 30, 2f
    j vectors+0xc0
2: rotw -1
    j vectors+0x140
    .section .text.start,"ax"
    .p2align 2
.Lps: .long 0x0004000f
.Lsp: .long stack_top
.Lvb: .long vectors
.Lb0: .long bss_begin
.Lb1: .long bss_end
.Lmn: .long main
    .global _start
    .p2align 2
_start:
    movi a0, 0
    l32r a1, .Lsp
    l32r a2, .Lvb
    wsr a2, vecbase
    movi a2, 0
    wsr a2, windowbase
    rsync
    movi a2, 1
    wsr a2, windowstart
    rsync
    l32r a2, .Lps
    wsr a2, ps
    movi a3, 255
    wsr a3, cpenable
    rsync
    movi a0, 0
    l32r a1, .Lsp
    l32r a2, .Lb0
    l32r a3, .Lb1
    movi a4, 0
1: bgeu a2, a3, 2f
    s32i a4, a2, 0
    addi a2, a2, 4
    j 1b
2: l32r a8, .Lmn
    callx8 a8
    mov a3, a10
    movi a2, 1
    .byte 0x00, 0x51, 0x00
5: j 5b
    .global simcall
    .p2align 2
simcall:
    entry a1, 32
    .byte 0x00, 0x51, 0x00
    retw
