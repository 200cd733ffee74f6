
// A memory with one read port and one write port, as lifline_ram, but a word that is read in the cycle that writes it is
// undefined: what a block RAM does by itself, without logic around it.
module lifline_ram_apart #(
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
        if (en) begin
            data <= words[address];
            if (write && write_address == address) data <= {WIDTH{1'bx}};
        end
        if (write) words[write_address] <= write_data;
    end
endmodule
