#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the C core with gcc alone into build/: hutch.node (the addon, hutch-init inside it), hutch-compiled (the start of a compiled file) and bin/hutch (what contained commands find as `hutch`).
# It builds nothing if the sources, the compiler and the kernel's headers are those of the last build.
# native/build.sh --into DIR: the same into DIR. CC=aarch64-linux-gnu-gcc builds for arm64.
# native/build.sh --faults DIR: the same for tests, with system calls that can be refused (native/fault/fault.c).
# No file needs a library: the addon finds libc's functions in the process that loads it, with glibc or musl.
set -eu
out=build
faults=
case ${1:-} in
--into) out=$2 ;;
--faults) out=$2 faults=-DHUTCH_FAULTS ;;
esac
cd "$(dirname "$0")/.."
cc=${CC:-gcc}
command -v "$cc" >/dev/null || { echo "native/build.sh: $cc not found
  remedy: apt-get install gcc libc6-dev, or npm install hutch, which has the binaries" >&2; exit 1; }
warnings='-std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes'
# without libgcc there are no functions for atomic operations
case $($cc -dumpmachine) in aarch64*) warnings="$warnings -mno-outline-atomics" ;; esac
headers=$(node -p 'require("node:path").join(require("node:path").dirname(process.execPath), "..", "include", "node")')
[ -f "$headers/node_api.h" ] || headers=node_modules/node-api-headers/include
[ -f "$headers/node_api.h" ] || { echo 'native/build.sh: node_api.h not found
  remedy: npm install, which brings the package node-api-headers' >&2; exit 1; }
alone="-Os -ffreestanding -fno-stack-protector -fcf-protection=none
	-fno-asynchronous-unwind-tables -fno-pic -fno-builtin -ffunction-sections -DHUTCH_FREESTANDING"
link_alone='-static -nostdlib -no-pie -s -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,norelro'
addon="-O2 -fPIC -fvisibility=hidden -pthread -D_GNU_SOURCE -I$headers"
link_addon='-shared -nostdlib -s -pthread -Wl,-z,relro,-z,now,--build-id=none'

inputs=$({
	cat native/build.sh native/*.[ch] native/*/*.[ch] "$headers"/*node_api*.h
	# the versions of the compiler and of the kernel's headers
	$cc -E -dM -include linux/version.h - </dev/null
	echo "$faults"
} | sha256sum)
[ "$(cat "$out/inputs" 2>/dev/null)" != "$inputs" ] || [ ! -x "$out/hutch-init" ] || [ ! -x "$out/hutch-compiled" ] ||
	[ ! -x "$out/hutch.node" ] || [ ! -x "$out/bin/hutch" ] || exit 0
rm -f "$out/inputs"

# Each source is compiled once for the programs without libc ("alone") and once for the addon.
mkdir -p "$out/bin"
objects=$(mktemp -d "$out/objects.XXXXXX")
trap 'rm -rf "$objects"' EXIT
for folder in native/*/ native/image; do mkdir -p "$objects/alone/$folder" "$objects/addon/$folder"; done

# compile KIND FLAGS FOLDER…: makes an object file of each source, on all processors
compile() {
	kind=$1 flags=$2
	shift 2
	for folder in "$@"; do printf '%s\n' "native/$folder"/*.c; done |
		xargs -P "$(nproc)" -I{} $cc $warnings $flags $faults -c {} -o "$objects/$kind/{}.o"
}

# link KIND FLAGS OUTPUT FOLDER…: makes the output from the object files of the folders
link() {
	kind=$1 flags=$2 output=$3
	shift 3
	[ -z "$faults" ] || set -- "$@" fault
	for folder in "$@"; do
		shift
		set -- "$@" "$objects/$kind/native/$folder"/*.o
	done
	$cc $flags -o "$output.new" "$@"
	# it may be in use
	mv "$output.new" "$output"
}

# image KIND FLAGS: makes the object file that contains hutch-init
image() {
	$cc $warnings $2 -DHUTCH_INIT_IMAGE="\"$out/hutch-init\"" -c native/image.c -o "$objects/$1/native/image/image.o"
}

compile alone "$alone" lib wire init caller compiled inside ${faults:+fault}
compile addon "$addon" lib wire caller node ${faults:+fault}

# hutch-init: no libc, a few pages, since every start execs it and every limit pays for it
link alone "$link_alone" "$out/hutch-init" lib wire init

# what hutch compile puts before a program: hutch-init inside it, and no Node
image alone "$alone"
link alone "$link_alone" "$out/hutch-compiled" compiled lib wire caller image

image addon "$addon"
link addon "$link_addon" "$out/hutch.node" node lib wire caller image

link alone "$link_alone" "$out/bin/hutch" inside lib wire

echo "$inputs" >"$out/inputs"
