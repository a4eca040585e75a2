// SPDX-License-Identifier: Apache-2.0
// A root file system for tests: busybox and empty mount points, below a directory of its own.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'

const tools = [
  'sh',
  'ls',
  'cat',
  'echo',
  'mount',
  'touch',
  'ln',
  'dd',
  'mknod',
  'grep',
  'readlink',
  'mkdir',
  'true',
  'pwd',
  'id',
]

/** A directory for this file's tests, taken away by `remove`. */
export function workplace(): { path: string; remove: () => void } {
  const path = mkdtempSync(`${tmpdir()}/hutch-root-test-`)
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** An image at `path`; without busybox it has its directories alone. */
export function makeImage(path: string): string {
  for (const name of ['bin', 'proc', 'sys', 'dev', 'data', 'etc', 'tmp'])
    mkdirSync(`${path}/${name}`, { recursive: true })
  try {
    copyFileSync('/bin/busybox', `${path}/bin/busybox`)
    for (const tool of tools) symlinkSync('busybox', `${path}/bin/${tool}`)
  } catch {
    // the tests that run in it say that they need it
  }
  return path
}

/** This process's mounts: equal before and after, nothing was left. */
export function hostMounts(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8')
}

/** All names below a directory, links not followed. */
export function tree(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()
}
