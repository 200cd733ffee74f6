// The memories of lifline's gateware, as plain Verilog that simulators and yosys read alike.

// A read-only memory whose contents come from a $readmemh file. A word is read in each cycle in which `en` is
// high, and is there in the next.
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

// A memory with one read port, as that of the ROM, and one write port; reading a word in the cycle that writes it gives the
// old word. It starts as zeros, or, where nothing is read before it is written, as anything: without initial values it
// fits into block RAMs that have none.
module lifline_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1,
    parameter ZEROS = 1
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
    generate
        if (ZEROS != 0) initial for (i = 0; i < DEPTH; i = i + 1) words[i] = {WIDTH{1'b0}};
    endgenerate
    always @(posedge clk) begin
        if (en) data <= words[address];
        if (write) words[write_address] <= write_data;
    end
endmodule

// A few words, read without a clock: LUT RAM on an ECP5, flip-flops and a multiplexer on an iCE40. It starts
// as zeros.
module lifline_register_file #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1
) (
    input wire clk,
    input wire [ADDRESS-1:0] address,
    output wire [WIDTH-1:0] data,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data
);
    reg [WIDTH-1:0] words[0:DEPTH-1];
    integer i;
    initial for (i = 0; i < DEPTH; i = i + 1) words[i] = {WIDTH{1'b0}};
    assign data = words[address];
    always @(posedge clk) if (write) words[write_address] <= write_data;
endmodule
