"""Platforms of boards that amaranth-boards lacks, or knows otherwise than lifline's builds need them.

Where each board's pins are from stands with it.
"""

from typing import Any, ClassVar

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource
from amaranth.vendor import GowinPlatform, LatticeECP5Platform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import LEDResources, UARTResource
from amaranth_boards.tang_nano_9k import TangNano9kPlatform
from amaranth_boards.upduino_v3 import UpduinoV3Platform


class UPduino3(UpduinoV3Platform):
    """TinyVision's UPduino 3, clocked by its oscillator, which the jumper OSC joins to pin 20.

    The UART's pins are those of the board's ``upduino_v3.pcf`` (github.com/tinyvision-ai-inc/UPduino-v3.0): the FT232H
    that loads the flash, as a UART.  They are the flash's, too, whose select is therefore held high.
    """

    default_clk = "clk12"
    resources: ClassVar = [
        *UpduinoV3Platform.resources,
        UARTResource(0, rx="15", tx="14", attrs=Attrs(IO_STANDARD="SB_LVCMOS")),
        Resource("flash_select", 0, Pins("16", dir="o"), Attrs(IO_STANDARD="SB_LVCMOS")),
        *LEDResources(pins="41 39 40", invert=True, attrs=Attrs(IO_STANDARD="SB_LVCMOS")),
    ]


def _orangecrab(platform: type[Any]) -> type[Any]:
    """The OrangeCrab r0.2 has no bridge to a UART: pins 0 (rx) and 1 (tx) of its header are one."""

    class OrangeCrab(platform):
        resources: ClassVar = [
            *platform.resources,
            UARTResource(0, rx="N17", tx="M18", attrs=Attrs(IO_TYPE="LVCMOS33")),
            *LEDResources(pins="K4 M3 J3", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        ]
        # Without dfu-suffix, which amaranth-boards runs: `lifline flash` names the board to dfu-util.
        required_tools = LatticeECP5Platform.required_tools
        command_templates = LatticeECP5Platform.command_templates

    return OrangeCrab


OrangeCrab25F = _orangecrab(OrangeCrabR0_2_25FPlatform)
OrangeCrab85F = _orangecrab(OrangeCrabR0_2_85FPlatform)


class ColorlightI5(LatticeECP5Platform):
    """Colorlight i5 v7.0 on Muse Lab's extension board, whose DAPLink is the UART.

    Pins: github.com/wuxx/Colorlight-FPGA-Projects (README.md and the extension board's schematic).
    """

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    connectors: ClassVar[list[Any]] = []
    resources: ClassVar = [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("led", 0, PinsN("U16", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="H18", tx="J17", attrs=Attrs(IO_TYPE="LVCMOS33")),
    ]


class ColorlightI9(ColorlightI5):
    """Colorlight i9 v7.2 on the same extension board: an i5 with a bigger FPGA; its LED is at L2 (same source)."""

    device = "LFE5U-45F"
    resources: ClassVar = [
        *(resource for resource in ColorlightI5.resources if resource.name != "led"),
        Resource("led", 0, PinsN("L2", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
    ]


class _Himbaechel(GowinPlatform):
    """Gowin's FPGAs through today's nextpnr; Amaranth's own steps name a nextpnr-gowin that is no more."""

    _apicula_required_tools: ClassVar = ["yosys", "nextpnr-himbaechel-gowin", "gowin_pack"]
    _apicula_command_templates: ClassVar = [
        GowinPlatform._apicula_command_templates[0],
        r"""
        {{invoke_tool("nextpnr-himbaechel-gowin")}}
            {{quiet("--quiet")}}
            {{get_override("nextpnr_opts")|options}}
            --log {{name}}.tim
            --device {{platform.part}}
            --vopt family={{platform.chip}}
            --vopt cst={{name}}.cst
            --json {{name}}.syn.json
            --write {{name}}.pnr.json
        """,
        r"""
        {{invoke_tool("gowin_pack")}}
            -d {{platform.chip}}
            -o {{name}}.fs
            {{get_override("gowin_pack_opts")|options}}
            {{name}}.pnr.json
        """,
    ]
    chip = ""  #: the FPGA's name in apycula


class TangNano9K(_Himbaechel, TangNano9kPlatform):
    """Sipeed's Tang Nano 9K, as amaranth-boards has it."""

    chip = "GW1N-9C"


class TangNano20K(_Himbaechel):
    """Sipeed's Tang Nano 20K.

    Pins: Sipeed's schematic (wiki.sipeed.com, Tang Nano 20K), as LiteX-Boards has them, too.
    """

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    chip = "GW2A-18C"
    default_clk = "clk27"
    connectors: ClassVar[list[Any]] = []
    resources: ClassVar = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(PULL_MODE="UP", IO_TYPE="LVCMOS33")),
    ]

    def toolchain_prepare(self, fragment: Any, name: str, **overrides: Any) -> Any:
        """As for the 9K: some pins of the LEDs are those of the flash at configuration."""
        return super().toolchain_prepare(
            fragment, name, **{"gowin_pack_opts": "--sspi_as_gpio --mspi_as_gpio", **overrides}
        )
