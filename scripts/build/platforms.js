// SPDX-License-Identifier: Apache-2.0
// The platforms of a release. A platform is an instruction set: no file needs a library, so glibc and musl have the same files.

/** For each platform its compiler, the name of its processor in Debian, and Debian's packages for the compiler. */
export const platforms = {
  'linux-x64': { compiler: 'x86_64-linux-gnu-gcc', debian: 'amd64' },
  'linux-arm64': { compiler: 'aarch64-linux-gnu-gcc', debian: 'arm64' },
}

export const ownPlatform = `linux-${process.arch}`

/** Returns the directory with the C core (native/build.sh) and the one with the binary without Node, for a platform. */
export function directoriesOf(platform) {
  return platform === ownPlatform
    ? { core: 'build', standalone: 'build/standalone' }
    : { core: `build/${platform}`, standalone: `build/standalone/${platform}` }
}
