// A verilated board between the pins of its UART and a pseudo-terminal: what virtual.py starts.
//
// usage: lifline_board DIVISOR DESCRIPTOR < FLASH      clock cycles of a bit, the file descriptor of the terminal's master
//
// Standard input is what is in its flash, if it has one.  When it listens to its UART it prints a line.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr size_t kBuffered = 4096;     // bytes that wait for the line; the terminal holds back the rest
constexpr uint64_t kLook = 2000;       // cycles between two looks at the terminal
constexpr uint64_t kIdle = 20000;      // cycles without anything to do before the board sleeps
constexpr int kSleep = 20;             // milliseconds of that, at most

// An SPI flash that sleeps until 0xab, and of all commands knows that, 0xb9 (sleep) and 0x03 (read).
class Flash {
public:
    explicit Flash(std::vector<uint8_t> content) : content_(std::move(content)) {}

    // The pins after a change of them; what it says, on the falling edges of the clock.
    bool pins(bool select, bool clk, bool copi) {
        if (!select) {
            if (bits_ == 8 && in_ == 0xab) awake_ = true;
            if (bits_ == 8 && in_ == 0xb9) awake_ = false;
            bits_ = in_ = 0;
        } else if (clk && !clk_) {
            if (bits_ < 32) in_ = in_ << 1 | copi;
            if (++bits_ == 32) reads_ = awake_ && in_ >> 24 == 0x03;
        } else if (!clk && clk_ && bits_ >= 32) {
            const size_t place = (in_ & 0xffffff) - kBase + (bits_ - 32) / 8;
            const uint8_t byte = place < content_.size() ? content_[place] : 0xff;
            out_ = !reads_ || (byte >> (7 - bits_ % 8) & 1);
        }
        clk_ = clk;
        return out_;
    }

private:
    static constexpr size_t kBase = 0x100000;  // board.py's WEIGHTS_OFFSET
    std::vector<uint8_t> content_;
    bool awake_ = false, reads_ = false, clk_ = false, out_ = true;
    uint64_t bits_ = 0;
    uint32_t in_ = 0;
};

// Whether the board reads a flash.
template <typename Top, typename = void>
struct Boots : std::false_type {};
template <typename Top>
struct Boots<Top, std::void_t<decltype(std::declval<Top>().booting)>> : std::true_type {};

template <typename Top>
void step(Top& top, Flash& flash) {
    if constexpr (Boots<Top>::value)
        top.flash___05Fcipo = flash.pins(top.flash___05Fselect, top.flash___05Fclk, top.flash___05Fcopi);
}

template <typename Top>
bool booting(const Top& top) {
    if constexpr (Boots<Top>::value) return top.booting;
    return false;
}

std::vector<uint8_t> read_all(std::FILE* file) {
    std::vector<uint8_t> data;
    for (int byte; (byte = std::fgetc(file)) != EOF;) data.push_back(static_cast<uint8_t>(byte));
    return data;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "error: usage: %s DIVISOR DESCRIPTOR\n", argv[0]);
        return 2;
    }
    const double divisor = std::atof(argv[1]);
    const int terminal = std::atoi(argv[2]);
    fcntl(terminal, F_SETFL, fcntl(terminal, F_GETFL) | O_NONBLOCK);

    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    const std::unique_ptr<Vtop> top{new Vtop{context.get()}};
    Flash flash{read_all(stdin)};
    uint64_t cycle = 0;
    const auto edge = [&] {
        top->clk = 1;
        top->eval();
        step(*top, flash);
        top->clk = 0;
        top->eval();
        ++cycle;
    };
    top->rx = 1;
    top->rst = 1;
    for (int i = 0; i < 4; ++i) edge();
    top->rst = 0;
    do edge();
    while (booting(*top));
    std::puts("ready");
    std::fclose(stdout);

    std::deque<uint8_t> incoming;  // bytes for the board
    std::string outgoing;          // bytes of the board
    unsigned sending = 0;          // the rest of the frame on rx, its next bit lowest; 0: none
    double next_bit = 0;           // cycle in which that comes
    unsigned received = 0;         // bits of the frame on tx
    int sampled = -1;              // how many of them; -1: the line is idle
    double next_sample = 0;
    uint64_t looked = 0, active = 0;
    for (;;) {
        if (cycle - looked >= kLook || (!sending && incoming.empty() && cycle - looked >= 64)) {
            looked = cycle;
            while (!outgoing.empty()) {
                const ssize_t written = write(terminal, outgoing.data(), outgoing.size());
                if (written < 0 && errno == EIO) return 0;
                if (written < 0 && errno == EINTR) continue;
                if (written <= 0) break;
                outgoing.erase(0, static_cast<size_t>(written));
            }
            // As on a real line: what nobody reads is lost.
            if (outgoing.size() > 16 * kBuffered) outgoing.clear();
            const bool idle = !top->busy && cycle - active > kIdle && outgoing.empty();
            if (idle) {
                pollfd waits{terminal, POLLIN, 0};
                poll(&waits, 1, kSleep);
            }
            if (incoming.size() < kBuffered) {
                uint8_t data[kBuffered];
                const ssize_t count = read(terminal, data, sizeof data);
                if (count > 0) {
                    incoming.insert(incoming.end(), data, data + count);
                    active = cycle;
                } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
                    return 0;  // whoever started the board is gone
                }
            }
        }
        const double now = static_cast<double>(cycle);
        if (sending && now >= next_bit) {
            sending >>= 1;
            if (sending) {
                top->rx = sending & 1;
                next_bit += divisor;
            }
        }
        if (!sending && !incoming.empty()) {
            sending = 0x600u | static_cast<unsigned>(incoming.front()) << 1;  // a bit beyond the stop bit ends it
            incoming.pop_front();
            top->rx = 0;
            next_bit = now + divisor;
        }
        edge();
        if (sampled < 0) {
            if (!top->tx) {
                sampled = 0;
                received = 0;
                next_sample = static_cast<double>(cycle) + 1.5 * divisor;
            }
        } else if (static_cast<double>(cycle) >= next_sample) {
            next_sample += divisor;
            if (sampled < 8) {
                received |= static_cast<unsigned>(top->tx) << sampled++;
            } else {
                outgoing.push_back(static_cast<char>(received));
                sampled = -1;
                active = cycle;
            }
        }
    }
}
