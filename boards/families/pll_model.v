// What a PLL does to logic, for simulations: a clock of reference · MULTIPLY / DIVIDE, and `locked` after a while.
// It measures the period of the reference, so its frequency is what the dividers say.
module lifline_pll #(
    parameter MULTIPLY = 1,
    parameter DIVIDE = 1
) (
    input wire reference,
    output reg clock,
    output reg locked
);
    realtime begun, half;
    integer cycles;
    initial begin
        clock = 0;
        locked = 0;
        @(posedge reference) begun = $realtime;
        for (cycles = 0; cycles < 8; cycles = cycles + 1) @(posedge reference);
        half = ($realtime - begun) / 8 * DIVIDE / MULTIPLY / 2;
        for (cycles = 0; cycles < 32; cycles = cycles + 1) #(half) clock = !clock;
        locked = 1;
        forever #(half) clock = !clock;
    end
endmodule
