"""Builds a program for this computer with its own C compiler."""

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(
    AR="ar",
    AS="gcc",
    CC="gcc",
    CXX="g++",
    LINK="gcc",
    RANLIB="ranlib",
    SIZETOOL="size",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
)
program = env.BuildProgram()
AlwaysBuild(env.Alias("buildprog", program, program))
AlwaysBuild(env.Alias("exec", program, env.VerboseAction("$SOURCE $PROGRAM_ARGS", "Running")))
AlwaysBuild(env.Alias("size", program, env.VerboseAction("$SIZEPRINTCMD", "Calculating size")))
Default([program])
