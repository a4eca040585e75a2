#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the C core with gcc alone into build/: hutch.node (the addon, hutch-init inside it), hutch-compiled (the start of a compiled file) and bin/hutch (what contained commands find as `hutch`).
# native/build.sh --into DIR: the same into DIR. CC=aarch64-linux-gnu-gcc builds for arm64.
# native/build.sh --faults DIR: the same for tests, with system calls that can be refused (native/fault/fault.c).
# No file needs a library: the addon finds libc's functions in the process that loads it, with glibc or musl.
set -eu
out=build
faults=
case ${1:-} in
--into) out=$2 ;;
--faults) out=$2 faults='-DHUTCH_FAULTS native/fault/fault.c' ;;
esac
cd "$(dirname "$0")/.."
cc=${CC:-gcc}
command -v "$cc" >/dev/null || { echo "native/build.sh: $cc not found
  remedy: install a C compiler, such as the package gcc" >&2; exit 1; }
warnings='-std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes'
# without libgcc there are no functions for atomic operations
case $($cc -dumpmachine) in aarch64*) warnings="$warnings -mno-outline-atomics" ;; esac
headers=$(node -p 'require("node:path").join(require("node:path").dirname(process.execPath), "..", "include", "node")')
[ -f "$headers/node_api.h" ] || headers=node_modules/node-api-headers/include
[ -f "$headers/node_api.h" ] || { echo 'native/build.sh: node_api.h not found
  remedy: npm install, which brings the package node-api-headers' >&2; exit 1; }
mkdir -p "$out/bin"

freestanding="-Os -ffreestanding -fno-stack-protector -fcf-protection=none
	-fno-asynchronous-unwind-tables -fno-pic -fno-builtin -ffunction-sections -DHUTCH_FREESTANDING
	-static -nostdlib -no-pie -s -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,norelro"

# hutch-init: no libc, a few pages, since every start execs it and every limit pays for it
$cc $warnings $freestanding -o "$out/hutch-init" native/lib/*.c native/wire/*.c native/init/*.c $faults

# what a process needs that starts programs: the addon, and a compiled file
caller='native/lib/*.c native/wire/*.c native/caller/*.c native/image.c'

# what hutch compile puts before a program: hutch-init inside it, and no Node
$cc $warnings $freestanding -DHUTCH_INIT_IMAGE="\"$out/hutch-init\"" -o "$out/hutch-compiled" native/compiled/*.c $caller $faults

$cc $warnings -O2 -fPIC -shared -nostdlib -s -fvisibility=hidden -pthread -D_GNU_SOURCE -Wl,-z,relro,-z,now,--build-id=none \
	-I"$headers" -DHUTCH_INIT_IMAGE="\"$out/hutch-init\"" -o "$out/hutch.node.new" native/node/*.c $caller $faults
mv "$out/hutch.node.new" "$out/hutch.node"

# it may be in use
$cc $warnings $freestanding -o "$out/bin/hutch.new" native/inside/*.c native/lib/*.c native/wire/*.c
mv "$out/bin/hutch.new" "$out/bin/hutch"
