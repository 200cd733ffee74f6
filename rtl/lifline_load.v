
// Memories that are loaded while the design runs. Each has one port: a cycle reads a word, or writes one.

// Block RAM whose contents come from a $readmemh file, and can be overwritten. `data` stays until the next read.
module lifline_store #(
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
    input wire [WIDTH-1:0] write_data
);
    reg [WIDTH-1:0] words[0:DEPTH-1];
    generate
        if (FILE != "") initial $readmemh(FILE, words);
    endgenerate
    always @(posedge clk) begin
        if (write) words[address] <= write_data;
        else if (en) data <= words[address];
    end
endmodule

// The single-port RAM of an iCE40 UltraPlus, blocks of 16,384 words of 16 bits. Nothing is in it at first.
module lifline_spram #(
    parameter WIDTH = 16,
    parameter DEPTH = 16384,
    parameter ADDRESS = 14
) (
    input wire clk,
    input wire en,
    input wire [ADDRESS-1:0] address,
    output wire [WIDTH-1:0] data,
    input wire write,
    input wire [WIDTH-1:0] write_data
);
`ifdef SYNTHESIS
    localparam COLUMNS = (WIDTH + 15) / 16;
    localparam ROWS = (DEPTH + 16383) / 16384;
    wire [31:0] whole = address;
    wire [16*COLUMNS-1:0] in = write_data;
    wire [16*COLUMNS-1:0] out[0:ROWS-1];
    reg [1:0] row_of_data;
    always @(posedge clk) if (en && !write) row_of_data <= whole[15:14];
    genvar row, column;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : rows
            for (column = 0; column < COLUMNS; column = column + 1) begin : columns
                SB_SPRAM256KA block (
                    .CLOCK(clk),
                    .CHIPSELECT((en || write) && whole[31:14] == row),
                    .WREN(write),
                    .MASKWREN(4'b1111),
                    .ADDRESS(whole[13:0]),
                    .DATAIN(in[16*column+:16]),
                    .DATAOUT(out[row][16*column+:16]),
                    .STANDBY(1'b0),
                    .SLEEP(1'b0),
                    .POWEROFF(1'b1)
                );
            end
        end
        if (ROWS == 1) begin : one
            assign data = out[0][WIDTH-1:0];
        end else begin : several
            assign data = out[row_of_data][WIDTH-1:0];
        end
    endgenerate
`else
    reg [WIDTH-1:0] words[0:DEPTH-1];
    reg [WIDTH-1:0] word;
    assign data = word;
    always @(posedge clk) begin
        if (write) begin
            words[address] <= write_data;
            word <= {WIDTH{1'bx}};
        end else if (en) word <= words[address];
    end
`endif
endmodule

// A few words in registers (on an ECP5 in LUT RAM), read without a clock; contents from a $readmemh file at first.
module lifline_registers #(
    parameter WIDTH = 8,
    parameter DEPTH = 1,
    parameter ADDRESS = 1,
    parameter FILE = ""
) (
    input wire clk,
    input wire [ADDRESS-1:0] address,
    output wire [WIDTH-1:0] data,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data
);
    reg [WIDTH-1:0] words[0:DEPTH-1];
    generate
        if (FILE != "") initial $readmemh(FILE, words);
    endgenerate
    assign data = words[address];
    always @(posedge clk) if (write) words[write_address] <= write_data;
endmodule
