"""Builds an ELF file and a raw image with the Arm GNU toolchain; flags are the project's matter."""

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    GDB="arm-none-eabi-gdb",
    LINK="arm-none-eabi-gcc",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="arm-none-eabi-size",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    SIZEPROGREGEXP=r"^(?:\.text|\.rodata|\.model|\.ARM\.exidx|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.arena|\.stack)\s+(\d+).*",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    CPPDEFINES=[("F_CPU", "$BOARD_F_CPU")],
    CXXFLAGS=["-fno-exceptions", "-fno-rtti"],
    LINKFLAGS=["-Wl,--gc-sections"],
    LIBS=["c", "m", "gcc"],
    BUILDERS={
        "ElfToBin": Builder(
            action=env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"),
            suffix=".bin",
        )
    },
)

elf = env.BuildProgram()
image = env.ElfToBin("$BUILD_DIR/${PROGNAME}", elf)
env.Depends(image, "checkprogsize")
AlwaysBuild(env.Alias("buildprog", image, image))
AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZEPRINTCMD", "Calculating size")))
Default([elf, image])
