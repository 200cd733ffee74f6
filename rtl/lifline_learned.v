
// Block RAM whose contents come from a $readmemh file and change as the design learns: a cycle reads a word, and writes one.
// A word that is read in the cycle that writes it is undefined: what a block RAM does by itself, without logic around it.
module lifline_learned #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1,
    parameter FILE = ""
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
    generate
        if (FILE != "") initial $readmemh(FILE, words);
    endgenerate
    always @(posedge clk) begin
        if (en) begin
            data <= words[address];
            if (write && write_address == address) data <= {WIDTH{1'bx}};
        end
        if (write) words[write_address] <= write_data;
    end
endmodule
