"""What PlatformIO's build_flags cannot say: flags for the linker, and that the ELF file depends on
the linker script."""

Import("env")  # noqa: F821


def option(name):
    return env.GetProjectOption(name, "").split()  # noqa: F821


machine = option("custom_machine_flags")
env.Append(  # noqa: F821
    ASFLAGS=machine,
    # Debug information names files as they lie in this project, wherever the project is.
    CCFLAGS=[*machine, "-ffile-prefix-map=$PROJECT_DIR=."],
    CXXFLAGS=option("custom_cxx_flags"),
    LINKFLAGS=[*machine, *option("custom_link_flags")],
    LIBS=option("custom_libraries"),
)
for script in option("board_build.ldscript"):
    env.Depends("$BUILD_DIR/firmware.elf", f"$PROJECT_DIR/{script}")  # noqa: F821
