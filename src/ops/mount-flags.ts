// SPDX-License-Identifier: Apache-2.0
// Encodes the flags in the fields of mount operations. Pure.

/** Flags of mount(2). */
export const mountFlags = {
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  rec: 0x4000,
  unbindable: 0x2_0000,
  private: 0x4_0000,
  slave: 0x8_0000,
  shared: 0x10_0000,
} as const

/** Attributes of a mount, with the kernel's values (MOUNT_ATTR_* of mount_setattr(2)). */
export const mountAttributes = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x20_0000,
} as const

/** The attributes of which a mount has at most one: its kind of access times. relatime is the kind without a bit. */
export const accessTimes = 0x70

/** How attachTree gets a tree, and holdTrees copies one; equal to the enum in native/wire/program.h. */
export const treeBits = { recursive: 1, held: 2, allShared: 4 } as const

/** Where openRoot lets missing mount points be created; equal to the enum in native/wire/program.h. */
export const makesPoints = { nowhere: 0, inRoot: 1, everywhere: 2 } as const

/** What attachNew takes over from the directory that it covers; equal to the enum in native/wire/program.h. */
export const takesOver = { nothing: 0, mode: 1, files: 2 } as const
