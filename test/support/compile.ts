// SPDX-License-Identifier: Apache-2.0
// Compiles the C programs of tests, all with the same flags. A program whose text and flags have not changed is not compiled again: gcc needs
// minutes in a VM.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'

const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-Wall', '-Wextra', '-Werror', '-Wshadow']
const cache = 'node_modules/.cache/hutch-test-programs'

/** Timeout in milliseconds of a hook that compiles. */
export const compileTimeout = 300_000

/** Compiles `test/support/programs/NAME.c` to the file `to`. `extra` are further flags. */
export function compileProgram(name: string, to: string, ...extra: string[]): void {
  compile(to, [`test/support/programs/${name}.c`], extra)
}

/** Compiles files to one program. Headers among them only count for the cache. */
export function compile(to: string, files: readonly string[], extra: readonly string[] = []): void {
  const hash = createHash('sha256').update(JSON.stringify([process.arch, flags, extra, files]))
  for (const file of files) hash.update(readFileSync(file))
  const built = `${cache}/${hash.digest('hex').slice(0, 24)}`
  if (!existsSync(built)) {
    mkdirSync(cache, { recursive: true })
    const unfinished = `${built}-${process.pid}`
    const sources = files.filter((file) => file.endsWith('.c'))
    execFileSync('gcc', [...flags, '-o', unfinished, ...sources, ...extra])
    renameSync(unfinished, built)
  }
  copyFileSync(built, to)
}
