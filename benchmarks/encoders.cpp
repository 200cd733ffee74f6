// Drives an encoder's circuit: frames in, events out, a clear before each sample, stalls at random on both sides.
//
//   encoders FRAMES EVENTS VALUE_BITS ADDRESS_BITS STALL
//
// FRAMES: int32 samples, words of a sample, ticks of a sample; then the words of all samples, value | marker << bits.
// EVENTS: the words that came out, uint32, and after each sample 0xFFFFFFFF and the cycles from its first word to its
// last marker.  STALL: in 1/256, how often either side waits.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

int main(int count, char** arguments) {
    if (count != 6) return 2;
    std::FILE* in = std::fopen(arguments[1], "rb");
    std::FILE* out = std::fopen(arguments[2], "wb");
    const int address_bits = std::atoi(arguments[4]);
    const uint32_t stall = std::atoi(arguments[5]);
    int32_t head[3];
    if (!in || !out || std::fread(head, 4, 3, in) != 3) return 2;
    std::vector<uint32_t> words(head[1]);
    std::mt19937 random(1);
    Vtop top;
    const auto tick = [&top] {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    };
    top.rst = 1;
    tick();
    top.rst = 0;
    for (int sample = 0; sample < head[0]; ++sample) {
        if (std::fread(words.data(), 4, words.size(), in) != words.size()) return 2;
        top.i___05Fvalid = top.o___05Fready = 0;
        top.clear = 1;
        top.eval();
        tick();
        top.clear = 0;
        size_t next = 0;
        int ticks = 0;
        bool offered = false;
        uint32_t start = 0, cycle = 0;
        for (; ticks < head[2]; ++cycle) {
            if (cycle > 1000000) return 3;
            offered = next < words.size() && (offered || (random() & 0xFF) >= stall);
            top.i___05Fvalid = offered;
            if (offered) top.i___05Fpayload = words[next];
            top.o___05Fready = (random() & 0xFF) >= stall;
            top.eval();
            if (offered && top.i___05Fready) {
                if (next == 0) start = cycle;
                ++next;
                offered = false;
            }
            if (top.o___05Fvalid && top.o___05Fready) {
                const uint32_t event = top.o___05Fpayload;
                std::fwrite(&event, 4, 1, out);
                ticks += event >> address_bits & 1;
            }
            tick();
        }
        const uint32_t end[2] = {0xFFFFFFFF, cycle - 1 - start};
        std::fwrite(end, 4, 2, out);
    }
    return std::fclose(out) ? 4 : 0;
}
