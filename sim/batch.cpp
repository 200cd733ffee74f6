// Drives a verilated accelerator through many samples, without stalls: the compiled twin of testbench.py.
//
// usage: lifline_top PARAMETERS RESULTS      (the files' formats are in batch.py)

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "lifline_batch.h"
#include "verilated.h"

namespace {

// A port's value as little-endian bytes, whatever Verilator holds it in.
template <typename T>
void bytes_of(const T& value, uint8_t* to, size_t size) {
    std::memcpy(to, &value, size);
}
template <std::size_t N>
void bytes_of(const VlWide<N>& value, uint8_t* to, size_t size) {
    std::memcpy(to, value.data(), size);
}

struct Tap {
    const char* name;
    size_t groups, word_bytes;
    std::vector<uint8_t> words;  // of all runs
    size_t count = 0, goal = 0;  // in this run
};

// A bank of weights that learns: its words, kept up from what is written, and what they were after each sample.
struct Bank {
    size_t word_bytes;
    std::vector<uint8_t> words, kept;
};

std::string number(uint64_t value) { return std::to_string(value); }

template <typename T>
void put(std::ofstream& file, const T* values, size_t count) {
    file.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(T)));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "error: usage: %s PARAMETERS RESULTS\n", argv[0]);
        return 2;
    }
    std::ifstream input(argv[1], std::ios::binary);
    int64_t head[3];
    input.read(reinterpret_cast<char*>(head), sizeof head);
    const size_t samples = head[0], ticks = head[1], patience = head[2];
    std::vector<uint8_t> spikes(samples * ticks * LIFLINE_INPUTS);
    input.read(reinterpret_cast<char*>(spikes.data()), static_cast<std::streamsize>(spikes.size()));
    std::vector<uint8_t> learns(samples);
    std::vector<Bank> banks;
#define LIFLINE_BANK(PORT, WORDS, BYTES) banks.push_back(Bank{BYTES, std::vector<uint8_t>(size_t{WORDS} * (BYTES)), {}});
    LIFLINE_LEARNED(LIFLINE_BANK)
#ifdef LIFLINE_LEARNS
    input.read(reinterpret_cast<char*>(learns.data()), static_cast<std::streamsize>(samples));
#ifdef LIFLINE_REWARDED
    std::vector<int16_t> rewards(samples);
    input.read(reinterpret_cast<char*>(rewards.data()), static_cast<std::streamsize>(2 * samples));
#endif
    for (Bank& bank : banks)
        input.read(reinterpret_cast<char*>(bank.words.data()), static_cast<std::streamsize>(bank.words.size()));
#endif
    if (!input) {
        std::fprintf(stderr, "error: %s is not whole\n", argv[1]);
        return 2;
    }

    const auto started = std::chrono::steady_clock::now();
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    const std::unique_ptr<Vtop> top{new Vtop{context.get()}};
    std::vector<Tap> taps;
#define LIFLINE_TAP(NAME, PORT, GROUPS, BYTES) taps.push_back(Tap{NAME, GROUPS, BYTES, {}});
    LIFLINE_TAPS(LIFLINE_TAP)
    for (Tap& tap : taps) {
        tap.goal = ticks * tap.groups;
        tap.words.resize(samples * tap.goal * tap.word_bytes);
    }

    uint64_t cycle = 0;
    // The outputs are looked at with the clock low; then come the edge and the values that follow it.
    const auto edge = [&] {
#ifdef LIFLINE_LEARNS
        size_t index = 0;
#define LIFLINE_WRITTEN(PORT, WORDS, BYTES)                                                                \
    {                                                                                                      \
        Bank& bank = banks[index++];                                                                       \
        if (top->PORT##valid) {                                                                            \
            uint8_t payload[4 + (BYTES) + 8];                                                              \
            uint32_t word;                                                                                 \
            bytes_of(top->PORT##payload, payload, 4 + (BYTES));                                            \
            std::memcpy(&word, payload, 4);                                                                \
            if (word < WORDS) std::memcpy(&bank.words[size_t{word} * (BYTES)], payload + 4, BYTES);        \
        }                                                                                                  \
    }
        LIFLINE_LEARNED(LIFLINE_WRITTEN)
#endif
        top->clk = 1;
        top->eval();
        top->clk = 0;
        ++cycle;
    };
    top->clk = 0;
    top->clear = 0;
    top->i___05Fvalid = 0;
    top->i___05Fpayload = 0;
    top->o___05Fready = 1;
    top->rst = 1;
    for (int i = 0; i < 4; ++i) {
        top->eval();
        edge();
    }
    top->rst = 0;

    std::ofstream progress(std::string(argv[2]) + ".progress", std::ios::binary);
    std::vector<int64_t> cycles, counts, events;
    std::vector<uint64_t> sending;
    std::string problem;
    for (size_t sample = 0; sample < samples && problem.empty(); ++sample) {
        sending.clear();
        for (size_t tick = 0; tick < ticks; ++tick) {
            const uint8_t* row = &spikes[(sample * ticks + tick) * LIFLINE_INPUTS];
            for (uint32_t i = 0; i < LIFLINE_INPUTS; ++i)
                if (row[i]) sending.push_back(LIFLINE_INPUT_VALUE ? i | uint64_t{row[i]} << LIFLINE_INPUT_VALUE : i);
            sending.push_back(LIFLINE_INPUT_MARKER);
        }
#ifdef LIFLINE_LEARNS
        top->learn = learns[sample];
#else
        if (sample) {
            top->i___05Fvalid = 0;
            top->clear = 1;
            top->eval();
            edge();
            top->clear = 0;
        }
#endif
        for (Tap& tap : taps) tap.count = 0;
        size_t sent = 0, markers = 0, idle = 0;
        uint64_t first = 0, last = 0;
        bool done = false;
        while (!done) {
            top->i___05Fvalid = sent < sending.size();
            if (sent < sending.size()) top->i___05Fpayload = sending[sent];
            top->eval();
            bool moved = false;
            if (top->i___05Fvalid && top->i___05Fready) {
                if (!sent) first = cycle;
                ++sent;
                moved = true;
            }
            if (top->o___05Fvalid) {
                moved = true;
                const uint32_t payload = top->o___05Fpayload;
                if (markers == ticks) {
                    problem = "stream o: payload " + number(payload) + " after the marker of the last tick, "
                              + number(ticks - 1);
                    break;
                }
                if (payload & LIFLINE_OUTPUT_MARKER) {
                    ++markers;
                    last = cycle;
                } else {
                    for (const int64_t field : {int64_t(sample), int64_t(markers), int64_t(payload)})
                        events.push_back(field);
                }
            }
            done = markers == ticks;
            size_t index = 0;
#define LIFLINE_LOOK(NAME, PORT, GROUPS, BYTES)                                                            \
    {                                                                                                      \
        Tap& tap = taps[index++];                                                                          \
        if (top->PORT##valid) {                                                                            \
            moved = true;                                                                                  \
            if (tap.count == tap.goal) {                                                                   \
                problem = "trace of '" NAME "': a word after the last tick";                               \
                break;                                                                                     \
            }                                                                                              \
            uint8_t* const word = &tap.words[(sample * tap.goal + tap.count++) * BYTES];                   \
            bytes_of(top->PORT##payload, word, BYTES);                                                     \
        }                                                                                                  \
        done = done && tap.count == tap.goal;                                                              \
    }
            LIFLINE_TAPS(LIFLINE_LOOK)
            idle = moved ? 0 : idle + 1;
            if (idle > patience) {
                problem = "deadlock: nothing moved for " + number(idle) + " cycles in run " + number(sample)
                          + "; stream i took " + number(sent) + " of " + number(sending.size())
                          + " events, stream o waits in tick " + number(markers);
                for (const Tap& tap : taps)
                    if (tap.count < tap.goal)
                        problem += ", the trace of '" + std::string(tap.name) + "' in tick "
                                   + number(tap.count / tap.groups);
                problem += " (of " + number(ticks) + " ticks)";
                break;
            }
            edge();
        }
        cycles.push_back(markers == ticks ? static_cast<int64_t>(last - first + 1) : 0);
        for (const Tap& tap : taps) counts.push_back(static_cast<int64_t>(tap.count));
#ifdef LIFLINE_LEARNS
        // The sample has been learned when the next one could come in.
        top->i___05Fvalid = 0;
#ifdef LIFLINE_REWARDED
        top->reward = static_cast<uint16_t>(rewards[sample]);
#endif
        top->clear = 1;
        top->eval();
        edge();
        top->clear = 0;
#ifdef LIFLINE_REWARDED
        top->reward = 0x5a5a;  // counts only with clear
#endif
        idle = 0;
        for (top->eval(); !top->i___05Fready && problem.empty(); top->eval()) {
            edge();
            if (++idle > patience)
                problem = "deadlock: stream i is not ready " + number(idle) + " cycles after a sample";
        }
        for (Bank& bank : banks) bank.kept.insert(bank.kept.end(), bank.words.begin(), bank.words.end());
#endif
        progress.put('.').flush();
    }
    top->final();

    const auto taken = std::chrono::steady_clock::now() - started;
    const int64_t nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count();
    const int64_t outcome[] = {int64_t(cycles.size()), int64_t(events.size() / 3), int64_t(cycle), nanoseconds,
                               int64_t(problem.size())};
    std::ofstream output(argv[2], std::ios::binary);
    put(output, outcome, 5);
    put(output, cycles.data(), cycles.size());
    put(output, counts.data(), counts.size());
    put(output, events.data(), events.size());
    for (const Tap& tap : taps) put(output, tap.words.data(), tap.words.size());
    for (Bank& bank : banks) {
        bank.kept.resize(samples * bank.words.size());
        put(output, bank.kept.data(), bank.kept.size());
    }
    put(output, problem.data(), problem.size());
    output.close();
    if (!output) {
        std::fprintf(stderr, "error: cannot write %s\n", argv[2]);
        return 2;
    }
    return 0;
}
