// Simulation models of the ECP5 cells that yosys's files leave empty and lifline's boards use.

// A flip-flop, as yosys uses it.  Its own model sets the initial value from a wire, which may come too late.
module TRELLIS_FF #(
    parameter GSR = "ENABLED",
    parameter CEMUX = "1",
    parameter CLKMUX = "CLK",
    parameter LSRMUX = "LSR",
    parameter SRMODE = "LSR_OVER_CE",
    parameter REGSET = "RESET"
) (
    input wire CLK, LSR, CE, DI, M,
    output reg Q
);
    localparam SET = REGSET == "SET";
    wire clock = CLKMUX == "INV" ? ~CLK : CLK;
    wire reset = LSRMUX == "INV" ? ~LSR : LSR;
    wire enable = CEMUX == "1" ? 1'b1 : CEMUX == "0" ? 1'b0 : CEMUX == "INV" ? ~CE : CE;
    initial Q = SET;
    generate
        if (SRMODE == "ASYNC") begin : asynchronous
            always @(posedge clock, posedge reset)
                if (reset) Q <= SET;
                else if (enable) Q <= DI;
        end else begin : synchronous
            always @(posedge clock)
                if (reset) Q <= SET;
                else if (enable) Q <= DI;
        end
    endgenerate
endmodule

// The reset of all flip-flops at start-up; yosys's models start them by themselves.
module GSR(input wire GSR);
endmodule

module SGSR(input wire GSR, input wire CLK);
endmodule

// Its output is the reference times CLKFB_DIV / CLKI_DIV where the feedback comes from CLKOP.
module EHXPLLL #(
    parameter FEEDBK_PATH = "CLKOP",
    parameter CLKI_DIV = 1,
    parameter CLKFB_DIV = 1,
    parameter CLKOP_DIV = 8,
    parameter CLKOP_ENABLE = "ENABLED",
    parameter CLKOP_CPHASE = 0,
    parameter CLKOP_FPHASE = 0,
    parameter PLLRST_ENA = "DISABLED",
    parameter INTFB_WAKE = "DISABLED",
    parameter STDBY_ENABLE = "DISABLED",
    parameter DPHASE_SOURCE = "DISABLED",
    parameter OUTDIVIDER_MUXA = "DIVA",
    parameter OUTDIVIDER_MUXB = "DIVB",
    parameter OUTDIVIDER_MUXC = "DIVC",
    parameter OUTDIVIDER_MUXD = "DIVD"
) (
    input wire CLKI,
    input wire CLKFB,
    input wire RST,
    input wire STDBY,
    input wire PHASESEL0,
    input wire PHASESEL1,
    input wire PHASEDIR,
    input wire PHASESTEP,
    input wire PHASELOADREG,
    input wire PLLWAKESYNC,
    input wire ENCLKOP,
    output wire CLKOP,
    output wire LOCK
);
    lifline_pll #(.MULTIPLY(CLKFB_DIV), .DIVIDE(CLKI_DIV)) pll (
        .reference(CLKI), .clock(CLKOP), .locked(LOCK)
    );
endmodule

// A multiplier without registers, as yosys uses it.
module MULT18X18D(
    input wire A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input wire B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input wire C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input wire SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output wire P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [18:0] wide_a = {SIGNEDA & a[17], a};
    wire signed [18:0] wide_b = {SIGNEDB & b[17], b};
    wire signed [37:0] product = wide_a * wide_b;
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = product[35:0];
endmodule

// 18 kbit of block RAM without output registers, the two ports on their own clocks: 1,024 words of 18 bits, of
// which narrower ports address a part.  With DATA_WIDTH_A = 36, DIB and DOA are the other half of one wide port.
// What a port reads while the other writes it is undefined.
module DP16KD(
    input wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input wire CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input wire CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter INIT_DATA = "STATIC";
    parameter [319:0] INITVAL_00 = 320'h0;
    parameter [319:0] INITVAL_01 = 320'h0;
    parameter [319:0] INITVAL_02 = 320'h0;
    parameter [319:0] INITVAL_03 = 320'h0;
    parameter [319:0] INITVAL_04 = 320'h0;
    parameter [319:0] INITVAL_05 = 320'h0;
    parameter [319:0] INITVAL_06 = 320'h0;
    parameter [319:0] INITVAL_07 = 320'h0;
    parameter [319:0] INITVAL_08 = 320'h0;
    parameter [319:0] INITVAL_09 = 320'h0;
    parameter [319:0] INITVAL_0A = 320'h0;
    parameter [319:0] INITVAL_0B = 320'h0;
    parameter [319:0] INITVAL_0C = 320'h0;
    parameter [319:0] INITVAL_0D = 320'h0;
    parameter [319:0] INITVAL_0E = 320'h0;
    parameter [319:0] INITVAL_0F = 320'h0;
    parameter [319:0] INITVAL_10 = 320'h0;
    parameter [319:0] INITVAL_11 = 320'h0;
    parameter [319:0] INITVAL_12 = 320'h0;
    parameter [319:0] INITVAL_13 = 320'h0;
    parameter [319:0] INITVAL_14 = 320'h0;
    parameter [319:0] INITVAL_15 = 320'h0;
    parameter [319:0] INITVAL_16 = 320'h0;
    parameter [319:0] INITVAL_17 = 320'h0;
    parameter [319:0] INITVAL_18 = 320'h0;
    parameter [319:0] INITVAL_19 = 320'h0;
    parameter [319:0] INITVAL_1A = 320'h0;
    parameter [319:0] INITVAL_1B = 320'h0;
    parameter [319:0] INITVAL_1C = 320'h0;
    parameter [319:0] INITVAL_1D = 320'h0;
    parameter [319:0] INITVAL_1E = 320'h0;
    parameter [319:0] INITVAL_1F = 320'h0;
    parameter [319:0] INITVAL_20 = 320'h0;
    parameter [319:0] INITVAL_21 = 320'h0;
    parameter [319:0] INITVAL_22 = 320'h0;
    parameter [319:0] INITVAL_23 = 320'h0;
    parameter [319:0] INITVAL_24 = 320'h0;
    parameter [319:0] INITVAL_25 = 320'h0;
    parameter [319:0] INITVAL_26 = 320'h0;
    parameter [319:0] INITVAL_27 = 320'h0;
    parameter [319:0] INITVAL_28 = 320'h0;
    parameter [319:0] INITVAL_29 = 320'h0;
    parameter [319:0] INITVAL_2A = 320'h0;
    parameter [319:0] INITVAL_2B = 320'h0;
    parameter [319:0] INITVAL_2C = 320'h0;
    parameter [319:0] INITVAL_2D = 320'h0;
    parameter [319:0] INITVAL_2E = 320'h0;
    parameter [319:0] INITVAL_2F = 320'h0;
    parameter [319:0] INITVAL_30 = 320'h0;
    parameter [319:0] INITVAL_31 = 320'h0;
    parameter [319:0] INITVAL_32 = 320'h0;
    parameter [319:0] INITVAL_33 = 320'h0;
    parameter [319:0] INITVAL_34 = 320'h0;
    parameter [319:0] INITVAL_35 = 320'h0;
    parameter [319:0] INITVAL_36 = 320'h0;
    parameter [319:0] INITVAL_37 = 320'h0;
    parameter [319:0] INITVAL_38 = 320'h0;
    parameter [319:0] INITVAL_39 = 320'h0;
    parameter [319:0] INITVAL_3A = 320'h0;
    parameter [319:0] INITVAL_3B = 320'h0;
    parameter [319:0] INITVAL_3C = 320'h0;
    parameter [319:0] INITVAL_3D = 320'h0;
    parameter [319:0] INITVAL_3E = 320'h0;
    parameter [319:0] INITVAL_3F = 320'h0;

    // Word n is bits 20 · (n mod 16) … of INITVAL_(n / 16).
    wire [64*320-1:0] initial_words = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    reg [17:0] words[0:1023];
    reg [35:0] read_a;
    reg [35:0] read_b;
    reg [35:0] put_a;
    reg [35:0] put_b;
    integer i;
    initial begin
        read_a = 0;
        read_b = 0;
        #0 for (i = 0; i < 1024; i = i + 1) words[i] = initial_words[20*i +: 18];
    end

    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] data_a = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0, DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [35:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire clock_a = CLKA ^ (CLKAMUX == "INV");
    wire clock_b = CLKB ^ (CLKBMUX == "INV");
    // What a port reaches of two neighbouring words, and what of that its byte enables let it write.
    wire [35:0] reach_a = reach(DATA_WIDTH_A, address_a);
    wire [35:0] reach_b = reach(DATA_WIDTH_B, address_b);
    wire [35:0] written_a = CEA & WEA ? reach_a & enabled(DATA_WIDTH_A, address_a) : 36'b0;
    wire [35:0] written_b = CEB & WEB ? reach_b & enabled(DATA_WIDTH_B, address_b) : 36'b0;
    wire collision = clock_a === clock_b && address_a[13:5] == address_b[13:5];

    // The lowest bit that a port reaches.
    function [5:0] low(input integer width, input [13:0] address);
        case (width)
            36: low = 0;
            18: low = 18 * address[4];
            9: low = 18 * address[4] + 9 * address[3];
            4: low = 18 * address[4] + 9 * address[3] + 4 * address[2];
            2: low = 18 * address[4] + 9 * address[3] + 2 * address[2:1];
            default: low = 18 * address[4] + 9 * address[3] + address[2:0];
        endcase
    endfunction

    function [35:0] reach(input integer width, input [13:0] address);
        reach = (36'hfffffffff >> (36 - width)) << low(width, address);
    endfunction

    function [35:0] enabled(input integer width, input [13:0] address);
        case (width)
            36: enabled = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
            18: enabled = {{9{address[1]}}, {9{address[0]}}, {9{address[1]}}, {9{address[0]}}};
            default: enabled = 36'hfffffffff;
        endcase
    endfunction

    function [35:0] pair(input [13:0] address);
        pair = {words[{address[13:5], 1'b1}], words[{address[13:5], 1'b0}]};
    endfunction

    always @(posedge clock_a) begin
        if (CEA && !(WEA && WRITEMODE_A == "NORMAL"))
            read_a <= collision && |(reach_a & written_b) ? 36'bx : pair(address_a) >> low(DATA_WIDTH_A, address_a);
        if (RSTA) read_a <= 0;
        if (|written_a) begin
            put_a = (pair(address_a) & ~written_a) | ((data_a << low(DATA_WIDTH_A, address_a)) & written_a);
            words[{address_a[13:5], 1'b0}] <= put_a[17:0];
            words[{address_a[13:5], 1'b1}] <= put_a[35:18];
        end
    end
    always @(posedge clock_b) begin
        if (CEB && !(WEB && WRITEMODE_B == "NORMAL"))
            read_b <= collision && |(reach_b & written_a) ? 36'bx : pair(address_b) >> low(DATA_WIDTH_B, address_b);
        if (RSTB) read_b <= 0;
        if (|written_b) begin
            put_b = (pair(address_b) & ~written_b) | ((data_b << low(DATA_WIDTH_B, address_b)) & written_b);
            words[{address_b[13:5], 1'b0}] <= put_b[17:0];
            words[{address_b[13:5], 1'b1}] <= put_b[35:18];
        end
    end

    // A port B of 36 bits gives its low half on DOA.
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? read_b[17:0] : read_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? read_b[35:18] : read_b[17:0];
endmodule
