// Simulation models of the iCE40 cells that yosys's cells_sim.v leaves empty and lifline's boards use.

module SB_PLL40_CORE #(
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter [3:0] DIVR = 0,
    parameter [6:0] DIVF = 0,
    parameter [2:0] DIVQ = 0,
    parameter [2:0] FILTER_RANGE = 0
) (
    input wire REFERENCECLK,
    input wire RESETB,
    input wire BYPASS,
    output wire PLLOUTGLOBAL,
    output wire LOCK
);
    lifline_pll #(.MULTIPLY(DIVF + 1), .DIVIDE((DIVR + 1) << DIVQ)) pll (
        .reference(REFERENCECLK), .clock(PLLOUTGLOBAL), .locked(LOCK)
    );
endmodule

module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter [3:0] DIVR = 0,
    parameter [6:0] DIVF = 0,
    parameter [2:0] DIVQ = 0,
    parameter [2:0] FILTER_RANGE = 0
) (
    input wire PACKAGEPIN,
    input wire RESETB,
    input wire BYPASS,
    output wire PLLOUTGLOBAL,
    output wire LOCK
);
    lifline_pll #(.MULTIPLY(DIVF + 1), .DIVIDE((DIVR + 1) << DIVQ)) pll (
        .reference(PACKAGEPIN), .clock(PLLOUTGLOBAL), .locked(LOCK)
    );
endmodule
