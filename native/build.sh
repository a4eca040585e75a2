#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the C core with gcc alone into build/: hutch.node (the addon, hutch-init inside it), hutch-compiled (the start of a compiled file) and bin/hutch (what contained commands find as `hutch`).
# native/build.sh --faults DIR: the same for tests, into DIR, with system calls that can be refused (native/fault/fault.c).
set -eu
out=build
faults=
if [ "${1:-}" = --faults ]; then
	out=$2
	faults='-DHUTCH_FAULTS native/fault/fault.c'
fi
cd "$(dirname "$0")/.."
cc=${CC:-gcc}
warnings='-std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes'
headers=$(node -p 'require("node:path").join(require("node:path").dirname(process.execPath), "..", "include", "node")')
[ -f "$headers/node_api.h" ] || headers=node_modules/node-api-headers/include
[ -f "$headers/node_api.h" ] || { echo 'native/build.sh: node_api.h not found
  remedy: npm install, which brings the package node-api-headers' >&2; exit 1; }
mkdir -p "$out/bin"

freestanding="-Os -ffreestanding -fno-stack-protector -fcf-protection=none
	-fno-asynchronous-unwind-tables -fno-pic -fno-builtin -ffunction-sections -DHUTCH_FREESTANDING
	-static -nostdlib -no-pie -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,norelro"

# hutch-init: no libc, a few pages, since every start execs it and every limit pays for it
$cc $warnings $freestanding -o "$out/hutch-init" native/lib/*.c native/wire/*.c native/init/*.c $faults
strip "$out/hutch-init"

# what a process needs that starts programs: the addon, and a compiled file
caller='native/lib/*.c native/wire/*.c native/caller/*.c native/image.c'

# what hutch compile puts before a program: hutch-init inside it, and no Node
$cc $warnings $freestanding -DHUTCH_INIT_IMAGE="\"$out/hutch-init\"" -o "$out/hutch-compiled" native/compiled/*.c $caller $faults
strip "$out/hutch-compiled"

$cc $warnings -O2 -fPIC -shared -fvisibility=hidden -pthread -D_GNU_SOURCE -Wl,-z,relro,-z,now \
	-I"$headers" -DHUTCH_INIT_IMAGE="\"$out/hutch-init\"" -o "$out/hutch.node.new" native/node/*.c $caller $faults
mv "$out/hutch.node.new" "$out/hutch.node"

$cc $warnings -O2 -static -D_GNU_SOURCE -o "$out/bin/hutch.new" native/inside/*.c
strip "$out/bin/hutch.new"
mv "$out/bin/hutch.new" "$out/bin/hutch"
