// SPDX-License-Identifier: Apache-2.0
// All reading and writing of cgroup files from JavaScript, in one place. The launch path does its own in native/program/outer.c.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'

/** A file's text without its last newline, or undefined when it is not there or not readable. */
export function readGroupFile(directory: string, file: string): string | undefined {
  try {
    return readFileSync(`${directory}/${file}`, 'utf8').trimEnd()
  } catch {
    return undefined
  }
}

/** Writes a value: undefined, or the name of the errno that the kernel answered. */
export function writeGroupFile(directory: string, file: string, value: string): string | undefined {
  try {
    writeFileSync(`${directory}/${file}`, value, { flag: 'r+' })
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO'
  }
}

/** Makes one group: undefined, also when it is there already, or the name of the errno. */
export function makeGroup(directory: string): string | undefined {
  try {
    mkdirSync(directory)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EEXIST' ? undefined : (code ?? 'EIO')
  }
}

/** Names of the groups right below a directory. */
export function readChildren(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return []
  }
}

/** Removes a group and its children. False when something is still in it. */
export function removeTree(directory: string): boolean {
  for (const child of readChildren(directory)) removeTree(`${directory}/${child}`)
  try {
    rmdirSync(directory)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
