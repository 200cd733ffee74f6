// Simulation models of the Gowin cells that yosys's cells_sim.v leaves empty and lifline's boards use.

module rPLL #(
    parameter FCLKIN = "27",
    parameter IDIV_SEL = 0,
    parameter FBDIV_SEL = 0,
    parameter ODIV_SEL = 8
) (
    input wire CLKIN,
    input wire CLKFB,
    input wire RESET,
    input wire RESET_P,
    input wire [5:0] FBDSEL,
    input wire [5:0] IDSEL,
    input wire [5:0] ODSEL,
    input wire [3:0] PSDA,
    input wire [3:0] DUTYDA,
    input wire [3:0] FDLY,
    output wire CLKOUT,
    output wire LOCK
);
    lifline_pll #(.MULTIPLY(FBDIV_SEL + 1), .DIVIDE(IDIV_SEL + 1)) pll (
        .reference(CLKIN), .clock(CLKOUT), .locked(LOCK)
    );
endmodule
