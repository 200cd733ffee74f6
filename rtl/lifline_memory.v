// The two memories of lifline's gateware, as plain Verilog that simulators and yosys read alike.
// Both have a registered read; one word is read each cycle in which `en` is high.

// A read-only memory whose contents come from a $readmemh file.
module lifline_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1,
    parameter FILE = ""
) (
    input wire clk,
    input wire en,
    input wire [ADDRESS-1:0] address,
    output reg [WIDTH-1:0] data
);
    reg [WIDTH-1:0] words[0:DEPTH-1];
    generate
        if (FILE != "") initial $readmemh(FILE, words);
    endgenerate
    always @(posedge clk) if (en) data <= words[address];
endmodule

// A memory with one read port and one write port; reading a word in the cycle that writes it gives the
// old word. It starts as zeros.
module lifline_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1
) (
    input wire clk,
    input wire en,
    input wire [ADDRESS-1:0] address,
    output reg [WIDTH-1:0] data,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data
);
    reg [WIDTH-1:0] words[0:DEPTH-1];
    integer i;
    initial for (i = 0; i < DEPTH; i = i + 1) words[i] = {WIDTH{1'b0}};
    always @(posedge clk) begin
        if (en) data <= words[address];
        if (write) words[write_address] <= write_data;
    end
endmodule
