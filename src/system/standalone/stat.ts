// SPDX-License-Identifier: Apache-2.0
// What the functions of files return: the classes Stats, Dirent and Dir of node:fs. Pure.

/** What stat(2) reports. */
export class Stats {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly dev: number
  readonly rdev: number
  readonly ino: number
  readonly size: number
  readonly nlink: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly blocks: number
  readonly atimeMs: number

  constructor(fields: number[]) {
    const [mode, uid, gid, dev, rdev, ino, size, nlink, mtimeMs, ctimeMs, blocks, atimeMs] = fields
    this.mode = mode!
    this.uid = uid!
    this.gid = gid!
    this.dev = dev!
    this.rdev = rdev!
    this.ino = ino!
    this.size = size!
    this.nlink = nlink!
    this.mtimeMs = mtimeMs!
    this.ctimeMs = ctimeMs!
    this.blocks = blocks!
    this.atimeMs = atimeMs!
  }

  get mtime(): Date {
    return new Date(this.mtimeMs)
  }
  isDirectory(): boolean {
    return (this.mode & 0o170000) === 0o040000
  }
  isFile(): boolean {
    return (this.mode & 0o170000) === 0o100000
  }
  isSymbolicLink(): boolean {
    return (this.mode & 0o170000) === 0o120000
  }
  isCharacterDevice(): boolean {
    return (this.mode & 0o170000) === 0o020000
  }
  isBlockDevice(): boolean {
    return (this.mode & 0o170000) === 0o060000
  }
  isFIFO(): boolean {
    return (this.mode & 0o170000) === 0o010000
  }
  isSocket(): boolean {
    return (this.mode & 0o170000) === 0o140000
  }
}

/** An entry of a directory. `type` is that of getdents(2). */
export class Dirent {
  readonly name: string | Buffer
  readonly type: number

  constructor(name: string | Buffer, type: number) {
    this.name = name
    this.type = type
  }

  isDirectory(): boolean {
    return this.type === 4
  }
  isFile(): boolean {
    return this.type === 8
  }
  isSymbolicLink(): boolean {
    return this.type === 10
  }
}

/** A directory that is read name by name. The names were read when it was opened. */
export class Dir {
  readonly entries: Dirent[]
  at = 0

  constructor(entries: Dirent[]) {
    this.entries = entries
  }

  readSync(): Dirent | null {
    return this.entries[this.at++] ?? null
  }
  closeSync(): void {}
}
