#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the C core with gcc alone into build/: hutch.node (the addon, hutch-init inside it), hutch-compiled (the start of a compiled file) and bin/hutch (the small hog).
set -eu
cd "$(dirname "$0")/.."
cc=${CC:-gcc}
warnings='-std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes'
headers=$(node -p 'require("node:path").join(require("node:path").dirname(process.execPath), "..", "include", "node")')
[ -f "$headers/node_api.h" ] || headers=node_modules/node-api-headers/include
[ -f "$headers/node_api.h" ] || { echo 'native/build.sh: node_api.h not found
  remedy: npm install, which brings the package node-api-headers' >&2; exit 1; }
mkdir -p build/bin

freestanding="-Os -ffreestanding -fno-stack-protector -fcf-protection=none
	-fno-asynchronous-unwind-tables -fno-pic -fno-builtin -ffunction-sections -DHUTCH_FREESTANDING
	-static -nostdlib -no-pie -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,norelro"

# hutch-init: no libc, a few pages, since every start execs it and every limit pays for it
$cc $warnings $freestanding -o build/hutch-init native/program/*.c native/init/*.c
strip build/hutch-init

# what hutch compile puts before a program: hutch-init inside it, and no Node
$cc $warnings $freestanding -DHUTCH_INIT_IMAGE='"build/hutch-init"' -o build/hutch-compiled \
	native/compiled/*.c native/image.c native/program/clone.c native/program/decode.c native/program/file.c \
	native/program/legacy.c native/program/life.c native/program/map.c native/program/outer.c \
	native/program/privilege.c native/program/spawn.c
strip build/hutch-compiled

$cc $warnings -O2 -fPIC -shared -fvisibility=hidden -pthread -D_GNU_SOURCE -Wl,-z,relro,-z,now \
	-I"$headers" -DHUTCH_INIT_IMAGE='"build/hutch-init"' \
	-o build/hutch.node.new native/addon/*.c native/image.c native/program/clone.c native/program/decode.c \
	native/program/file.c native/program/legacy.c native/program/life.c native/program/map.c native/program/outer.c \
	native/program/privilege.c native/program/spawn.c
mv build/hutch.node.new build/hutch.node

$cc $warnings -O2 -static -D_GNU_SOURCE -o build/bin/hutch.new native/hog/hog.c
strip build/bin/hutch.new
mv build/bin/hutch.new build/bin/hutch
